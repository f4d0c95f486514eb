import { Hops } from '../hops.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { commonSettings, SettingsOf } from '../settings.js';
import { Telemetry } from './telemetry.js';
import { TracedHops } from './traced-hops.js';

/** What a server remembers of messages, and, where a collector is set, what tells that of them. */
export async function openHops(
  settings: SettingsOf<typeof commonSettings>,
  surroundings: { readonly name: string; readonly role: string; readonly log: Logger; readonly metrics: Metrics },
): Promise<{ readonly hops: Hops; readonly telemetry: Telemetry | undefined }> {
  const telemetry = await Telemetry.open(settings, surroundings);
  return { telemetry, hops: telemetry === undefined ? new Hops() : new TracedHops(telemetry, surroundings.name) };
}
