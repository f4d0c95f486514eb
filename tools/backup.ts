import { resolve } from 'node:path';
import { Command } from 'commander';
import { MasterKeyring } from '../servers/db-proxy/storage/master-key.js';
import type { Manifest } from './backup/manifest.js';
import { count, Progress, size } from './backup/progress.js';
import { endedBy, run } from './backup/run.js';
import { writeBackup } from './backup/write.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run backup -- FOLDER`: a sealed copy of everything in PostgreSQL, taken while the cluster runs. */
const program = addTargetOptions(
  new Command('npm run backup --')
    .description('Writes a sealed copy of all databases into a new folder, while the cluster runs.')
    .argument('<folder>', 'does not exist yet; gets its name when everything is in it')
    .option('--json', 'print the outcome as JSON on stdout', false),
).parse();

interface Options extends TargetOptions {
  readonly json: boolean;
}

await run('backup', async () => {
  const options = program.opts<Options>();
  const folder = resolve(program.args[0]!);
  const target = await targetOf(options);
  const masterKeys = await MasterKeyring.open(target.masterKey);
  const progress = new Progress('backup');
  const startedMs = performance.now();
  const manifest = await writeBackup({
    databaseUrl: target.databaseUrl,
    masterKeys,
    folder,
    progress,
    signal: endedBy('SIGINT', 'SIGTERM', 'SIGHUP'),
  });
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  if (options.json) process.stdout.write(`${JSON.stringify({ folder, peakBytes, manifest })}\n`);
  else process.stdout.write(summary(manifest, folder, performance.now() - startedMs));
  return 0;
});

function summary({ parts, masterKey, databases }: Manifest, folder: string, ms: number): string {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const bytes = parts.reduce((sum, part) => sum + part.size, 0);
  const seconds = ms / 1000;
  return [
    `${folder}: ${databases.length} databases, ${parts.length} tables, ${count(rows)} rows, ${size(bytes)} in ${seconds.toFixed(1)} s (${size(bytes / seconds)}/s)`,
    `It opens with the master key ${masterKey} only: keep a copy of that key, and not beside the backup.`,
    '',
  ].join('\n');
}
