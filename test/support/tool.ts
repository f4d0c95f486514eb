import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '../../common/root.js';

/** A tool of dist/tools as a process of its own: with its exit code, its output, and killable. */
export interface Tool {
  readonly process: ChildProcess;
  /** What it has said so far. */
  readonly said: { stdout: string; stderr: string };
  /** Resolves when it has ended and all that it said is there. */
  readonly ended: Promise<ToolEnd>;
}

export interface ToolEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function startTool(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Tool {
  const main = join(projectRoot, 'dist/tools', `${name}.js`);
  const child = spawn(process.execPath, ['--enable-source-maps', main, ...args], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...said }));
  return { process: child, said, ended };
}

export function runTool(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ToolEnd> {
  return startTool(name, args, env).ended;
}

/** Without the settings of whoever runs the tests. */
function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TT_|DATABASE_URL$|PG|NODE_OPTIONS$)/.test(name)),
  );
}
