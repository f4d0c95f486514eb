import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from '../../../common/log.js';
import { inTransaction } from './database.js';

/** Who makes a change. */
export interface Actor {
  /** admin, api-key, tool, … */
  readonly kind: string;
  readonly name: string;
  readonly address: string;
}

export interface Change {
  /** What was done: user.create, group.members, … */
  readonly action: string;
  /** To what: user:17, setting:push.text. */
  readonly subject: string;
  /** Only what is different. */
  readonly before?: object | undefined;
  readonly after?: object | undefined;
  /** Asked again with the same one, the change is not made again. */
  readonly request?: Uint8Array | undefined;
}

export interface AuditRow {
  readonly id: number;
  readonly atMs: number;
  readonly actor: Actor;
  readonly action: string;
  readonly subject: string;
  /** JSON. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Row {
  readonly id: bigint;
  readonly at: Date;
  readonly actor_kind: string;
  readonly actor_name: string;
  readonly address: string;
  readonly action: string;
  readonly subject: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly hash: Buffer;
}

const COLUMNS = 'id, at, actor_kind, actor_name, address, action, subject, before::text, after::text, hash';
const VERIFIED_AT_ONCE = 10_000;

/**
 * The audit trail: one row a change, written in the change's own transaction and chained by hashes. Whoever can write
 * to the table could compute all hashes anew from some row on; so each hash is logged as well, and the log of another
 * machine tells.
 */
export class Audit {
  readonly #meta: pg.Pool;
  readonly #log: Logger;

  constructor(meta: pg.Pool, log: Logger) {
    this.#meta = meta;
    this.#log = log;
  }

  /** The subject of the change that was made for this request; undefined when it is new. */
  async madeFor(client: pg.ClientBase, request: Uint8Array | undefined): Promise<string | undefined> {
    if (request === undefined) return undefined;
    const { rows } = await client.query<{ subject: string }>('select subject from meta.audit where request = $1', [
      request,
    ]);
    return rows[0]?.subject;
  }

  /**
   * Writes rows within the transaction of the changes they are about. Others wait with theirs until it ends, so this
   * comes last in it.
   * @returns the id of the last row
   */
  async record(client: pg.ClientBase, actor: Actor, changes: readonly Change[]): Promise<number> {
    const { rows } = await client.query<{ last_id: bigint; hash: Buffer; now: Date }>(
      `select last_id, hash, date_trunc('milliseconds', clock_timestamp()) as now from meta.audit_head for update`,
    );
    const head = rows[0]!;
    let { last_id: id, hash } = head;
    const made = changes.map((change) => {
      const row = {
        id: ++id,
        at: head.now,
        actor_kind: actor.kind,
        actor_name: actor.name,
        address: actor.address,
        action: change.action,
        subject: change.subject,
        before: change.before === undefined ? null : JSON.stringify(change.before),
        after: change.after === undefined ? null : JSON.stringify(change.after),
      };
      hash = hashOf(hash, row);
      return { ...row, request: change.request, hash };
    });
    if (made.length === 0) return Number(id);
    const column = <K extends keyof (typeof made)[number]>(name: K) => made.map((row) => row[name]);
    await client.query(
      `insert into meta.audit (id, at, actor_kind, actor_name, address, action, subject, before, after, request, hash)
       select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[], $9::json[], $10::bytea[], $11::bytea[])`,
      [
        column('id').map(String),
        column('at'),
        column('actor_kind'),
        column('actor_name'),
        column('address'),
        column('action'),
        column('subject'),
        column('before'),
        column('after'),
        made.map((row) => (row.request === undefined ? null : Buffer.from(row.request))),
        column('hash'),
      ],
    );
    await client.query('update meta.audit_head set last_id = $1, hash = $2', [String(id), hash]);
    this.#log.info({ audit: String(id), hash: hash.toString('hex'), changes: made.length, actor }, 'audit');
    return Number(id);
  }

  /** A row of its own, about something that is not in these tables. */
  note(actor: Actor, change: Change): Promise<number> {
    return inTransaction(this.#meta, (client) => this.record(client, actor, [change]));
  }

  /** Newest first. A kind of subject or action is asked for by what its names begin with, up to the colon or point. */
  async list(asked: {
    beforeId?: number | undefined;
    limit: number;
    subject?: string | undefined;
    actorName?: string | undefined;
    action?: string | undefined;
  }): Promise<AuditRow[]> {
    const { rows } = await this.#meta.query<Row>(
      `select ${COLUMNS} from meta.audit
        where ($1::bigint is null or id < $1)
          and ($2::text is null or subject = $2 or (right($2, 1) = ':' and starts_with(subject, $2)))
          and ($3::text is null or actor_name = $3)
          and ($4::text is null or action = $4 or (right($4, 1) = '.' and starts_with(action, $4)))
        order by id desc limit $5`,
      [asked.beforeId ?? null, asked.subject ?? null, asked.actorName ?? null, asked.action ?? null, asked.limit],
    );
    return rows.map((row) => ({
      id: Number(row.id),
      atMs: row.at.getTime(),
      actor: { kind: row.actor_kind, name: row.actor_name, address: row.address },
      action: row.action,
      subject: row.subject,
      before: row.before ?? undefined,
      after: row.after ?? undefined,
    }));
  }

  /** Checks rows behind `afterId`, so many at a time that no statement takes long. */
  async verify(afterId: number): Promise<{ checkedId: number; done: boolean; brokenId?: number }> {
    const { rows: heads } = await this.#meta.query<{ last_id: bigint; hash: Buffer }>(
      'select last_id, hash from meta.audit_head',
    );
    const head = heads[0]!;
    const { rows } = await this.#meta.query<Row>(
      `select ${COLUMNS} from meta.audit where id >= $1 and id <= $2 order by id limit $3`,
      [afterId, String(head.last_id), VERIFIED_AT_ONCE + 1],
    );
    let id = BigInt(afterId);
    let hash: Buffer = Buffer.alloc(0);
    if (afterId > 0) {
      const before = rows.shift();
      if (before?.id !== id) return { checkedId: afterId, done: true, brokenId: afterId };
      hash = before.hash;
    }
    for (const row of rows.slice(0, VERIFIED_AT_ONCE)) {
      const fits = row.id === id + 1n && hashOf(hash, row).equals(row.hash);
      if (!fits) return { checkedId: Number(id), done: true, brokenId: Number(id) + 1 };
      ({ id, hash } = row);
    }
    if (id < head.last_id) {
      const missing = rows.length < VERIFIED_AT_ONCE;
      return missing
        ? { checkedId: Number(id), done: true, brokenId: Number(id) + 1 }
        : { checkedId: Number(id), done: false };
    }
    if (!hash.equals(head.hash)) return { checkedId: Number(id) - 1, done: true, brokenId: Number(id) };
    return { checkedId: Number(id), done: true };
  }
}

function hashOf(previous: Uint8Array, row: Omit<Row, 'hash'>): Buffer {
  const { id, at, actor_kind, actor_name, address, action, subject, before, after } = row;
  const fields = [String(id), at.getTime(), actor_kind, actor_name, address, action, subject, before, after];
  return createHash('sha256').update(previous).update(JSON.stringify(fields)).digest();
}

/** The fields that differ, as they were and as they are. Undefined: none. */
export function difference<T extends object>(
  before: T,
  after: T,
): { before: Partial<T>; after: Partial<T> } | undefined {
  const changed = (Object.keys(after) as (keyof T)[]).filter((key) => before[key] !== after[key]);
  if (changed.length === 0) return undefined;
  const only = (of: T) => Object.fromEntries(changed.map((key) => [key, of[key]])) as Partial<T>;
  return { before: only(before), after: only(after) };
}
