import { readdirSync, readFileSync } from 'node:fs';

/** CPU and memory of the processes of a cluster, from Linux' /proc. */
export interface Usage {
  /** Server → CPU seconds, user and system. PostgreSQL: all of its processes together. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Server → resident bytes; without PostgreSQL, whose shared memory would be counted many times. */
  readonly rss: Readonly<Record<string, number>>;
}

const TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux for what /proc shows

export function usageOf(pids: Readonly<Record<string, number>>): Usage {
  const cpu: Record<string, number> = {};
  const rss: Record<string, number> = {};
  for (const [server, pid] of Object.entries(pids)) {
    const kind = server.replace(/-\d+$/, '');
    const own = server === 'postgres' ? [pid, ...childrenOf(pid)] : [pid];
    cpu[kind] = (cpu[kind] ?? 0) + own.reduce((sum, each) => sum + cpuOf(each, each === pid), 0);
    if (server !== 'postgres') rss[kind] = (rss[kind] ?? 0) + rssOf(pid);
  }
  return { cpu, rss };
}

/** What was used between the two. */
export function cpuBetween(before: Usage, after: Usage): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after.cpu).map(([name, seconds]) => [name, seconds - (before.cpu[name] ?? 0)]),
  );
}

/** @param withEnded also of its children that have ended */
function cpuOf(pid: number, withEnded: boolean): number {
  const fields = statOf(pid);
  if (fields === undefined) return 0;
  const ticks = fields.slice(11, withEnded ? 15 : 13).map(Number); // utime, stime, cutime, cstime
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.[1] === String(parent));
}

/** The fields behind the name, which may have spaces in it: state, parent, … */
function statOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined; // it has just ended
  }
}

function rssOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}
