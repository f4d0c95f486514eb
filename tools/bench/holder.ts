import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { logins, PHONE } from './clients.js';
import type { BenchCluster } from './cluster.js';

/** What a process may have open, on most machines, is the end of what one can hold; a few are for other things. */
const HELD_EACH = 9_000;

/** Connections in processes of their own, logged in and silent. */
export interface Held {
  /** Ends them all. */
  release(): void;
}

interface Task {
  readonly msg: BenchCluster['msg'];
  readonly first: number;
  readonly count: number;
}

/** Logs demo people `first` to `first + count - 1` in by their phones, from 0. */
export async function hold(cluster: BenchCluster, first: number, count: number): Promise<Held> {
  const children: ChildProcess[] = [];
  const release = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  try {
    for (let from = first; from < first + count; from += HELD_EACH) {
      const task: Task = { msg: cluster.msg, first: from, count: Math.min(HELD_EACH, first + count - from) };
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      children.push(child);
      child.send(task);
      const [said] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
      if (said !== 'held') throw new Error(`the process that was to hold ${task.count} connections ended: ${said}`);
    }
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', async (task: Task) => {
    await logins(task as unknown as BenchCluster, task.count, task.first, PHONE);
    process.send!('held');
  });
  process.once('disconnect', () => process.exit());
}
