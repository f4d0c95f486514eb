import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startPostgres } from '../postgres.js';

/**
 * A data folder for `npm start`, made for a restore: its PostgreSQL runs for as long as `work` takes, and the master key
 * lies where the launcher looks for it.
 * @param again the folder holds an unfinished restore
 */
export async function inNewData<T>(
  dir: string,
  masterKey: Buffer,
  again: boolean,
  work: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  const key = join(dir, 'master.key');
  if (!again && (existsSync(join(dir, 'postgres')) || existsSync(key)))
    throw new Error(`${dir} is in use: a restore needs a new folder`);
  await mkdir(dir, { recursive: true });
  await writeFile(key, `${masterKey.toString('hex')}\n`, { mode: 0o600, flush: true });
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), port: await freePort() });
  try {
    return await work(postgres.url);
  } finally {
    await postgres.stop();
  }
}

/** For the time of the restore; the launcher takes its own. */
function freePort(): Promise<number> {
  return new Promise((settle, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => settle(port));
    });
  });
}
