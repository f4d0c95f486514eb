import assert from 'node:assert/strict';
import { type Ask, type Command, decodeBody, encodeFrame } from '../pdu/command.js';
import type { Frame } from '../pdu/header.js';

/**
 * What a kind of caller may say, one row a command: a table instead of a switch, so that a reader sees the whole
 * surface of a server on one page and the compiler joins each message to its handler.
 */
export interface Row<Ctx, Caller> {
  readonly command: Command<never, unknown>;
  /** Decodes, handles, and gives the frame that answers, if the command has an answer. @throws when the body is bad. */
  run(ctx: Ctx, caller: Caller, frame: Frame): Promise<Buffer | undefined> | undefined;
}

export type CommandTable<Ctx, Caller> = ReadonlyMap<number, Row<Ctx, Caller>>;

/** A command with an answer. The answer repeats the id of what was asked. */
export function answer<Ctx, Caller, In, Out, ReplyIn, ReplyOut>(
  ask: Ask<In, Out, ReplyIn, ReplyOut>,
  handle: (ctx: Ctx, asked: Out, caller: Caller) => Promise<ReplyIn> | ReplyIn,
): Row<Ctx, Caller> {
  return {
    command: ask as Command<never, unknown>,
    async run(ctx, caller, frame) {
      const { seq, reserved } = frame; // read now: the frame's bytes need not outlive the first await
      const reply = await handle(ctx, decodeBody(ask, frame.body), caller);
      return encodeFrame(ask.reply, seq, reply, reserved);
    },
  };
}

/** A command without an answer. */
export function hear<Ctx, Caller, In, Out>(
  command: Command<In, Out>,
  handle: (ctx: Ctx, told: Out, caller: Caller, frame: Frame) => void,
): Row<Ctx, Caller> {
  return {
    command: command as Command<never, unknown>,
    run(ctx, caller, frame) {
      handle(ctx, decodeBody(command, frame.body), caller, frame);
      return undefined;
    },
  };
}

export function commandTable<Ctx, Caller>(rows: readonly Row<Ctx, Caller>[]): CommandTable<Ctx, Caller> {
  const table = new Map(rows.map((row) => [row.command.id, row]));
  assert.equal(table.size, rows.length, 'two rows claim one command id');
  return table;
}
