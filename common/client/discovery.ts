import { z } from 'zod';
import { ConnectError, NoMsgServer } from './errors.js';

/** Where the login server sends us. */
export interface MsgServer {
  readonly host: string;
  readonly port: number;
  /** A second address of the same server; often equal to `host`. */
  readonly backupHost: string | undefined;
  /** Base URL of the image and file store, with its trailing slash. */
  readonly msfsUrl: string | undefined;
  /** URL of the list of discovery entries. */
  readonly discoveryUrl: string | undefined;
}

const answerSchema = z.object({ code: z.number().int(), msg: z.string().default('') });
/** The port is text on the wire, as the clients expect it. */
const foundSchema = z.object({
  priorIP: z.string().min(1),
  backupIP: z.string().optional(),
  port: z.coerce.number().int().min(1).max(65535),
  msfsPrior: z.string().optional(),
  discovery: z.string().optional(),
});

/**
 * Asks a login server for a msg server: GET /msg_server.
 * @param loginUrl `http://host:8080`, with or without the path
 * @param timeoutMs for the whole exchange
 * @param ca certificates that are trusted in place of the public ones, PEM; for https
 * @throws NoMsgServer when there is none to offer, ConnectError when the login server cannot be reached or understood
 */
export async function findMsgServer(loginUrl: string, timeoutMs = 5_000, ca?: string): Promise<MsgServer> {
  const json = await get(new URL('/msg_server', loginUrl), timeoutMs, ca);
  const answer = answerSchema.safeParse(json);
  if (!answer.success) throw new ConnectError(`${loginUrl} does not answer like a login server`);
  if (answer.data.code !== 0) throw new NoMsgServer(answer.data.code, answer.data.msg);
  const found = foundSchema.safeParse(json);
  if (!found.success) throw new ConnectError(`${loginUrl} names no usable msg server`);
  const { priorIP, backupIP, port, msfsPrior, discovery } = found.data;
  return { host: priorIP, port, backupHost: backupIP, msfsUrl: msfsPrior, discoveryUrl: discovery };
}

async function get(url: URL, timeoutMs: number, ca: string | undefined): Promise<unknown> {
  const { Agent, fetch } = await import('undici'); // a hundred modules, which clients that know their server need not load
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), dispatcher });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return await response.json(); // the stock server calls its JSON text/html
  } catch (error) {
    throw new ConnectError(`no answer from the login server ${url.origin}: ${reasonOf(error, timeoutMs)}`, {
      cause: error,
    });
  } finally {
    void dispatcher.destroy();
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if ((error as Error).name === 'TimeoutError') return `silent for ${timeoutMs} ms`;
  const cause = (error as Error).cause; // fetch wraps what happened on the socket
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : (error as Error).message;
}
