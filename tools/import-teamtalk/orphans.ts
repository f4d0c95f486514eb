import { type ImportContext, Phase } from './context.js';
import type { Tally } from './findings.js';
import { TABLES, tableOf } from './source.js';

/** Rows that lead nowhere: the original never found them either. Only counted. */
export async function countOrphans(ctx: ImportContext): Promise<Tally> {
  const phase = await Phase.open(ctx, 'orphans', 0);
  if (phase.isDone) return phase.tally;
  const tally = phase.newTally();
  let rows = 0;
  for (const kind of ['IMMessage', 'IMGroupMessage'] as const) {
    for (let table = 0; table < TABLES; table++) {
      for await (const orphans of ctx.source.orphans(kind, table)) {
        const name = tableOf(kind, table);
        tally.add('orphan-owner', `${name}: ${orphans.rows} rows of ${orphans.ownerId}`);
        tally.leftOut(name, 'message-orphan', undefined, orphans.rows);
        rows += orphans.rows;
      }
    }
  }
  tally.leftOut('IMGroupMember', 'member-orphan', undefined, await ctx.source.orphanMembers());
  await phase.portion({ cursor: 0, tally, rows }, async () => []);
  await phase.finish();
  return phase.tally;
}
