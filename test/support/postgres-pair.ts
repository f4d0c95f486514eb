/**
 * A primary and its synchronous replica, and what a failover manager does with them: it promotes only a replica that has
 * everything, makes a new one of a fresh copy, and lets the primary go on alone when there is none.
 */
import { execFile } from 'node:child_process';
import { appendFile, chown, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { PostgresSettings } from '../../tools/postgres.js';
import { emptyDatabase, freePort, type Teardown, type TestPostgres, testPostgres } from './postgres.js';
import { until } from './until.js';

const SETTINGS = { wal_keep_size: '4GB', wal_retrieve_retry_interval: '100ms', max_wal_senders: 10 };
const STREAMS_MS_MAX = 60_000;
/** What a copy of a running server leaves out: it gets its own, or by streaming. */
const LEFT_OUT = ['pg_wal/*', 'pg_replslot/*', 'postmaster.pid', 'postmaster.opts'];

export class PostgresPair {
  readonly #t: Teardown;
  #primary: TestPostgres;
  #replica: TestPostgres;
  readonly #settings: PostgresSettings;

  private constructor(t: Teardown, primary: TestPostgres, replica: TestPostgres, settings: PostgresSettings) {
    this.#t = t;
    this.#primary = primary;
    this.#replica = replica;
    this.#settings = settings;
  }

  /** Nothing is committed before the replica has it. */
  static async start(t: Teardown, settings: PostgresSettings = {}): Promise<PostgresPair> {
    const all = { ...SETTINGS, ...settings };
    const primary = await testPostgres(t, { settings: all, fill: letIn });
    const copied = async (dir: string) => {
      await letIn(dir); // the same data as the primary's: it was copied before that wrote anything
      await makeStandby(join(dir, 'data'));
    };
    const port = await freePort();
    const replica = await testPostgres(t, { port, settings: await following(primary, all), fill: copied });
    const pair = new PostgresPair(t, primary, replica, all);
    await pair.#waitFor('*');
    return pair;
  }

  /** With both hosts; stays the same whoever is the primary. */
  get url(): string {
    const [low, high] = [this.#primary, this.#replica].sort((a, b) => a.port - b.port);
    return low!.url.replace(`:${low!.port}/`, `:${low!.port},127.0.0.1:${high!.port}/`);
  }
  get primary(): TestPostgres {
    return this.#primary;
  }
  get replica(): TestPostgres {
    return this.#replica;
  }

  /** The replica takes the place of a primary that is no more. */
  async promote(): Promise<void> {
    [this.#primary, this.#replica] = [this.#replica, this.#primary];
    await this.#asSuperuser('select pg_promote()');
    await this.#waitFor(''); // nobody follows the new one yet
  }

  /** Makes a replica where the last one, or the old primary, was; it must not run. Nothing of that is kept. */
  async copyAnew(): Promise<void> {
    const { port, dir } = this.#replica;
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    const settings = await following(this.#primary, this.#settings);
    this.#replica = await testPostgres(this.#t, { port, settings, fill: (to) => this.#copyTo(to) });
    await this.#waitFor('*');
  }

  /** The replica ends, and the primary is told to do without it. */
  async loseReplica(): Promise<void> {
    await this.#replica.kill();
    await this.#waitFor('');
  }

  /** After loseReplica. */
  async regainReplica(): Promise<void> {
    await this.#replica.start();
    await this.#waitFor('*');
  }

  /** pg_basebackup by hand, as it is not among the binaries. */
  async #copyTo(dir: string): Promise<void> {
    const client = await this.#superuser();
    try {
      await client.query("select pg_backup_start('replica', fast => true)");
      await mkdir(join(dir, 'data'), { mode: 0o700 });
      await cp(join(this.#primary.dir, 'password'), join(dir, 'password'));
      const without = LEFT_OUT.map((path) => `--exclude=./${path}`).join(' ');
      const [from, to] = [join(this.#primary.dir, 'data'), join(dir, 'data')];
      // Files change and go while they are copied, which tar says by 1 and PostgreSQL mends from its log.
      const script = `{ tar -C '${from}' ${without} -cf - . || [ $? = 1 ]; } | tar -C '${to}' -xpf -`;
      await promisify(execFile)('bash', ['-o', 'pipefail', '-c', script]);
      const { rows } = await client.query<{ labelfile: string }>(
        'select * from pg_backup_stop(wait_for_archive => false)',
      );
      await writeFile(join(dir, 'data', 'backup_label'), rows[0]!.labelfile);
      await makeStandby(join(dir, 'data'));
      await giveLike(join(dir, 'data'), 'backup_label');
    } finally {
      await client.end();
    }
  }

  /** Says whom commits wait for, and comes back when somebody is there. */
  async #waitFor(names: '*' | ''): Promise<void> {
    if (names !== '') await this.#streams('streaming');
    await this.#asSuperuser(`alter system set synchronous_standby_names = '${names}'`);
    await this.#asSuperuser('select pg_reload_conf()');
    if (names !== '') await this.#streams('streaming', 'sync');
  }

  async #streams(...wanted: readonly string[]): Promise<void> {
    const text = 'select state, sync_state from pg_stat_replication';
    const isThere = async () => {
      const rows = (await this.#asSuperuser(text)) as { state: string; sync_state: string }[];
      return rows.some((row) => wanted.every((each) => each === row.state || each === row.sync_state));
    };
    await until(isThere, `the replica to be ${wanted.join(' and ')}`, STREAMS_MS_MAX);
  }

  async #asSuperuser(text: string): Promise<unknown[]> {
    const client = await this.#superuser();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  async #superuser(): Promise<pg.Client> {
    const client = new pg.Client(`postgres://postgres@127.0.0.1:${this.#primary.port}/postgres`);
    await client.connect();
    return client;
  }
}

/** The role of the cluster's may not do what a failover manager does. */
async function letIn(dir: string): Promise<void> {
  await emptyDatabase(dir);
  const rules = ['host all postgres 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 scram-sha-256'];
  const path = join(dir, 'data', 'pg_hba.conf');
  await writeFile(path, `${rules.join('\n')}\n${await readFile(path, 'utf8')}`);
}

async function makeStandby(data: string): Promise<void> {
  await appendFile(join(data, 'standby.signal'), '');
  await giveLike(data, 'standby.signal');
}

/** PostgreSQL may run as another user than the test. */
async function giveLike(data: string, name: string): Promise<void> {
  const { uid, gid } = await stat(data);
  await chown(join(data, name), uid, gid);
}

async function following(primary: TestPostgres, settings: PostgresSettings) {
  const { hostname, port, username, password } = new URL(primary.url);
  const words = { host: hostname, port, user: username, password, application_name: 'replica' };
  const primary_conninfo = Object.entries(words).map(([name, value]) => `${name}=${value}`);
  return { ...settings, primary_conninfo: primary_conninfo.join(' ') };
}
