import { z } from 'zod';
import { directory } from '../../../common/pdu/commands.js';
import type { Versioned } from '../api.js';
import { givenUp } from '../conflict.js';
import type { AdminContext } from '../context.js';
import { ProblemError } from '../problem.js';
import { route } from '../route.js';
import { readConfig, readDiscovery, settingsTable } from '../settings-table.js';

/**
 * Settings that take effect at once, the list of web pages that clients show among them. What /api/discovery and
 * /api/config say is public: clients ask before they log in.
 */
export const settingRoutes = [
  route({
    method: 'GET',
    path: '/api/discovery',
    needs: 'public',
    // TeamTalk clients need all three keys, and the number as text.
    async handle(ctx) {
      const items = await readDiscovery(ctx.dbProxies);
      return items.map((item) => ({ itemName: item.name, itemUrl: item.url, itemPriority: String(item.priority) }));
    },
  }),
  route({
    method: 'GET',
    path: '/api/config',
    needs: 'public',
    handle: (ctx) => readConfig(ctx.dbProxies),
  }),
  route({
    method: 'GET',
    path: '/api/settings',
    needs: 'look',
    handle: (ctx): Promise<readonly Versioned[]> => all(ctx),
  }),
  route({
    method: 'PUT',
    path: '/api/settings',
    needs: 'settings.change',
    body: z.strictObject({
      name: z.enum(Object.keys(settingsTable)),
      version: z.number().int().min(0),
      value: z.unknown(),
    }),
    handle: (ctx, { caller, body: { name, version, value } }) => {
      const parsed = settingsTable[name]!.is.safeParse(value);
      if (!parsed.success)
        throw new ProblemError('BAD_REQUEST', { field: 'value', detail: parsed.error.issues[0]!.message });
      const json = JSON.stringify(parsed.data);
      return givenUp(
        ctx.dbProxies.ask(directory.changeSetting, {
          actor: caller.actor,
          name,
          value: json,
          expectedVersion: version,
        }),
        async () => (await all(ctx)).find((each) => each.name === name),
      );
    },
  }),
  route({
    method: 'POST',
    path: '/api/settings/reset',
    needs: 'settings.change',
    body: z.strictObject({ name: z.enum(Object.keys(settingsTable)), version: z.number().int().min(0) }),
    handle: (ctx, { caller, body: { name, version } }) =>
      givenUp(
        ctx.dbProxies.ask(directory.changeSetting, { actor: caller.actor, name, expectedVersion: version }),
        async () => (await all(ctx)).find((each) => each.name === name),
      ),
  }),
];

/** Every setting of the table, with its default where nobody has set it. */
async function all(ctx: AdminContext): Promise<Versioned[]> {
  const { settingList } = await ctx.dbProxies.ask(directory.settings, { prefix: '' });
  const set = new Map(settingList.map((each) => [each.name, each]));
  return Object.entries(settingsTable).map(([name, known]) => {
    const row = set.get(name);
    return {
      name,
      value: row === undefined ? known.default : (JSON.parse(row.value) as unknown),
      version: row?.version ?? 0,
    };
  });
}
