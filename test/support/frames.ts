import protobuf from 'protobufjs/minimal.js';
import type { Client } from '../../common/client/client.js';
import type { Command } from '../../common/pdu/command.js';
import type { Frame } from '../../common/pdu/header.js';

/** Looking at what came over a connection, below what the SDK makes of it. */

/** Without classes and with bytes as hex, to be compared strictly. */
export function plain(it: unknown): unknown {
  if (it instanceof Uint8Array) return Buffer.from(it).toString('hex');
  if (Array.isArray(it)) return it.map(plain);
  if (typeof it !== 'object' || it === null) return it;
  return Object.fromEntries(Object.entries(it).map(([key, value]) => [key, plain(value)]));
}

/** Numbers of the fields in a body, without looking into them. */
export function fieldsOf(body: Uint8Array): number[] {
  const reader = protobuf.Reader.create(body);
  const fields: number[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    fields.push(tag >>> 3);
    reader.skipType(tag & 7);
  }
  return fields;
}

/** Every frame that comes from now on. */
export function listenTo(client: Client): Frame[] {
  const frames: Frame[] = [];
  client.on('frame', (frame) => frames.push(frame));
  return frames;
}

export function only(frames: readonly Frame[], command: Command<never, unknown>): Frame[] {
  return frames.filter((frame) => frame.command === command.id);
}
