import { createServer, type ServerResponse } from 'node:http';
import type { Certificate } from '../../common/net/certificate.js';
import { Door } from '../../common/net/door.js';
import type { Listening } from '../../common/net/listener.js';
import { ASK_MS_MAX } from './clients.js';
import type { MsgServers } from './msg-servers.js';
import type { LoginSettings } from './settings.js';

/** What clients get told besides the address. */
export interface Discovery {
  readonly storeUrl: string;
  readonly discoveryUrl: string;
}

/** Texts as TeamTalk clients show them. */
const TEXT = { none: '没有msg_server', full: '负载过高' } as const;
const CODE = { none: 1, full: 2 } as const;

/** GET /msg_server: the one page clients ask for, with TLS or without. */
export function openHttp(
  settings: LoginSettings,
  certificate: Certificate | undefined,
  msgServers: MsgServers,
): Promise<Listening> {
  const server = createServer({ maxHeaderSize: 8 * 1024 }, (request, response) => {
    request.resume();
    if (request.url?.startsWith('/msg_server')) answer(response, 200, discoveryText(msgServers, settings));
    else answer(response, 404, 'clients ask for /msg_server\n');
  });
  return Door.open({
    port: settings.httpPort,
    host: settings.host,
    settings,
    certificate,
    beginMs: ASK_MS_MAX, // every answer closes, so it is for all of a visit
    arrived: ({ socket }) => server.emit('connection', socket),
  });
}

/** JSON with keys in alphabetical order; `port` is text, as a client that reads it as text breaks on a number. */
export function discoveryText(msgServers: MsgServers, { storeUrl, discoveryUrl }: Discovery): string {
  const choice = msgServers.choose();
  const body = choice.found
    ? {
        backupIP: choice.ip2,
        code: 0,
        discovery: discoveryUrl,
        msfsBackup: storeUrl,
        msfsPrior: storeUrl,
        msg: '',
        port: String(choice.port),
        priorIP: choice.ip1,
      }
    : { code: CODE[choice.why], msg: TEXT[choice.why] };
  return `${JSON.stringify(body, null, 3)}\n`;
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    Connection: 'close',
    'Content-Length': Buffer.byteLength(body),
    'Content-Type': 'text/html;charset=utf-8',
  });
  response.end(body);
}
