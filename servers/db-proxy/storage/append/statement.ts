import type pg from 'pg';
import { GROUP_BIT, isGroupConversation, usersOf } from '../../../../common/conversation.js';
import type { SealedMessage } from '../attachments.js';
import { distinct } from '../shards.js';
import type { Item } from './item.js';

/** A message with its place in the conversation, sealed for it. */
export interface Numbered extends SealedMessage {
  readonly item: Item;
  readonly msgId: number;
  readonly timeMs: number;
}

interface Move {
  readonly bucket: number;
  readonly id: bigint;
  readonly expected: number;
  head: number;
  timeMs: number;
  lowRead: number;
  highRead: number;
}

/** Parts of a statement that not every batch needs. */
const GROUPS = 1;
const ATTACHED = 2;
const EFFECTS = 4;

/**
 * `moved` takes the row locks in the order of the arrays, which are sorted, as long as PostgreSQL finds the rows by their
 * index, so two db-proxies that store into the same conversations wait for each other. A table of a few pages it may read
 * whole, in the order in which the rows lie: then the two can block each other, PostgreSQL ends one of them after a second
 * (deadlock_timeout), and its lane tries again. Bodies come as one piece of bytes that is cut here, which spares both
 * sides the escaping of an array of them.
 *
 * A part of a statement costs PostgreSQL 40 to 80 µs even when it finds nothing to do. So it has only those that
 * the batch needs: who sends in a group has read up to there; what is attached lies behind the message in the same
 * bytes; somebody may want to hear of every message.
 */
const STATEMENTS = Array.from({ length: 8 }, (_, parts) => appending(parts));

interface Statement {
  readonly name: string;
  readonly text: string;
}

function appending(parts: number): Statement {
  const [groups, attached, effects] = [GROUPS, ATTACHED, EFFECTS].map((part) => (parts & part) !== 0);
  const name = `messages-append${groups ? '-groups' : ''}${attached ? '-attached' : ''}${effects ? '-effects' : ''}`;
  return { name, text: appendingText(groups!, attached!, effects!) };
}

function appendingText(groups: boolean, attached: boolean, effects: boolean): string {
  const [column, value] = attached ? [', attached', ', n.also > 0'] : ['', ''];
  const [sizes, also] = attached ? [', $18::int[]', ', also'] : ['', ''];
  const attachments = attached
    ? `
), attachments as (
  insert into shard.attachment (bucket, conversation_id, msg_id, sealed)
  select moved.bucket, moved.id, n.msg_id, substring($15::bytea from n.at + 16 + n.size for n.also)
    from unnest($8::bigint[], $9::int[], $14::int[], $16::int[], $18::int[]) as n (conversation_id, msg_id, at, size, also)
    join moved on moved.id = n.conversation_id where n.also > 0`
    : '';
  const told = effects
    ? `
), effects as (
  insert into shard.outbox (bucket, consumer, conversation_id, msg_id)
  select moved.bucket, consumer, moved.id, n.msg_id
    from unnest($8::bigint[], $9::int[]) as n (conversation_id, msg_id)
    join moved on moved.id = n.conversation_id
   cross join unnest($${attached ? 19 : 18}::smallint[]) as consumer`
    : '';
  const groupReads = groups
    ? `
), group_reads as (
  insert into shard.group_read (bucket, conversation_id, user_id, read_id)
  select moved.bucket, moved.id, n.sender_id, max(n.msg_id)
    from unnest($8::bigint[], $9::int[], $10::int[]) as n (conversation_id, msg_id, sender_id)
    join moved on moved.id = n.conversation_id
   where n.conversation_id >= ${GROUP_BIT}
   group by 1, 2, 3
  on conflict (bucket, conversation_id, user_id) do update set read_id = greatest(group_read.read_id, excluded.read_id)`
    : '';
  return `
with fence as materialized (
  select shard.writable($17::smallint[]) as open
), moved as (
  update shard.conversation c
     set head = m.head, head_time_ms = m.time_ms,
         low_read = greatest(c.low_read, m.low_read), high_read = greatest(c.high_read, m.high_read)
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::int[], $5::bigint[], $6::int[], $7::int[])
      as m (bucket, id, expected, head, time_ms, low_read, high_read), fence
   where fence.open and c.bucket = m.bucket and c.id = m.id and c.head = m.expected
  returning c.bucket, c.id
), stored as (
  insert into shard.message (bucket, conversation_id, msg_id, sender_id, msg_type, create_time_ms, key_id, send_id, sealed${column})
  select moved.bucket, moved.id, n.msg_id, n.sender_id, n.msg_type, n.time_ms, n.key_id,
         substring($15::bytea from n.at for 16), substring($15::bytea from n.at + 16 for n.size)${value}
    from unnest($8::bigint[], $9::int[], $10::int[], $11::smallint[], $12::bigint[], $13::int[], $14::int[], $16::int[]${sizes})
      as n (conversation_id, msg_id, sender_id, msg_type, time_ms, key_id, at, size${also})
    join moved on moved.id = n.conversation_id${groupReads}${told}${attachments}
)
select id from moved`;
}

/** A message that comes alone, which at low load nearly all do. */
async function insertLone(client: pg.Client, numbered: Numbered, move: Move, consumers: readonly number[]) {
  const { item, msgId, timeMs, keyId, sealed } = numbered;
  const { senderId, msgType, sendId } = item;
  const place = [move.bucket, move.id, msgId, timeMs, move.lowRead, move.highRead];
  const inGroup = isGroupConversation(move.id);
  const { rows } = await client.query<{ moved: boolean }>({
    name: 'message-append',
    text: 'select shard.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as moved',
    values: [...place, senderId, msgType, keyId, sendId, sealed, consumers, inGroup],
  });
  return rows[0]!.moved ? [{ id: move.id }] : [];
}

/** @returns the conversations whose heads were where they were expected; the others' messages were not stored. */
export async function insert(
  client: pg.Client,
  numbered: readonly Numbered[],
  consumers: readonly number[],
): Promise<ReadonlySet<bigint>> {
  const heads = movesOf(numbered);
  const [first] = numbered;
  const rows =
    numbered.length === 1 && first!.attachment === undefined
      ? await insertLone(client, first!, heads[0]!, consumers)
      : await insertMany(client, numbered, heads, consumers);
  return new Set(rows.map((row) => row.id));
}

async function insertMany(
  client: pg.Client,
  numbered: readonly Numbered[],
  heads: readonly Move[],
  consumers: readonly number[],
) {
  const buckets = distinct(heads.map((move) => move.bucket));
  const values: unknown[] = [...headColumns(heads), ...messageColumns(numbered), buckets];
  let parts = heads.some((move) => isGroupConversation(move.id)) ? GROUPS : 0;
  if (numbered.some(({ attachment }) => attachment !== undefined)) {
    parts |= ATTACHED;
    values.push(attachedColumn(numbered));
  }
  if (consumers.length > 0) {
    parts |= EFFECTS;
    values.push(consumers);
  }
  const { name, text } = STATEMENTS[parts]!;
  const { rows } = await client.query<{ id: bigint }>({ name, text, values });
  return rows;
}

function movesOf(numbered: readonly Numbered[]): Move[] {
  const moves = new Map<bigint, Move>();
  for (const { item, msgId, timeMs } of numbered) {
    let move = moves.get(item.conversationId);
    if (move === undefined) {
      move = {
        bucket: item.bucket,
        id: item.conversationId,
        expected: msgId - 1,
        head: msgId,
        timeMs,
        lowRead: 0,
        highRead: 0,
      };
      moves.set(item.conversationId, move);
    }
    move.head = msgId;
    move.timeMs = timeMs;
    if (isGroupConversation(item.conversationId)) continue;
    if (usersOf(item.conversationId)[0] === item.senderId) move.lowRead = msgId;
    else move.highRead = msgId;
  }
  return [...moves.values()].sort((a, b) => a.bucket - b.bucket || (a.id < b.id ? -1 : 1));
}

function headColumns(moves: readonly Move[]): string[] {
  return [
    column(moves, (m) => m.bucket),
    column(moves, (m) => m.id),
    column(moves, (m) => m.expected),
    column(moves, (m) => m.head),
    column(moves, (m) => m.timeMs),
    column(moves, (m) => m.lowRead),
    column(moves, (m) => m.highRead),
  ];
}

function messageColumns(numbered: readonly Numbered[]): (string | Buffer)[] {
  const pieces: Buffer[] = [];
  const starts: number[] = [];
  let at = 1; // substring counts from 1
  for (const { item, sealed, attachment } of numbered) {
    starts.push(at);
    pieces.push(item.sendId, sealed);
    at += item.sendId.length + sealed.length;
    if (attachment === undefined) continue;
    pieces.push(attachment);
    at += attachment.length;
  }
  return [
    column(numbered, (n) => n.item.conversationId),
    column(numbered, (n) => n.msgId),
    column(numbered, (n) => n.item.senderId),
    column(numbered, (n) => n.item.msgType),
    column(numbered, (n) => n.timeMs),
    column(numbered, (n) => n.keyId),
    `{${starts.join(',')}}`,
    Buffer.concat(pieces),
    column(numbered, (n) => n.sealed.length),
  ];
}

function attachedColumn(numbered: readonly Numbered[]): string {
  return column(numbered, (n) => n.attachment?.length ?? 0);
}

/** An array literal of PostgreSQL; half the work of the driver's own, which has to expect any text. */
function column<T>(rows: readonly T[], value: (row: T) => number | bigint): string {
  return `{${rows.map(value).join(',')}}`;
}
