import { connect, createServer, type Socket } from 'node:net';
import protobuf from 'protobufjs/minimal.js';
import { LINK_FRAME_SIZE_MAX } from '../../common/limits.js';
import { cluster } from '../../common/pdu/commands.js';
import { nothingPending, takeFrames } from '../../common/pdu/framing.js';
import { type Frame, frameOf } from '../../common/pdu/header.js';
import type { Target } from './fault-proxy.js';
import type { Teardown } from './postgres.js';

/**
 * What this build has added to what servers say among themselves since the one before, which neither writes it nor
 * understands it: fields, by command.
 */
const ADDED: ReadonlyMap<number, readonly number[]> = new Map([
  [cluster.hello.reply.id, [5]],
  [cluster.load.id, [8, 9, 10]],
  [cluster.missed.id, [4, 5]],
  [cluster.missed.reply.id, [4, 5]],
]);

/**
 * In front of a server of this build it makes a server of the build before for those who connect through it, and of
 * them one for that server: what is new never arrives, in either direction. @returns the port
 */
export async function olderBuild(t: Teardown, target: Target): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ ...target, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      let pending = nothingPending;
      from.on('data', (chunk: Buffer) => {
        const taken = takeFrames(pending, chunk, LINK_FRAME_SIZE_MAX);
        if ('breach' in taken) throw new Error(taken.breach);
        pending = taken.pending;
        for (const frame of taken.frames) to.write(withoutAdded(frame));
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

function withoutAdded(frame: Frame): Buffer {
  const added = ADDED.get(frame.command);
  if (added === undefined) return frame.bytes;
  const reader = protobuf.Reader.create(frame.body);
  const kept: Buffer[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    reader.skipType(tag & 7);
    if (!added.includes(tag >>> 3)) kept.push(frame.body.subarray(start, reader.pos));
  }
  return frameOf(frame.command, frame.seq, Buffer.concat(kept), frame.reserved);
}
