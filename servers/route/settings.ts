import { commonSettings, type Definitions, port, type SettingsOf } from '../../common/settings.js';

export const routeSettings = {
  ...commonSettings,
  port: port(8200, 'where msg servers connect'),
} satisfies Definitions;

export type RouteSettings = SettingsOf<typeof routeSettings>;
