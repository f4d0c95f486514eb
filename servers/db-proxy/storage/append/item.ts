import { ImError } from '../../../../common/errors.js';

/** A message to be stored. */
export interface Draft {
  readonly conversationId: bigint;
  readonly senderId: number;
  readonly msgType: number;
  readonly body: Buffer;
  /** 16 bytes. */
  readonly sendId: Buffer;
}

export interface Stored {
  readonly msgId: number;
  readonly createTimeMs: number;
  /** Stored by an earlier ask with the same send_id. */
  readonly duplicate: boolean;
}

/** A draft on its way through a lane. */
export interface Item extends Draft {
  readonly bucket: number;
  readonly deadlineMs: number;
  /** The same send_id again within one batch: answered like this one. */
  readonly twins: Item[];
  settled: boolean;
  resolve(stored: Stored): void;
  reject(error: Error): void;
}

export function sendKey(conversationId: bigint, senderId: number, sendId: Buffer): string {
  return `${conversationId}/${senderId}/${sendId.toString('latin1')}`;
}

/** Drafts with a send_id that an earlier one of the batch has are answered like that one, or refused. */
export function joinTwins(batch: Item[]): Item[] {
  const first = new Map<string, Item>();
  return batch.filter((item) => {
    const key = sendKey(item.conversationId, item.senderId, item.sendId);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, item);
      return true;
    }
    if (earlier.msgType === item.msgType && earlier.body.equals(item.body)) earlier.twins.push(item);
    else item.reject(new ImError('SEND_ID_REUSED', `by user ${item.senderId} with another body`));
    return false;
  });
}

export function settle(item: Item, stored: Stored): void {
  item.settled = true;
  item.resolve(stored);
  for (const twin of item.twins) twin.resolve({ ...stored, duplicate: true });
}

export function settleError(item: Item, error: ImError): void {
  item.settled = true;
  for (const each of [item, ...item.twins]) each.reject(error);
}
