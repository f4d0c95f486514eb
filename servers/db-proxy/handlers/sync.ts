import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { ChangedFrom, MyConversation } from '../storage/conversations.js';
import { HOUR_MS, hourOf } from '../storage/user-lists.js';
import { sessionOf } from './buddy.js';
import { msgInfo } from './message.js';

/** Conversations of one answer, at most and when nothing is said. */
const PAGE_MAX = 200;
/** A client that was away for longer starts anew: most of its conversations have changed by then. */
const CURSOR_AGE_MS_MAX = 90 * 24 * HOUR_MS;
/** How far clocks may be apart, or step back. A cursor from further ahead is not used: who has it starts anew. */
const CLOCK_SLACK_MS = 300_000;
/**
 * What is looked at again: a list is touched before its message is committed, and maybe by a clock that is behind the one
 * by which the cursor was made.
 */
const OVERLAP_MS = CLOCK_SLACK_MS + 120_000;

/**
 * What a cursor holds: since when, and on which page of that question we are. It says nothing about what its owner may
 * see, so a forged one only asks for other pages of one's own list.
 */
interface Cursor {
  /** The moment from which on changes are wanted; 0: everything. */
  readonly sinceMs: number;
  /** When this round of pages began: `sinceMs` of the next round. */
  readonly startedMs: number;
  readonly after: ChangedFrom['after'];
}

const VERSION = 1;
const CURSOR_SIZE = 29;

/** One call that brings a device up to date, however long it was away: asked until `done`. */
export async function sync(
  ctx: DbProxyContext,
  asked: IM.Message.IMSyncReq,
): Promise<IM.Message.IMSyncRsp.$Properties> {
  const { userId } = asked;
  const nowMs = Date.now();
  const cursor =
    asked.cursor === undefined ? { sinceMs: 0, startedMs: nowMs, after: undefined } : readCursor(asked.cursor, nowMs);
  if (cursor === undefined) return { userId, done: true, tooOld: true };
  const startedMs = cursor.after === undefined ? nowMs : cursor.startedMs;
  const hour = cursor.sinceMs === 0 ? 0 : hourOf(cursor.sinceMs - OVERLAP_MS);
  const limit = Math.min(asked.limit || PAGE_MAX, PAGE_MAX);
  const { conversations, next } = await ctx.conversations.changed(userId, { hour, after: cursor.after }, limit);
  const following =
    next === undefined
      ? { sinceMs: startedMs, startedMs, after: undefined }
      : { sinceMs: cursor.sinceMs, startedMs, after: next };
  return {
    userId,
    entryList: conversations.filter(worthTelling).map((each) => entryOf(userId, each)),
    cursor: writeCursor(following),
    done: next === undefined,
    tooOld: false,
  };
}

/** A conversation without any message is on two lists shortly before its first one is stored. */
function worthTelling(conversation: MyConversation): boolean {
  return conversation.head > 0 || conversation.removed;
}

function entryOf(userId: number, each: MyConversation): IM.Message.SyncEntry.$Properties {
  return {
    ...sessionOf(userId, each.id),
    head: each.head,
    read: each.read,
    peerRead: each.peerRead,
    unread: each.unread,
    removed: each.removed,
    updatedMs: each.headTimeMs,
    lastMsg: each.last && msgInfo(each.last),
  };
}

/** Undefined: not of ours, from a future, or too old. */
export function readCursor(bytes: Uint8Array, nowMs: number): Cursor | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length !== CURSOR_SIZE || view[0] !== VERSION) return undefined;
  const sinceMs = Number(view.readBigUInt64BE(1));
  const startedMs = Number(view.readBigUInt64BE(9));
  const latestMs = Math.max(sinceMs, startedMs);
  if (latestMs > nowMs + CLOCK_SLACK_MS || startedMs < nowMs - CURSOR_AGE_MS_MAX) return undefined;
  if (sinceMs !== 0 && sinceMs < nowMs - CURSOR_AGE_MS_MAX) return undefined;
  const active = view.readInt32BE(17);
  return { sinceMs, startedMs, after: active < 0 ? undefined : { active, id: view.readBigInt64BE(21) } };
}

export function writeCursor({ sinceMs, startedMs, after }: Cursor): Buffer {
  const bytes = Buffer.alloc(CURSOR_SIZE);
  bytes[0] = VERSION;
  bytes.writeBigUInt64BE(BigInt(sinceMs), 1);
  bytes.writeBigUInt64BE(BigInt(startedMs), 9);
  bytes.writeInt32BE(after?.active ?? -1, 17);
  bytes.writeBigInt64BE(after?.id ?? 0n, 21);
  return bytes;
}
