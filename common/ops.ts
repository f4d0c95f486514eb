import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { HopsAnswer } from './hop.js';
import { HOPS_PATH, type Hops, hopsQuery, isHopsProof } from './hops.js';
import { listenHttp } from './net/http.js';
import type { Listening } from './net/listener.js';

export interface OpsOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  readonly name: string;
  readonly role: string;
  readonly hops: Hops;
  readonly clusterSecret: string;
  /** Undefined when the server can do its work, else what is missing. */
  notReady(): string | undefined;
}

/**
 * The operator's door of every server: /metrics for Prometheus, /healthz (alive), /readyz (can do its work), and /hops
 * for the console, which proves itself.
 */
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
    if (request.url?.startsWith(`${HOPS_PATH}?`) === true) return answerHops(request, response, options);
    if (request.url !== '/metrics') return say(response, 404, 'there are /metrics, /healthz and /readyz\n');
    options.registry.metrics().then(
      (page) => say(response, 200, page, options.registry.contentType),
      (error: Error) => say(response, 500, `${error.message}\n`),
    );
  });
  return listenHttp(server, options.host, options.port, 'opsPort');
}

function answerHops(request: IncomingMessage, response: ServerResponse, options: OpsOptions): void {
  const { hops, name: server, role, clusterSecret } = options;
  const path = request.url!;
  const proof = /^Proof (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (proof === undefined || !isHopsProof(clusterSecret, path, proof)) return say(response, 403, 'for consoles only\n');
  const query = hopsQuery(path);
  if (query === undefined) return say(response, 400, 'conversation and msg, or send\n');
  const answer: HopsAnswer = { server, role, nowMs: hops.nowMs, sinceMs: hops.sinceMs, hops: hops.find(query) };
  say(response, 200, JSON.stringify(answer), 'application/json');
}

function say(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body);
}
