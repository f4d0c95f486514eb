import { setFlagsFromString } from 'node:v8';
import type { Hops } from '../hops.js';
import type { Logger } from '../log.js';
import { openLog } from '../log.js';
import { Metrics } from '../metrics.js';
import { openOps } from '../ops.js';
import {
  type commonSettings,
  type Definitions,
  printable,
  readSettings,
  SettingsError,
  type SettingsOf,
  sourcesOfProcess,
  unknownSettings,
} from '../settings.js';
import { openHops } from '../telemetry/open.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** Exit codes, after sysexits.h: what a supervisor may want to tell apart. */
export const EXIT = { ok: 0, failed: 1, unavailable: 69, settings: 78 } as const;

/** What a server is given to start with. */
export interface Surroundings {
  readonly name: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly hops: Hops;
  /** Undefined: no collector is set. */
  readonly telemetry?: Telemetry | undefined;
}

/** What a started server gives back. */
export interface Running {
  /** Ports it listens on, by what they are for. */
  readonly ports: Readonly<Record<string, number>>;
  /** Takes up what was changed under it while it runs: SIGHUP. */
  reload?(): Promise<void>;
  /** Undefined when it can do its work, else what is missing. */
  notReady(): string | undefined;
  /** Takes nothing new, finishes what is open within the time, and closes. */
  close(drainMs: number): Promise<void>;
}

export type Start<D extends Definitions> = (settings: SettingsOf<D>, surroundings: Surroundings) => Promise<Running>;

/**
 * V8 makes objects of a kind that once lived long, as in one second of overload, old at once from then on. Here nearly all
 * are garbage after a millisecond, and what is old is collected in steps that hold up messages for 30 to 60 ms together:
 * every five seconds at 1,000 messages a second.
 */
const ALL_BEGIN_YOUNG = '--no-allocation-site-pretenuring';

/**
 * The life of a server process: settings, start, word to the launcher, signals, drain, exit code.
 * A parent that started us with an IPC channel hears `{ready: true, ports}` and by its going tells us to stop.
 */
export async function run<D extends Definitions & typeof commonSettings>(
  role: string,
  definitions: D,
  start: Start<D>,
): Promise<void> {
  setFlagsFromString(ALL_BEGIN_YOUNG);
  let log: Logger | undefined;
  try {
    const sources = sourcesOfProcess();
    const settings = readSettings(role, definitions, sources) as SettingsOf<D> & SettingsOf<typeof commonSettings>;
    const name = settings.name === '' ? role : settings.name;
    if (settings.clusterSecret === '')
      throw new SettingsError(
        `wrong settings for the ${role} server:\n  clusterSecret (TT_CLUSTER_SECRET): must be set, the same in all servers of a cluster`,
      );
    log = openLog(name, settings.logLevel);
    log.info({ settings: printable(definitions, settings), pid: process.pid, node: process.version }, 'starting');
    const unknown = unknownSettings(role, definitions, sources);
    if (unknown.length > 0) log.warn({ unknown }, `the ${role} server has no such settings; mistyped?`);
    const metrics = new Metrics(name, role);
    const { hops, telemetry } = await openHops(settings, { name, role, log, metrics });
    const running = await start(settings, { name, log, metrics, hops, telemetry });
    const notReady = () => (stopping ? 'stopping' : running.notReady());
    const { host, opsPort: port, clusterSecret } = settings;
    const ops = await openOps({ host, port, clusterSecret, name, role, hops, registry: metrics.registry, notReady });
    const ports = { ...running.ports, ops: ops.port };
    log.info({ ports }, 'started');
    stopOnSignals(log, settings.drainMs, running, { ops, telemetry });
    process.send?.({ ready: true, ports });
  } catch (error) {
    fail(role, log, error as Error);
  }
}

let stopping = false;

function stopOnSignals(
  log: Logger,
  drainMs: number,
  running: Running,
  { ops, telemetry }: { readonly ops: { close(): void }; readonly telemetry: Telemetry | undefined },
): void {
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why, drainMs }, 'stopping');
    setTimeout(() => exit(log, EXIT.failed, 'did not stop in time'), drainMs + 3_000).unref();
    running.close(drainMs).then(
      async () => {
        ops.close();
        await telemetry?.close();
        exit(log, EXIT.ok, 'stopped');
      },
      (error: unknown) => {
        log.error({ error }, 'could not stop cleanly');
        exit(log, EXIT.failed, 'stopped');
      },
    );
  };
  if (running.reload !== undefined)
    process.on('SIGHUP', () => {
      running.reload!().catch((error: unknown) => log.error({ error }, 'could not reload'));
    });
  process.on('SIGTERM', () => stop('SIGTERM'));
  // Ctrl-C goes to the launcher and to us alike; the launcher then stops its servers in the right order.
  process.on('SIGINT', () => process.send === undefined && stop('SIGINT'));
  if (process.send !== undefined) process.on('disconnect', () => stop('the launcher is gone'));
  process.on('uncaughtException', (error) => {
    log.fatal({ error }, 'a fault of ours; the process ends and is started anew');
    process.exit(EXIT.failed);
  });
}

function exit(log: Logger, code: number, why: string): void {
  log.info({ code }, why);
  process.exit(code);
}

function fail(role: string, log: Logger | undefined, error: Error): void {
  const code = error instanceof SettingsError ? EXIT.settings : EXIT.unavailable;
  if (log === undefined) process.stderr.write(`${role}: ${error.message}\n`);
  else log.fatal({ error }, `cannot start: ${error.message}`);
  process.send?.({ ready: false, error: error.message });
  process.exitCode = code;
  process.disconnect?.();
  setTimeout(() => process.exit(code), 200).unref();
}
