import type pg from 'pg';
import {
  groupConversation,
  groupOf,
  isGroupConversation,
  userBucketOf,
  usersOf,
} from '../../../common/conversation.js';
import { ImError } from '../../../common/errors.js';
import { EXPORT_PAGE_MAX, EXPORTS_LISTED_MAX } from '../../../common/limits.js';
import type { AdminAccount } from './admins.js';
import type { Audit, Change } from './audit.js';
import { inTransaction } from './database.js';
import type { Message, Messages, Place } from './messages.js';
import type { Shards } from './shards.js';

export interface ExportWish {
  readonly userIds: readonly number[];
  readonly groupIds: readonly number[];
  /** Also the groups that these users are in, since they are. */
  readonly withGroups: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reason: string;
  readonly caseNumber: string;
}

export interface ExportFile {
  readonly messages: number;
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

export type ExportState = 'asked' | 'approved' | 'refused' | 'running' | 'cancelled' | 'done';
export type ExportStep = 'approve' | 'refuse' | 'cancel' | 'begin' | 'finish' | 'break-off';

export interface ExportRow {
  readonly id: bigint;
  readonly asked_by: number;
  readonly asked_name: string;
  readonly asked: Date;
  readonly user_ids: number[];
  readonly group_ids: number[];
  readonly with_groups: boolean;
  readonly from_ms: bigint;
  readonly to_ms: bigint;
  readonly reason: string;
  readonly case_number: string;
  readonly state: ExportState;
  readonly decided_name: string | null;
  readonly ended: Date | null;
  readonly messages: bigint;
  readonly bytes: bigint | null;
  readonly sha256: Buffer | null;
}

export interface ExportSettings {
  readonly exportApproval: boolean;
  readonly exportMs: number;
}

/** Somebody of the console, by his session. */
export interface Asker {
  readonly admin: AdminAccount;
  readonly address: string;
}

const SELECT = `select e.*, a.name as asked_name, d.name as decided_name
  from meta.export e join meta.admin a on a.id = e.asked_by left join meta.admin d on d.id = e.decided_by`;
/** Agreed to, it has to be made within this. */
const APPROVED_DAYS = 7;
/** One that nobody has taken a page of for so long has lost its console, and may begin again. */
const SILENT = '1 minute';
/** Conversations without anything in these times that one question passes over. */
const LOOKED_MAX = 200;
const GROUPS_FROM = groupConversation(1);

/** By step: who may take it, from where, and where it leads. */
const STEPS: Readonly<
  Record<
    ExportStep,
    { by: (asker: AdminAccount, row: ExportRow) => boolean; from: readonly ExportState[]; to: ExportState }
  >
> = {
  approve: { by: (it, row) => it.role === 'owner' && it.id !== row.asked_by, from: ['asked'], to: 'approved' },
  refuse: { by: (it) => it.role === 'owner', from: ['asked', 'approved'], to: 'refused' },
  cancel: {
    by: (it, row) => it.role === 'owner' || isAskers(it, row),
    from: ['asked', 'approved', 'running'],
    to: 'cancelled',
  },
  begin: { by: isAskers, from: ['approved', 'running'], to: 'running' },
  finish: { by: isAskers, from: ['running'], to: 'done' },
  'break-off': { by: isAskers, from: ['running'], to: 'approved' },
};

function isAskers({ id, role }: AdminAccount, row: ExportRow): boolean {
  return role === 'compliance' && id === row.asked_by;
}

/**
 * Exports of what people wrote. Who may is decided here, by the account behind the session, whatever the console says:
 * only the role `compliance` asks and reads, and as long as the settings want it, only after an owner has agreed. No page
 * leaves before the beginning is in the audit trail.
 */
export class Exports {
  readonly #meta: pg.Pool;
  readonly #shards: Shards;
  readonly #messages: Messages;
  readonly #audit: Audit;
  readonly #settings: ExportSettings;

  constructor(meta: pg.Pool, shards: Shards, messages: Messages, audit: Audit, settings: ExportSettings) {
    this.#meta = meta;
    this.#shards = shards;
    this.#messages = messages;
    this.#audit = audit;
    this.#settings = settings;
  }

  /** Newest first. @throws ImError NOT_ALLOWED */
  async list({ admin }: Asker): Promise<ExportRow[]> {
    if (!['owner', 'auditor', 'compliance'].includes(admin.role)) throw notAllowed(admin);
    const { rows } = await this.#meta.query<ExportRow>(`${SELECT} order by e.id desc limit ${EXPORTS_LISTED_MAX}`);
    return rows;
  }

  /** @throws ImError NOT_ALLOWED */
  async ask(by: Asker, wish: ExportWish): Promise<void> {
    if (by.admin.role !== 'compliance') throw notAllowed(by.admin);
    const { userIds, groupIds, withGroups, fromMs, toMs, reason, caseNumber } = wish;
    await inTransaction(this.#meta, async (client) => {
      const { rows } = await client.query<{ id: bigint }>(
        `insert into meta.export (asked_by, user_ids, group_ids, with_groups, from_ms, to_ms, reason, case_number, state, decided)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, case when $9 = 'approved' then now() end) returning id`,
        [
          ...[by.admin.id, userIds, groupIds, withGroups, fromMs, toMs, reason, caseNumber],
          this.#settings.exportApproval ? 'asked' : 'approved',
        ],
      );
      await this.#record(client, by, { action: 'export.ask', subject: `export:${rows[0]!.id}`, after: wish });
    });
  }

  /** @throws ImError NOT_ALLOWED, BAD_REQUEST: there is no such export, CONFLICT: not from where it stands */
  async step(by: Asker, id: number, step: ExportStep, file?: ExportFile): Promise<void> {
    const { by: may, from, to } = STEPS[step];
    await inTransaction(this.#meta, async (client) => {
      const { rows } = await client.query<ExportRow & { stale: boolean; late: boolean }>(
        `select e.*, e.touched < now() - interval '${SILENT}' as stale,
                e.decided < now() - interval '${APPROVED_DAYS} days' as late
           from meta.export e where id = $1 for update`,
        [id],
      );
      const row = rows[0];
      if (row === undefined) throw new ImError('BAD_REQUEST', `there is no export ${id}`);
      if (!may(by.admin, row)) throw notAllowed(by.admin);
      const isRunning = step === 'begin' && row.state === 'running' && !row.stale;
      if (!from.includes(row.state) || isRunning) throw new ImError('CONFLICT', `export ${id} is ${row.state}`);
      if (step === 'begin' && row.late) throw new ImError('CONFLICT', `export ${id} was agreed to too long ago`);
      if (step === 'finish' && file?.messages !== Number(row.messages))
        throw new ImError('CONFLICT', `export ${id} has ${row.messages} messages and not ${file?.messages}`);
      const decides = step === 'approve' || step === 'refuse';
      await client.query(
        `update meta.export
            set state = $2, touched = now(),
                decided_by = case when $3 then $4 else decided_by end, decided = case when $3 then now() else decided end,
                begun = case when $5 then now() else begun end, messages = case when $5 then 0 else messages end,
                ended = case when $2 in ('refused', 'cancelled', 'done') then now() end, bytes = $6, sha256 = $7
          where id = $1`,
        [id, to, decides, by.admin.id, step === 'begin', file?.bytes ?? null, bufferOf(file?.sha256)],
      );
      await this.#record(client, by, auditOf(step, row, file));
    });
  }

  /** @returns the next messages, and where to go on. @throws ImError NOT_ALLOWED, CONFLICT: it is not being made, TIMEOUT */
  async page(
    by: Asker,
    id: number,
    after: Place,
    taken: number,
  ): Promise<{ messages: readonly Message[]; next: Place | undefined }> {
    const { rows } = await this.#meta.query<ExportRow & { late: boolean }>(
      `select e.*, e.begun < now() - $2 * interval '1 millisecond' as late from meta.export e where id = $1`,
      [id, this.#settings.exportMs],
    );
    const row = rows[0];
    if (row === undefined || !isAskers(by.admin, row)) throw notAllowed(by.admin);
    if (row.late) throw new ImError('TIMEOUT', `export ${id} takes longer than ${this.#settings.exportMs} ms`);
    const found = await this.#next(row, after);
    const { rowCount } = await this.#meta.query(
      `update meta.export set messages = $2, touched = now() where id = $1 and state = 'running'`,
      [id, taken + found.messages.length],
    );
    if (rowCount === 0) throw new ImError('CONFLICT', `export ${id} is not being made, or was cancelled`);
    return found;
  }

  /** The rest of the conversation, as far as it goes, or of the next one that has something in these times. */
  async #next(row: ExportRow, after: Place): Promise<{ messages: readonly Message[]; next: Place | undefined }> {
    const groups = await this.#groups(row);
    const isAskedFor = (id: bigint) =>
      isGroupConversation(id) ? groups.has(groupOf(id)) : usersOf(id).some((userId) => row.user_ids.includes(userId));
    if (after.msgId > 0 && !isAskedFor(after.conversationId))
      throw new ImError('NOT_ALLOWED', `export ${row.id} is not about conversation ${after.conversationId}`);
    let place = after;
    for (let looked = 0; looked < LOOKED_MAX; looked++) {
      if (place.msgId === 0) {
        const conversationId = await this.#conversationBehind(row, groups, place.conversationId);
        if (conversationId === undefined) return { messages: [], next: undefined };
        const since = isGroupConversation(conversationId) ? (groups.get(groupOf(conversationId)) ?? 0) : 0;
        const before = await this.#messages.lastBefore(conversationId, Number(row.from_ms));
        place = { conversationId, msgId: Math.max(since, before) };
      }
      const found = await this.#messages.onwards(place.conversationId, place.msgId, EXPORT_PAGE_MAX);
      const messages = found.filter((each) => isWithin(each, row));
      const isThrough = found.length < EXPORT_PAGE_MAX || messages.at(-1)?.msgId !== found.at(-1)!.msgId;
      const next = { ...place, msgId: isThrough ? 0 : messages.at(-1)!.msgId };
      if (messages.length > 0) return { messages, next };
      place = next;
    }
    return { messages: [], next: place };
  }

  /** The smallest conversation behind this one that is asked for. Groups are behind all others. */
  async #conversationBehind(
    row: ExportRow,
    groups: ReadonlyMap<number, number>,
    after: bigint,
  ): Promise<bigint | undefined> {
    const parts = [...this.#shards.split(row.user_ids, userBucketOf)].map(async ([{ pool }, userIds]) => {
      const { rows } = await pool.query<{ id: bigint | null }>(
        `select min(c.conversation_id) as id
           from unnest($1::smallint[], $2::int[]) as w (bucket, user_id)
           cross join lateral (
             select conversation_id from shard.user_conversation u
              where shard.readable(array[w.bucket]) and u.bucket = w.bucket and u.user_id = w.user_id
                and u.conversation_id > $3 and u.conversation_id < $4
              order by conversation_id limit 1) c`,
        [userIds.map(userBucketOf), userIds, String(after), String(GROUPS_FROM)],
      );
      return rows.flatMap(({ id }) => (id === null ? [] : [id]));
    });
    const singles = (await this.#shards.settled(() => Promise.all(parts))).flat();
    const ofGroups = [...groups.keys()].map(groupConversation).filter((id) => id > after);
    return [...singles, ...ofGroups].reduce<bigint | undefined>(
      (least, id) => (least === undefined || id < least ? id : least),
      undefined,
    );
  }

  /** Group → the message behind which it is asked for. */
  async #groups({ user_ids: userIds, group_ids: groupIds, with_groups: withGroups }: ExportRow) {
    const { rows } = await this.#meta.query<{ group_id: number; since: number }>(
      `select group_id, min(joined_msg_id) as since from meta.group_member
        where $2 and user_id = any($1::int[]) group by group_id`,
      [userIds, withGroups],
    );
    const groups = new Map(rows.map((row) => [row.group_id, row.since]));
    for (const id of groupIds) groups.set(id, 0);
    return groups;
  }

  #record(client: pg.ClientBase, { admin, address }: Asker, change: Change): Promise<number> {
    return this.#audit.record(client, { kind: 'admin', name: admin.name, address }, [change]);
  }
}

function isWithin({ createTimeMs }: Message, row: ExportRow): boolean {
  return createTimeMs >= Number(row.from_ms) && createTimeMs < Number(row.to_ms);
}

function auditOf(step: ExportStep, row: ExportRow, file: ExportFile | undefined): Change {
  const { user_ids: userIds, group_ids: groupIds, with_groups: withGroups, reason, case_number: caseNumber } = row;
  const range = { userIds, groupIds, withGroups, fromMs: Number(row.from_ms), toMs: Number(row.to_ms) };
  const taken =
    file === undefined
      ? { messages: Number(row.messages) }
      : { messages: file.messages, bytes: file.bytes, sha256: Buffer.from(file.sha256).toString('hex') };
  const after =
    step === 'finish' || step === 'break-off' || row.state === 'running'
      ? { ...range, caseNumber, ...taken }
      : { ...range, caseNumber, reason };
  return { action: `export.${step}`, subject: `export:${row.id}`, after };
}

function bufferOf(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes);
}

function notAllowed({ role }: AdminAccount): ImError {
  return new ImError('NOT_ALLOWED', `not for the role ${role}, or not for this account`);
}
