import { doorSettings } from '../../common/net/door-settings.js';
import { commonSettings, type Definitions, port, type SettingsOf, text } from '../../common/settings.js';

export const loginSettings = {
  ...commonSettings,
  clientPort: port(8008, 'TCP port where clients may ask for a msg server'),
  httpPort: port(8080, 'HTTP port where clients ask for a msg server: GET /msg_server'),
  ...doorSettings,
  port: port(8100, 'where msg servers connect'),
  storeUrl: text('http://127.0.0.1:8700/', 'base URL of the picture and file store, given to clients; ends in /'),
  discoveryUrl: text('http://127.0.0.1:8888/api/discovery', 'URL of the discovery list, given to clients'),
} satisfies Definitions;

export type LoginSettings = SettingsOf<typeof loginSettings>;
