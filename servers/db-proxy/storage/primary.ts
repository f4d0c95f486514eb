import pg from 'pg';
import { placeOf } from './database-url.js';

/** What one server may take to say what it is, in ms. */
const PROBE_MS_MAX = 2_000;
/** How often all of them are looked at as long as there are connections, in ms. */
const WATCH_MS = 2_000;

const RETRY_MS = 100;

/** Of a server that takes writes the timeline that it writes now: each promotion of a replica begins a higher one. */
const WHO = `
  select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as standby,
         (select system_identifier::text from pg_control_system()) as system,
         case when not pg_is_in_recovery()
              then ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint::float8
              else 0 end as timeline`;

interface Found {
  /** Its URL. */
  readonly server: string;
  readonly standby: boolean;
  /** The same in all copies of a database, and in no other. */
  readonly system: string;
  readonly timeline: number;
}

/**
 * Several servers that are copies of each other by streaming replication, and which of them is the primary. Promoting a
 * replica is the work of others (Patroni, pg_auto_failover, an operator); here it is noticed.
 *
 * The primary is the one on the highest timeline that takes writes. Once a timeline was seen, nothing goes to a server on a
 * lower one: neither to an old primary that comes back, nor, within WATCH_MS, to one that was never stopped.
 */
export class Primary {
  static readonly #all = new Map<string, Primary>();
  readonly #servers: readonly string[];
  readonly #config: pg.ClientConfig;
  readonly #clients = new Set<PrimaryClient>();
  #current: Found | undefined;
  #system: string | undefined;
  #timeline = 0;
  #finding: Promise<Found> | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(servers: readonly string[], config: pg.ClientConfig) {
    this.#servers = servers;
    this.#config = config;
  }

  /** The same for all who ask for these servers. @param config how to connect, but for where */
  static of(servers: readonly string[], config: pg.ClientConfig): Primary {
    const key = servers.join(' ');
    let primary = Primary.#all.get(key);
    if (primary === undefined) {
      primary = new Primary(servers, config);
      Primary.#all.set(key, primary);
    }
    return primary;
  }

  /** Where it was when that was last known. */
  get place(): string | undefined {
    return this.#current && placeOf(this.#current.server);
  }

  /** @throws Error when none of them takes writes */
  async find(): Promise<string> {
    return (this.#current ?? (await this.#look())).server;
  }

  /** Takes in a connection. @throws Error when its server is no primary, or no longer */
  async admit(client: PrimaryClient, server: string): Promise<void> {
    try {
      const found = await ask(client, server);
      this.#assertNewest(found);
    } catch (error) {
      this.lost(server);
      throw error;
    }
    this.#clients.add(client);
    client.once('end', () => this.#clients.delete(client));
    this.#timer ??= setInterval(() => void this.#watch(), WATCH_MS).unref();
  }

  /** Could not be connected to. */
  lost(server: string): void {
    if (this.#current?.server === server) this.#current = undefined;
  }

  #look(): Promise<Found> {
    if (this.#finding !== undefined) return this.#finding;
    const over = () => {
      this.#finding = undefined;
    };
    this.#finding = this.#probeAll();
    // While there is none, those who ask all the time are told so for a moment.
    this.#finding.then(over, () => setTimeout(over, RETRY_MS).unref());
    return this.#finding;
  }

  async #probeAll(): Promise<Found> {
    const answers = await Promise.allSettled(this.#servers.map((server) => this.#probe(server)));
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const [first] = found;
    const foreign = found.find(({ system }) => system !== (this.#system ?? first!.system));
    if (foreign !== undefined)
      throw new Error(
        `${placeOf(foreign.server)} is no copy of the same database as the others: another system identifier`,
      );
    // Of two on one timeline, which no failover should leave behind, the one in use.
    const rank = (each: Found) => each.timeline + (each.server === this.#current?.server ? 0.5 : 0);
    const best = found.filter(({ standby }) => !standby).sort((a, b) => rank(b) - rank(a))[0];
    if (best === undefined) throw new Error(`no primary: ${this.#servers.map((_, i) => reasonOf(i)).join('; ')}`);
    this.#assertNewest(best);
    this.#system = best.system;
    this.#timeline = best.timeline;
    this.#current = best;
    for (const client of this.#clients) if (client.server !== best.server) client.cut();
    return best;

    function reasonOf(i: number): string {
      const answer = answers[i]!;
      return answer.status === 'rejected'
        ? (answer.reason as Error).message
        : `${placeOf(answer.value.server)} takes no writes`;
    }
  }

  async #probe(server: string): Promise<Found> {
    const limits = { connectionTimeoutMillis: PROBE_MS_MAX, query_timeout: PROBE_MS_MAX };
    const client = new pg.Client({ ...this.#config, ...limits, connectionString: server });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await ask(client, server);
    } catch (error) {
      throw new Error(`${placeOf(server)}: ${(error as Error).message || (error as { code?: string }).code}`);
    } finally {
      client.end().catch(() => undefined);
    }
  }

  async #watch(): Promise<void> {
    if (this.#clients.size > 0) return void (await this.#look().catch(() => undefined)); // who connects is told why
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #assertNewest({ server, standby, system, timeline }: Found): void {
    const place = placeOf(server);
    if (standby) throw new Error(`${place} takes no writes`);
    if (this.#system !== undefined && system !== this.#system)
      throw new Error(`${place} is another database by now: another system identifier`);
    if (timeline < this.#timeline)
      throw new Error(`${place} is an old primary: its timeline ${timeline} was left for ${this.#timeline}`);
  }
}

/** A connection to whichever server is the primary. */
export class PrimaryClient extends pg.Client {
  readonly #primary: Primary;
  /** Its URL; empty before it is connected. */
  server = '';

  constructor(primary: Primary, config: pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined); // between being connected and being admitted, nobody else listens
    this.#primary = primary;
  }

  override connect(): Promise<this>;
  override connect(done: (error: Error) => void): void;
  override connect(done?: (error: Error) => void): Promise<this> | undefined {
    const connected = this.#connect();
    if (done === undefined) return connected;
    connected.then(() => done(null as unknown as Error), done);
    return undefined;
  }

  /** Without a word to the server, which may be one that nothing must be said to any more. */
  cut(): void {
    this.#socket.destroy();
  }

  async #connect(): Promise<this> {
    this.server = await this.#primary.find();
    const { hostname, port } = new URL(this.server);
    Object.assign(this, { host: decodeURIComponent(hostname).replace(/^\[|\]$/g, ''), port: Number(port || 5432) });
    try {
      await super.connect();
    } catch (error) {
      this.#primary.lost(this.server);
      throw error;
    }
    try {
      await this.#primary.admit(this, this.server);
    } catch (error) {
      this.end().catch(() => undefined);
      throw error;
    }
    return this;
  }

  get #socket(): { destroy(): void } {
    return (this as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
  }
}

async function ask(client: pg.Client, server: string): Promise<Found> {
  const { rows } = await client.query<Omit<Found, 'server'>>(WHO);
  return { ...rows[0]!, server };
}
