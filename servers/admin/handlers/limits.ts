import {
  LIMIT_NAMES,
  LIMIT_PREFIX,
  type Limit,
  type NamedLimit,
  namedLimits,
} from '../../../common/live/named-limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { LimitInfo } from '../api.js';
import type { Sample } from '../metrics-page.js';
import { route } from '../route.js';

/** The named limits: what each is set to, what the servers go by at this moment, and how often it held somebody back. */
export const limitRoutes = [
  route({
    method: 'GET',
    path: '/api/limits',
    needs: 'look',
    async handle(ctx): Promise<readonly LimitInfo[]> {
      const [{ settingList }, samples] = await Promise.all([
        ctx.dbProxies.ask(directory.settings, { prefix: LIMIT_PREFIX }),
        ctx.watch.samples(),
      ]);
      const stored = new Map(settingList.map((each) => [each.name, each]));
      return LIMIT_NAMES.map((name) => {
        const { server, at, unit, min, max, refillMs, fixedRefill }: NamedLimit = namedLimits[name];
        const row = stored.get(`${LIMIT_PREFIX}${name}`);
        const of = (metric: string) =>
          samples.filter((sample) => sample.name === `teamtalk_${metric}` && sample.labels.limit === name);
        const hits = of('limit_hits_total');
        return {
          ...{ name, server, at, unit, min, max },
          isRate: refillMs !== undefined,
          fixedRefill: fixedRefill === true,
          version: row?.version ?? 0,
          ...(row === undefined ? {} : { set: JSON.parse(row.value) as Limit }),
          inForce: {
            sizes: distinct(of('limit_size')),
            refillsMs: distinct(of('limit_refill_seconds')).map((seconds) => seconds * 1000),
          },
          ...(hits.length === 0 ? {} : { hits: hits.reduce((sum, { value }) => sum + value, 0) }),
        };
      });
    },
  }),
];

/** Servers may be set up differently, and take up a change one after the other. */
function distinct(samples: readonly Sample[]): number[] {
  return [...new Set(samples.map(({ value }) => value))].sort((a, b) => a - b);
}
