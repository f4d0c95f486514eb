import { isUserId } from '../../common/conversation.js';
import type { ImportDirectory, ImportTarget } from '../../servers/db-proxy/storage/import.js';
import { checkDirectory, checkMessages, checkTables, Differences } from './check.js';
import type { ImportContext } from './context.js';
import { importDirectory } from './directory.js';
import { DryTarget, drySink } from './dry-target.js';
import { type Listener, Tally } from './findings.js';
import { importGroups } from './groups.js';
import type { OldRedis } from './old-redis.js';
import { countOrphans } from './orphans.js';
import type { Progress } from './progress.js';
import { importSessions } from './sessions.js';
import { importSingles } from './singles.js';
import { messageTables, type Source, SourceError } from './source.js';
import { type VoiceStore, Voices } from './voice.js';

/** Where an import reads from, and whom it tells. */
export interface ImportParts {
  readonly source: Source;
  readonly redis: OldRedis | undefined;
  readonly voiceStore: VoiceStore | undefined;
  readonly listener: Listener;
  readonly nowS: number;
  readonly portionRows: number;
}

export interface Outcome {
  readonly tally: Tally;
  readonly differences: Differences;
}

/** Rows of all phases, for the progress. */
export function totalOf(source: Source): number {
  const tables = [...messageTables(), 'IMDepart', 'IMUser', 'IMGroup', 'IMGroupMember'];
  return tables.reduce((sum, table) => sum + source.rowsOf(table), 0);
}

/**
 * Reads everything and stores it. Goes on where an earlier run was cut off. The people come last and only when all
 * counts are right, so an import with differences is one that nobody can log in to.
 * @throws ImportRefused, SourceError, VoiceStoreSilent; what was stored stays, and the next run goes on from there
 */
export async function runImport(parts: ImportParts, target: ImportTarget, progress: Progress): Promise<Outcome> {
  const ctx = await contextOf(parts, target, progress);
  const tally = await importMessages(ctx);
  const differences = new Differences();
  progress.phase('counting');
  await checkMessages(ctx, tally, differences);
  if (await ctx.source.hasChanged())
    throw new SourceError(
      'the TeamTalk database was written to while it was read. Stop its servers, and begin with an empty target',
    );
  if (differences.count > 0) return { tally, differences };
  progress.phase('people');
  try {
    await target.directory(parts.nowS, async (directory: ImportDirectory) => {
      tally.join(await importDirectory(ctx, directory));
      checkTables(ctx, tally, differences);
      await checkDirectory(directory, tally, differences);
      if (differences.count > 0) throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return { tally, differences };
}

/** Reads everything and stores nothing. */
export async function runDry(parts: ImportParts, progress: Progress): Promise<Outcome> {
  const ctx = await contextOf(parts, new DryTarget(parts.nowS), progress);
  const tally = await importMessages(ctx);
  const differences = new Differences();
  progress.phase('people');
  tally.join(await importDirectory(ctx, drySink));
  checkTables(ctx, tally, differences);
  return { tally, differences };
}

class Undone extends Error {}

async function contextOf(
  { source, redis, voiceStore, listener, portionRows }: ImportParts,
  target: ImportContext['target'],
  progress: Progress,
): Promise<ImportContext> {
  const users = new Set<number>();
  for await (const id of source.userIds()) if (isUserId(id)) users.add(id);
  return { source, target, redis, voices: new Voices(source, voiceStore), users, progress, listener, portionRows };
}

async function importMessages(ctx: ImportContext): Promise<Tally> {
  const tally = await generalFindings(ctx);
  const phases = [
    ['orphans', countOrphans],
    ['messages of two', importSingles],
    ['messages of groups', importGroups],
    ['removed sessions', importSessions],
  ] as const;
  for (const [name, importPhase] of phases) {
    ctx.progress.phase(name);
    tally.join(await importPhase(ctx));
  }
  return tally;
}

async function generalFindings({ source, redis, listener }: ImportContext): Promise<Tally> {
  const tally = new Tally(listener);
  if (redis === undefined) tally.add('read-all');
  for (const { table, rows } of source.others) tally.add('table-left', `${table}: ${rows}`, rows);
  for (const table of await source.slowTables()) tally.add('index-missing', table);
  return tally;
}
