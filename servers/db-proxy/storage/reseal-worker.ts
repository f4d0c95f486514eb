import { move, transferableSymbol, valueSymbol } from 'piscina';
import { Nonces, openBody, type Part, SEAL_OVERHEAD, sealBody } from './sealing.js';

/**
 * Opens messages and seals them under another key, in place: a body is as long sealed under one key as under another.
 * Called in the thread that has the messages, or by piscina in another one, to which the bytes are given over.
 */
export interface ResealBatch {
  readonly rows: readonly ResealRow[];
  /** The sealed bodies one behind the other, in the order of `rows`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Data keys by id; one that is missing was destroyed, or is nowhere. */
  readonly keys: ReadonlyMap<number, Uint8Array>;
  /** Id of the data key to seal by. */
  readonly target: number;
}

export interface ResealRow {
  readonly conversationId: bigint;
  readonly msgId: number;
  readonly senderId: number;
  /** Which part of the message, when it is sealed in parts. */
  readonly part: Part | undefined;
  /** The data key it is sealed under. */
  readonly keyId: number;
  /** Length of the sealed body, in bytes. */
  readonly size: number;
}

export interface ResealedBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Places in `rows` of those that could not be opened, in order; their bytes are as they were. */
  readonly unopenable: readonly number[];
}

const nonces = new Nonces();

export function resealBatch({ rows, bytes, keys, target }: ResealBatch): ResealedBatch {
  const unopenable: number[] = [];
  let end = 0;
  for (const [place, row] of rows.entries()) {
    const sealed = bytes.subarray(end, end + row.size);
    end += row.size;
    if (!resealInPlace(sealed, row, keys, target)) unopenable.push(place);
  }
  return { bytes, unopenable };
}

function resealInPlace(
  sealed: Uint8Array,
  row: ResealRow,
  keys: ReadonlyMap<number, Uint8Array>,
  target: number,
): boolean {
  const key = keys.get(row.keyId);
  if (key === undefined || sealed.length < SEAL_OVERHEAD) return false;
  let body: Buffer;
  try {
    body = openBody(key, row.keyId, row, sealed);
  } catch {
    return false; // not what was sealed: the row was damaged, or copied from elsewhere
  }
  let at = 0;
  for (const part of sealBody(keys.get(target)!, target, nonces.next(), row, body)) {
    sealed.set(part, at);
    at += part.length;
  }
  return true;
}

/** What piscina runs in its threads. */
export default function resealElsewhere(batch: ResealBatch) {
  const resealed = resealBatch(batch);
  // Given back, not copied: a list of places and the bytes, as piscina wants to be told.
  return move({ [transferableSymbol]: resealed.bytes.buffer, [valueSymbol]: resealed });
}
