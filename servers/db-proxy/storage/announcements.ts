import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { ImError } from '../../../common/errors.js';
import { ANNOUNCE_FAILURES_SHOWN_MAX, ANNOUNCEMENTS_OPEN_MAX } from '../../../common/limits.js';
import type { Actor, Audit } from './audit.js';
import type { ConsoleKey } from './console-key.js';
import { inTransaction } from './database.js';

/** Whom it is for, by the numbers of pb/console.proto. */
export const AUDIENCES = ['', 'everybody', 'department', 'members', 'group'] as const;
export type Audience = Exclude<(typeof AUDIENCES)[number], ''>;

export interface AnnouncementWish {
  readonly fromUserId: number;
  readonly audience: Audience;
  /** The department or the group. */
  readonly audienceId: number | undefined;
  readonly msgType: number;
  readonly msgData: Uint8Array;
  /** 16 bytes. */
  readonly requestId: Uint8Array | undefined;
}

export interface Announcement extends Omit<AnnouncementWish, 'requestId'> {
  readonly id: number;
  readonly byKind: string;
  readonly byName: string;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
  readonly stoppedBy: string | undefined;
  readonly receivers: number;
  readonly sent: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly userId: number;
  readonly code: string;
}

/** A part of an announcement, for somebody who sends it. */
export interface AnnounceWork {
  readonly id: number;
  readonly claim: string;
  readonly seed: Buffer;
  readonly fromUserId: number;
  readonly msgType: number;
  readonly msgData: Buffer;
  readonly receivers: readonly number[];
}

export interface AnnounceDone {
  readonly id: number;
  readonly claim: string;
  /** The last receiver that was dealt with. */
  readonly upTo: number;
  readonly sent: number;
  readonly failures: readonly Failure[];
}

interface Row {
  readonly id: bigint;
  readonly seed: Buffer;
  readonly from_user_id: number;
  readonly audience: number;
  readonly audience_id: number | null;
  readonly msg_type: number;
  readonly sealed: Buffer;
  readonly by_kind: string;
  readonly by_name: string;
  readonly created: Date;
  readonly ended: Date | null;
  readonly stopped_by: string | null;
  readonly receivers: number;
  readonly cursor: number;
  readonly sent: number;
  readonly failed: number;
  readonly claim: string;
}

/** People that are handed out at once. */
const PART = 100;

/** Messages from one account to many: what is to be sent, and how far it has come. */
export class Announcements {
  readonly #meta: pg.Pool;
  readonly #key: ConsoleKey;
  readonly #audit: Audit;

  constructor(meta: pg.Pool, key: ConsoleKey, audit: Audit) {
    this.#meta = meta;
    this.#key = key;
    this.#audit = audit;
  }

  /** Kept; sent by whoever asks for work. @throws ImError BUSY */
  async begin(actor: Actor, wish: AnnouncementWish): Promise<Announcement> {
    const { fromUserId, audience, audienceId, msgType, msgData } = wish;
    const seed = randomBytes(16);
    const request = wish.requestId === undefined ? null : Buffer.from(wish.requestId);
    const row = await inTransaction(this.#meta, async (client) => {
      await client.query("select pg_advisory_xact_lock(hashtext('announcement'))"); // one after the other
      await client.query(
        "update meta.announcement set request_id = null where request_id = $1 and created < now() - interval '1 day'",
        [request],
      );
      const { rows: known } = await client.query<Row>('select * from meta.announcement where request_id = $1', [
        request,
      ]);
      if (known[0] !== undefined) return known[0];
      await client.query("delete from meta.announcement where ended < now() - interval '1 year'");
      const { rows: open } = await client.query<{ n: number }>(
        'select count(*)::int as n from meta.announcement where ended is null',
      );
      if (open[0]!.n >= ANNOUNCEMENTS_OPEN_MAX) throw new ImError('BUSY', `${open[0]!.n} announcements are being sent`);
      const { rows } = await client.query<Row>(
        `insert into meta.announcement
           (seed, from_user_id, audience, audience_id, msg_type, sealed, by_kind, by_name, request_id, receivers)
         values ($4, $1, $5, $2, $6, $7, $8, $9, $10, (select count(*) from (${RECEIVERS[audience]}) as r)) returning *`,
        [
          ...[fromUserId, audienceId ?? null, 0, seed, AUDIENCES.indexOf(audience), msgType],
          ...[this.#key.seal(ownerOf(seed), msgData), actor.kind, actor.name, request],
        ],
      );
      const { id, receivers } = rows[0]!;
      const after = { announcement: Number(id), from: fromUserId, to: audience, id: audienceId, receivers };
      const subject = `user:${fromUserId}`;
      await this.#audit.record(client, actor, [{ action: 'announcement.send', subject, after }]);
      return rows[0]!;
    });
    return this.#shown(row, []);
  }

  /** Newest first; with an id that one, if there is one. */
  async list(limit: number, id?: number): Promise<Announcement[]> {
    const { rows } = await this.#meta.query<Row>(
      'select * from meta.announcement where $1::bigint is null or id = $1 order by id desc limit $2',
      [id ?? null, limit],
    );
    const { rows: failures } = await this.#meta.query<{ announcement_id: bigint; user_id: number; code: string }>(
      'select * from meta.announcement_failure where announcement_id = any($1::bigint[]) order by user_id',
      [rows.map((row) => String(row.id))],
    );
    return rows.map((row) =>
      this.#shown(
        row,
        failures.filter((each) => each.announcement_id === row.id),
      ),
    );
  }

  /** What is on its way at this moment still arrives. @returns false when it had ended before, or there is none */
  stop(actor: Actor, id: number): Promise<boolean> {
    return inTransaction(this.#meta, async (client) => {
      const { rows } = await client.query<Row>(
        'update meta.announcement set ended = now(), stopped_by = $2 where id = $1 and ended is null returning *',
        [id, actor.name],
      );
      if (rows[0] === undefined) return false;
      const { from_user_id: from, sent } = rows[0];
      const after = { announcement: id, sent };
      await this.#audit.record(client, actor, [{ action: 'announcement.stop', subject: `user:${from}`, after }]);
      return true;
    });
  }

  /** Nothing happens when the claim has run out and somebody else has gone on: he has counted the same people. */
  async done({ id, claim, upTo, sent, failures }: AnnounceDone): Promise<void> {
    await this.#meta.query(
      `with mine as (
         update meta.announcement
            set cursor = $3, sent = sent + $4, failed = failed + cardinality($5::int[]), touched = now(), claim = null,
                claimed_until = '-infinity'
          where id = $1 and claim = $2 and cursor < $3 returning id)
       insert into meta.announcement_failure
       select mine.id, f.user_id, f.code from mine, unnest($5::int[], $6::text[]) as f (user_id, code)
        limit greatest(0, ${ANNOUNCE_FAILURES_SHOWN_MAX} - (select count(*) from meta.announcement_failure where announcement_id = $1))
       on conflict do nothing`,
      [id, claim, upTo, sent, failures.map((each) => each.userId), failures.map((each) => each.code)],
    );
  }

  /** The next people of the announcement that has waited longest. Undefined: there is none that is nobody's. */
  async claim(leaseMs: number): Promise<AnnounceWork | undefined> {
    for (;;) {
      const { rows } = await this.#meta.query<Row>({
        name: 'announcement-claim',
        text: `update meta.announcement a
                  set claim = gen_random_uuid(), claimed_until = now() + $1 * interval '1 millisecond', touched = now()
                 from (select id from meta.announcement where ended is null and claimed_until < now()
                        order by touched limit 1 for update skip locked) free
                where a.id = free.id returning a.*`,
        values: [leaseMs],
      });
      const row = rows[0];
      if (row === undefined) return undefined;
      const receivers = await this.#receivers(row);
      if (receivers.length > 0) return this.#workOf(row, receivers);
      await this.#meta.query(
        `update meta.announcement set ended = now(), claim = null where id = $1 and claim = $2 and ended is null`,
        [String(row.id), row.claim],
      );
    }
  }

  async #receivers(row: Row): Promise<number[]> {
    const { rows } = await this.#meta.query<{ id: number }>(
      `${RECEIVERS[AUDIENCES[row.audience] as Audience]} order by id limit ${PART}`,
      [row.from_user_id, row.audience_id, row.cursor],
    );
    return rows.map(({ id }) => id);
  }

  #workOf(row: Row, receivers: readonly number[]): AnnounceWork {
    return {
      id: Number(row.id),
      claim: row.claim,
      seed: row.seed,
      fromUserId: row.from_user_id,
      msgType: row.msg_type,
      msgData: this.#key.open(ownerOf(row.seed), row.sealed),
      receivers,
    };
  }

  #shown(row: Row, failures: readonly { user_id: number; code: string }[]): Announcement {
    return {
      id: Number(row.id),
      fromUserId: row.from_user_id,
      audience: AUDIENCES[row.audience] as Audience,
      audienceId: row.audience_id ?? undefined,
      msgType: row.msg_type,
      msgData: this.#key.open(ownerOf(row.seed), row.sealed),
      byKind: row.by_kind,
      byName: row.by_name,
      createdMs: row.created.getTime(),
      endedMs: row.ended?.getTime(),
      stoppedBy: row.stopped_by ?? undefined,
      receivers: row.receivers,
      sent: row.sent,
      failed: row.failed,
      failures: failures.map((each) => ({ userId: each.user_id, code: each.code })),
    };
  }
}

function ownerOf(seed: Buffer): string {
  return `announcement ${seed.toString('hex')}`;
}

/** SQL: receivers behind $3 of one from $1 to the audience $2. People who have left get nothing. */
const PEOPLE = 'select u.id from meta.users u where u.status <> 3 and u.id <> $1::int and u.id > $3::int';
const RECEIVERS: Readonly<Record<Audience, string>> = {
  everybody: `${PEOPLE} and $2::int is null`,
  department: `${PEOPLE} and u.department_id in (
    with recursive below as (
      select $2::int as id
      union select d.id from meta.department d join below b on d.parent_id = b.id where d.status = 0)
    select id from below)`,
  members: `${PEOPLE} and exists (
    select from meta.group_member m join meta.groups g on g.id = m.group_id and g.status = 0
     where m.group_id = $2::int and m.user_id = u.id)`,
  group:
    'select g.id from meta.groups g where g.id = $2::int and g.status = 0 and g.id > $3::int and $1::int is not null',
};
