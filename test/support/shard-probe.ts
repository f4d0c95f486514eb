import pg from 'pg';
import type { Test } from 'tap';
import type { Phase } from '../../servers/db-proxy/storage/move.js';
import type { Teardown } from './postgres.js';
import { until } from './until.js';

/** Looks at shards from outside, with SQL, and gets into the way of those who work on them. */
export class ShardProbe {
  readonly metaUrl: string;
  readonly #urls: Readonly<Record<string, string>>;
  readonly #clients = new Map<string, pg.Client>();

  /** @param urls by the name of the shard */
  constructor(t: Teardown, metaUrl: string, urls: Readonly<Record<string, string>>) {
    this.metaUrl = metaUrl;
    this.#urls = urls;
    t.teardown(() => Promise.all([...this.#clients.values()].map((client) => client.end())));
  }

  urlOf(shard: string): string {
    return this.#urls[shard]!;
  }

  /** On a connection that is kept. */
  async query<Row extends pg.QueryResultRow>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
    let client = this.#clients.get(url);
    if (client === undefined) {
      client = new pg.Client(url);
      client.on('error', () => this.#clients.delete(url)); // its server was stopped
      await client.connect();
      this.#clients.set(url, client);
    }
    return (await client.query<Row>(text, values)).rows;
  }

  /** Begins a transaction that stands in somebody's way. @returns what ends it, with nothing done */
  async hold(t: Teardown, url: string, text: string): Promise<() => Promise<void>> {
    const client = await this.begin(t, url);
    await client.query(text);
    return () => client.end();
  }

  /** A transaction on a connection of its own. */
  async begin(t: Teardown, url: string): Promise<pg.Client> {
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    await client.query('begin');
    t.teardown(() => client.end());
    return client;
  }

  /** What the shard says of a bucket: open, fenced, or nothing. */
  async stateOf(bucket: number, shard: string): Promise<string | undefined> {
    const found = 'select state from shard.bucket where bucket = $1';
    return (await this.query<{ state: string }>(this.urlOf(shard), found, [bucket]))[0]?.state;
  }

  async phaseOf(bucket: number): Promise<Phase | undefined> {
    const found = 'select phase from meta.bucket_move where bucket = $1';
    return (await this.query<{ phase: Phase }>(this.metaUrl, found, [bucket]))[0]?.phase;
  }

  async shardOf(bucket: number): Promise<string> {
    const found = 'select shard from meta.bucket where bucket = $1';
    return (await this.query<{ shard: string }>(this.metaUrl, found, [bucket]))[0]!.shard;
  }

  /** Messages of a bucket. */
  async rowsOf(bucket: number, shard: string): Promise<number> {
    const found = 'select count(*)::int as rows from shard.message where bucket = $1';
    return (await this.query<{ rows: number }>(this.urlOf(shard), found, [bucket]))[0]!.rows;
  }

  /** A mover waits for a lock on the server of this database. */
  async isStuck(url: string): Promise<boolean> {
    return (await this.query(url, `select ${MOVERS} and wait_event_type = 'Lock'`)).length > 0;
  }

  /** A mover has come to where it can be seen that it waits. */
  async untilStuck(bucket: number, phase: Phase, url: string): Promise<void> {
    const isThere = async () => (await this.phaseOf(bucket)) === phase && (await this.isStuck(url));
    await until(isThere, `the mover to wait in ${phase}`, 20_000);
  }

  /** What servers do for movers that have died they give up. */
  async untilForgotten(): Promise<void> {
    for (const url of new Set([this.metaUrl, ...Object.values(this.#urls)])) {
      const isForgotten = async () => (await this.query(url, `select ${MOVERS}`)).length === 0;
      await until(isForgotten, 'the servers to notice that the mover has died');
    }
  }

  /** The bucket is on this shard alone, open, and nothing of a move is left anywhere. */
  async assertSettled(t: Pick<Test, 'equal'>, bucket: number, shard: string): Promise<void> {
    t.equal(await this.shardOf(bucket), shard, `the map says ${shard}`);
    t.equal(await this.phaseOf(bucket), undefined, 'no move is under way');
    for (const name of Object.keys(this.#urls)) {
      t.equal(await this.stateOf(bucket, name), name === shard ? 'open' : undefined, `${name} knows its part`);
      if (name !== shard) t.equal(await this.rowsOf(bucket, name), 0, `${name} has no rows of it`);
    }
  }
}

const MOVERS = `from pg_stat_activity where application_name like 'teamtalk move%'`;

/** For `hold`: what keeps a mover from fencing, as a write that takes long would. */
export function writing(bucket: number): string {
  return `select shard.writable('{${bucket}}')`;
}

/** For `hold`, on meta: what keeps a mover from switching. */
export const switching = 'select from meta.bucket_map for update';
