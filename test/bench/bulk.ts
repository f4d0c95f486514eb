import { once } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import pg from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import { v7 as uuidV7 } from 'uuid';
import { bucketOf, userBucketOf, usersOf } from '../../common/conversation.js';
import { COPY_END, COPY_HEADER } from '../../servers/db-proxy/storage/copy-rows.js';
import { hourOf } from '../../servers/db-proxy/storage/user-lists.js';
import type { Storage } from '../support/cluster.js';

/** Messages that a conversation of two is to have: those with ids from `from` to `to`, all by the first of the two. */
export interface Stretch {
  readonly conversationId: bigint;
  readonly from: number;
  readonly to: number;
}

const CHUNK_SIZE = 256 * 1024;
const ROW_SIZE_MAX = 1_024;
const TEXT = 1;
const HEADS_AT_ONCE = 10_000;

/**
 * Millions of messages in minutes: sealed as the product seals them, each for its own place, and brought in by COPY.
 * Nothing is acknowledged to anybody, so the rows go straight into the tables; heads and lists follow.
 * @returns µs for each
 */
export async function load(storage: Storage, databaseUrl: string, stretches: readonly Stretch[]): Promise<number> {
  const startedMs = performance.now();
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const count = await copyMessages(storage, client, stretches);
    await setHeads(client, stretches);
    return ((performance.now() - startedMs) * 1000) / count;
  } finally {
    await client.end();
  }
}

async function copyMessages(storage: Storage, client: pg.Client, stretches: readonly Stretch[]): Promise<number> {
  const columns = 'bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed';
  const copy = client.query(copyFrom(`copy shard.message (${columns}) from stdin (format binary)`));
  copy.on('error', () => undefined); // what went wrong first is what is thrown
  copy.write(COPY_HEADER);
  let chunk = Buffer.allocUnsafe(CHUNK_SIZE);
  let at = 0;
  let count = 0;
  for (const { conversationId, from, to } of stretches) {
    const bucket = bucketOf(conversationId);
    const [senderId] = usersOf(conversationId);
    for (let msgId = from; msgId <= to; msgId++) {
      const body = Buffer.from(`message ${msgId} ${'x'.repeat(60)}`);
      const { keyId, sealed } = storage.keys.seal(bucket, { conversationId, msgId, senderId }, body);
      at = row(chunk, at, { bucket, conversationId, msgId, senderId, keyId, sealed });
      count++;
      if (at < CHUNK_SIZE - ROW_SIZE_MAX) continue;
      await written(copy, chunk.subarray(0, at));
      chunk = Buffer.allocUnsafe(CHUNK_SIZE);
      at = 0;
    }
  }
  await written(copy, chunk.subarray(0, at));
  const finished = once(copy, 'finish');
  copy.end(COPY_END);
  await finished;
  return count;
}

/** Lets others have their turn: the keys are certain only as long as somebody looks whether they still are. */
async function written(copy: CopyStreamQuery, bytes: Buffer): Promise<void> {
  if (!copy.write(bytes)) await once(copy, 'drain');
  await immediate();
}

interface Row {
  readonly bucket: number;
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
  readonly keyId: number;
  readonly sealed: Buffer;
}

/** A row of PostgreSQL's binary COPY; see copy-rows.ts. @returns where the next one goes */
function row(chunk: Buffer, start: number, { bucket, conversationId, msgId, senderId, keyId, sealed }: Row): number {
  let at = chunk.writeInt16BE(9, start);
  const field = (size: number) => {
    at = chunk.writeInt32BE(size, at);
  };
  const int16 = (value: number) => {
    field(2);
    at = chunk.writeInt16BE(value, at);
  };
  const int32 = (value: number) => {
    field(4);
    at = chunk.writeInt32BE(value, at);
  };
  const int64 = (value: bigint) => {
    field(8);
    at = chunk.writeBigInt64BE(value, at);
  };
  int16(bucket);
  int64(conversationId);
  int32(msgId);
  int32(senderId);
  int16(TEXT);
  int64(BigInt(Date.now()));
  int32(keyId);
  field(16);
  uuidV7({}, chunk, at); // by time, as msg servers make them
  at += 16;
  field(sealed.length);
  return at + sealed.copy(chunk, at);
}

async function setHeads(client: pg.Client, stretches: readonly Stretch[]): Promise<void> {
  for (let from = 0; from < stretches.length; from += HEADS_AT_ONCE) {
    const part = stretches.slice(from, from + HEADS_AT_ONCE);
    await client.query(
      `insert into shard.conversation (bucket, id, head, head_time_ms, low_read)
       select bucket, id, head, $4, head from unnest($1::smallint[], $2::bigint[], $3::int[]) as w (bucket, id, head)
       on conflict (bucket, id) do update set head = excluded.head, head_time_ms = excluded.head_time_ms, low_read = excluded.head`,
      [
        part.map(({ conversationId }) => bucketOf(conversationId)),
        part.map(({ conversationId }) => String(conversationId)),
        part.map(({ to }) => to),
        Date.now(),
      ],
    );
    const entries = part.flatMap(({ conversationId: id }) => usersOf(id).map((userId) => ({ userId, id })));
    await client.query(
      `insert into shard.user_conversation (bucket, user_id, conversation_id, active)
       select bucket, user_id, id, $4 from unnest($1::smallint[], $2::int[], $3::bigint[]) as w (bucket, user_id, id)
       on conflict do nothing`,
      [
        entries.map(({ userId }) => userBucketOf(userId)),
        entries.map(({ userId }) => userId),
        entries.map(({ id }) => String(id)),
        hourOf(Date.now()),
      ],
    );
  }
}
