import protobuf, { type Writer } from 'protobufjs/minimal.js';
import { ImError } from '../errors.js';
import { HEADER_VERSION, serviceOf } from './header.js';

/** How a message type becomes bytes and back. The generated classes are codecs as they are. */
export interface Codec<In, Out> {
  encode(message: In, writer?: Writer): Writer;
  /** @throws when bytes end early, a required field is missing or an enum value is unknown. */
  decode(bytes: Uint8Array): Out;
}

/** A numbered kind of frame. `In` is what one may encode, `Out` what decoding gives. */
export interface Command<In, Out> {
  readonly id: number;
  /** The message's name in pb/, for logs and metrics. */
  readonly name: string;
  readonly codec: Codec<In, Out>;
}

/** A command that is answered by another one. */
export interface Ask<In, Out, ReplyIn, ReplyOut> extends Command<In, Out> {
  readonly reply: Command<ReplyIn, ReplyOut>;
}

/** @throws ImError BAD_REQUEST when the body is not what the command says. */
export function decodeBody<Out>(command: Command<never, Out>, body: Uint8Array): Out {
  try {
    return command.codec.decode(body);
  } catch (error) {
    throw new ImError('BAD_REQUEST', `${command.name}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * A whole frame. Header and body are written into one buffer: the writer starts with four header words (protobuf's
 * fixed32 is little-endian, so they are swapped) and the length is put in at the end.
 */
export function encodeFrame<In>(command: Command<In, unknown>, seq: number, message: In, reserved = 0): Buffer {
  const writer = protobuf.Writer.create();
  writer
    .fixed32(0)
    .fixed32(VERSION_AND_FLAG)
    .fixed32(swap(((serviceOf(command.id) << 16) | command.id) >>> 0))
    .fixed32(swap((((seq & 0xffff) << 16) | (reserved & 0xffff)) >>> 0));
  const bytes = command.codec.encode(message, writer).finish() as Buffer;
  bytes.writeUInt32BE(bytes.length, 0);
  return bytes;
}

const VERSION_AND_FLAG = swap(HEADER_VERSION << 16);

function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
