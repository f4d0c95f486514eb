import { z } from 'zod';
import { doorSettings } from '../../common/net/door-settings.js';
import { commonSettings, type Definitions, port, type Setting, type SettingsOf, text } from '../../common/settings.js';

/** Zone → percent. */
export type ZoneWeights = ReadonlyMap<string, number>;

function zoneWeights(doc: string): Setting<ZoneWeights> {
  const parse = (list: string, ctx: z.RefinementCtx): ZoneWeights => {
    const weights = new Map<string, number>();
    for (const each of list.split(',').filter((it) => it.trim() !== '')) {
      const [, zone, percent] = /^\s*([^=,\s]+)\s*=\s*(\d{1,5})\s*$/.exec(each) ?? [];
      if (zone === undefined) ctx.addIssue({ code: 'custom', message: `expected zone=percent, not "${each.trim()}"` });
      else weights.set(zone, Number(percent));
    }
    return weights;
  };
  const is = z.string().transform(parse);
  return { is: is as unknown as z.ZodType<ZoneWeights>, unit: 'zone=percent, …', default: new Map(), doc };
}

export const loginSettings = {
  ...commonSettings,
  clientPort: port(8008, 'TCP port where clients may ask for a msg server'),
  httpPort: port(8080, 'HTTP port where clients ask for a msg server: GET /msg_server'),
  ...doorSettings,
  port: port(8100, 'where msg servers connect'),
  storeUrl: text('http://127.0.0.1:8700/', 'base URL of the picture and file store, given to clients; ends in /'),
  discoveryUrl: text('http://127.0.0.1:8888/api/discovery', 'URL of the discovery list, given to clients'),
  zoneWeights: zoneWeights(
    'how much msg servers of a zone are preferred by this login server; 100 for zones not named, 0: only when there is nobody else',
  ),
} satisfies Definitions;

export type LoginSettings = SettingsOf<typeof loginSettings>;
