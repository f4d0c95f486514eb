import type pg from 'pg';
import { bucketOf, singleConversation } from '../../../common/conversation.js';
import type { DataKeys, Sealed } from './data-keys.js';
import { UnopenableError } from './data-keys.js';
import { LEFT } from './users.js';

/** A file on its way from one user to another, as it stands in meta. */
export interface Transfer {
  readonly taskId: string;
  readonly fromUserId: number;
  readonly toUserId: number;
  /** 1 online, 2 offline; as on the wire. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly expiresMs: number;
  readonly uploadId: string | undefined;
  readonly stored: boolean;
}

/** A file that waits for its receiver. */
export interface OfferedFile {
  readonly taskId: string;
  readonly fromUserId: number;
  readonly name: string;
  readonly size: number;
}

interface Row {
  readonly task_id: string;
  readonly from_user_id: number;
  readonly to_user_id: number;
  readonly mode: number;
  readonly size: bigint;
  readonly expires_ms: number;
  readonly upload_id: string | null;
  readonly state: string;
}

const COLUMNS = `task_id, from_user_id, to_user_id, mode, size, extract(epoch from expires)::float8 * 1000 as expires_ms,
  upload_id, state`;
/** The content goes with the row: it has no other name from us, and is removed when nobody else has it. */
const CONTENT_GONE = `content as (
               delete from meta.file where kind = 'transfer' and name in (select task_id::text from gone))`;
const TASK_ID_SIZE = 16;
/** Shown in place of a name whose key was destroyed: the file may still open. */
const NAMELESS = 'file';

/** Files from user to user. Who may see or change one is part of every statement. */
export class Transfers {
  readonly #meta: pg.Pool;
  readonly #keys: DataKeys;

  constructor(meta: pg.Pool, keys: DataKeys) {
    this.#meta = meta;
    this.#keys = keys;
  }

  /** @returns 'too-many' when the sender has `openMax` already, 'no-such-user' when somebody is missing or has left */
  async add(
    transfer: Omit<Transfer, 'uploadId' | 'stored'>,
    name: string,
    openMax: number,
  ): Promise<'added' | 'too-many' | 'no-such-user'> {
    const { taskId, fromUserId, toUserId } = transfer;
    const { keyId, sealed } = this.#sealName(transfer, name);
    const { rows } = await this.#meta.query<{ there: bigint; mine: bigint }>({
      name: 'file-transfer-add',
      // Asked twice because a link broke, it is one task all the same.
      text: `with found as (
               select (select count(*) from meta.users where id in ($2, $3) and status <> ${LEFT}) as there,
                      (select count(*) from meta.file_transfer where from_user_id = $2 and task_id <> $1) as mine
             ), added as (
               insert into meta.file_transfer (task_id, from_user_id, to_user_id, mode, size, expires, key_id, sealed_name)
               select $1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), $7, $8 from found where there = 2 and mine < $9
               on conflict (task_id) do nothing
             ) select there, mine from found`,
      values: [taskId, fromUserId, toUserId, transfer.mode, transfer.size, transfer.expiresMs, keyId, sealed, openMax],
    });
    const { there, mine } = rows[0]!;
    if (there < 2n) return 'no-such-user';
    return Number(mine) < openMax ? 'added' : 'too-many';
  }

  /** One that is not past its time, which is moved to `expiresMs` if nothing is stored yet. */
  async get(taskId: string, expiresMs: number): Promise<Transfer | undefined> {
    const { rows } = await this.#meta.query<Row>({
      name: 'file-transfer-get',
      text: `update meta.file_transfer
                set expires = case state when 'open' then greatest(expires, to_timestamp($2::float8 / 1000)) else expires end
              where task_id = $1 and expires > now() returning ${COLUMNS}`,
      values: [taskId, expiresMs],
    });
    return rows[0] && transferOf(rows[0]);
  }

  /** The upload has begun. @returns whether the task is still there */
  async beginUpload(taskId: string, uploadId: string): Promise<boolean> {
    const { rowCount } = await this.#meta.query({
      name: 'file-transfer-upload',
      text: `update meta.file_transfer set upload_id = $2 where task_id = $1 and state = 'open'`,
      values: [taskId, uploadId],
    });
    return rowCount === 1;
  }

  /** All of it is there, and kept until then. @returns whether the task is still there */
  async store(taskId: string, expiresMs: number): Promise<boolean> {
    const { rowCount } = await this.#meta.query({
      name: 'file-transfer-store',
      text: `update meta.file_transfer
                set state = case state when 'open' then 'stored' else state end, upload_id = null,
                    expires = to_timestamp($2::float8 / 1000)
              where task_id = $1`,
      values: [taskId, expiresMs],
    });
    return rowCount === 1;
  }

  /** An unfinished one is over. What is stored waits for its receiver. */
  async end(taskId: string): Promise<void> {
    await this.#meta.query({
      name: 'file-transfer-end',
      text: `delete from meta.file_transfer where task_id = $1 and state = 'open'`,
      values: [taskId],
    });
  }

  /** The sender lets the receiver see it, under this name. @returns its size; undefined when there is nothing to offer */
  async offer(taskId: string, fromUserId: number, toUserId: number, name: string): Promise<number | undefined> {
    const { keyId, sealed } = this.#sealName({ taskId, fromUserId, toUserId }, name);
    const { rows } = await this.#meta.query<{ size: bigint }>({
      name: 'file-transfer-offer',
      text: `update meta.file_transfer set state = 'offered', key_id = $4, sealed_name = $5
              where task_id = $1 and from_user_id = $2 and to_user_id = $3 and state = 'stored' and expires > now()
          returning size`,
      values: [taskId, fromUserId, toUserId, keyId, sealed],
    });
    return rows[0] && Number(rows[0].size);
  }

  /** What waits for a user, oldest first. */
  async offeredTo(userId: number, countMax: number): Promise<OfferedFile[]> {
    const { rows } = await this.#meta.query<Row & { readonly key_id: number; readonly sealed_name: Buffer }>({
      name: 'file-transfer-offered',
      text: `select ${COLUMNS}, key_id, sealed_name from meta.file_transfer
              where to_user_id = $1 and state = 'offered' and expires > now() order by created, task_id limit $2`,
      values: [userId, countMax],
    });
    await this.#keys.know(rows);
    return rows.map((row) => {
      const { taskId, fromUserId, toUserId, size } = transferOf(row);
      const sealed = { keyId: row.key_id, sealed: row.sealed_name };
      return { taskId, fromUserId, size, name: this.#openName({ taskId, fromUserId, toUserId }, sealed) };
    });
  }

  /** Its receiver has it, or does not want it. @returns whether there was such a file for him */
  async drop(taskId: string, fromUserId: number, toUserId: number): Promise<boolean> {
    const { rowCount } = await this.#meta.query({
      name: 'file-transfer-drop',
      text: `with gone as (
               delete from meta.file_transfer
                where task_id = $1 and from_user_id = $2 and to_user_id = $3 and state = 'offered' returning task_id
             ), ${CONTENT_GONE} select from gone`,
      values: [taskId, fromUserId, toUserId],
    });
    return rowCount === 1;
  }

  /** Forgets what is past its time. @returns how many that were, at most `countMax` */
  async expire(countMax: number): Promise<number> {
    const { rowCount } = await this.#meta.query({
      name: 'file-transfer-expire',
      text: `with gone as (
               delete from meta.file_transfer where task_id in (
                 select task_id from meta.file_transfer where expires <= now() order by expires limit $1
                    for update skip locked) returning task_id
             ), ${CONTENT_GONE} select from gone`,
      values: [countMax],
    });
    return rowCount ?? 0;
  }

  /** Behind the id of its task, so that it opens nowhere else. No message has the sender 0. */
  #sealName(of: Parties, name: string): Sealed {
    const { bucket, bound } = placeOf(of);
    return this.#keys.seal(bucket, bound, Buffer.concat([bytesOf(of.taskId), Buffer.from(name)]));
  }

  #openName(of: Parties, { keyId, sealed }: Sealed): string {
    try {
      const body = this.#keys.open(keyId, placeOf(of).bound, sealed);
      const mine = body.subarray(0, TASK_ID_SIZE).equals(bytesOf(of.taskId));
      return mine ? body.toString('utf8', TASK_ID_SIZE) : NAMELESS;
    } catch (error) {
      if (error instanceof UnopenableError) return NAMELESS;
      throw error;
    }
  }
}

type Parties = Pick<Transfer, 'taskId' | 'fromUserId' | 'toUserId'>;

function placeOf({ taskId, fromUserId, toUserId }: Parties) {
  const conversationId = singleConversation(fromUserId, toUserId);
  const msgId = bytesOf(taskId).readUInt32BE(0);
  return { bucket: bucketOf(conversationId), bound: { conversationId, msgId, senderId: 0 } };
}

function bytesOf(taskId: string): Buffer {
  return Buffer.from(taskId.replaceAll('-', ''), 'hex');
}

function transferOf(row: Row): Transfer {
  return {
    taskId: row.task_id,
    fromUserId: row.from_user_id,
    toUserId: row.to_user_id,
    mode: row.mode,
    size: Number(row.size),
    expiresMs: Math.round(row.expires_ms),
    uploadId: row.upload_id ?? undefined,
    stored: row.state !== 'open',
  };
}
