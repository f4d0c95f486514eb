import { createServer, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { listenHttp } from './net/http.js';
import type { Listening } from './net/listener.js';

export interface OpsOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** Undefined when the server can do its work, else what is missing. */
  notReady(): string | undefined;
}

/** The operator's door of every server: /metrics for Prometheus, /healthz (alive), /readyz (can do its work). */
export function openOps(options: OpsOptions): Promise<Listening> {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') return say(response, 200, 'ok\n');
    if (request.url === '/readyz') {
      const missing = options.notReady();
      return say(
        response,
        missing === undefined ? 200 : 503,
        missing === undefined ? 'ready\n' : `not ready: ${missing}\n`,
      );
    }
    if (request.url !== '/metrics') return say(response, 404, 'there are /metrics, /healthz and /readyz\n');
    options.registry.metrics().then(
      (page) => say(response, 200, page, options.registry.contentType),
      (error: Error) => say(response, 500, `${error.message}\n`),
    );
  });
  return listenHttp(server, options.host, options.port, 'opsPort');
}

function say(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body);
}
