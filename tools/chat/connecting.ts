import {
  Client,
  ConnectError,
  findMsgServer,
  LoginRefused,
  NoMsgServer,
  type Way,
} from '../../common/client/client.js';
import type { IM } from '../../common/pdu/pb.js';
import type { SignedIn } from './sign-in.js';

export interface Account extends Way {
  /** The login server, `http://host:8080` or with https. */
  readonly loginUrl: string;
  readonly user: string;
  readonly password: string;
  readonly clientType: IM.BaseDefine.ClientType;
  /** With the company's account, in place of user and password. */
  readonly signedIn?: SignedIn;
}

export interface Connected {
  readonly client: Client;
  readonly address: string;
  readonly sinceMs: number;
}

const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 30_000;

/** Asks for a msg server and logs in there. @throws LoginRefused, ConnectError */
export async function connectTo({ loginUrl, signedIn, ...account }: Account): Promise<Connected> {
  const { host, port } = await findMsgServer(loginUrl, undefined, account.ca);
  // Nobody takes pushes from a list here: events are enough.
  // Who names a capability is told when to come back should the server die.
  const capabilities = signedIn === undefined ? ['ack2'] : ['ack2', 'token1'];
  const terminal = { clientVersion: 'terminal', capabilities, pushesMax: 0 };
  const client = await Client.login({ host, port, ...account, ...signedIn?.credentials, ...terminal });
  signedIn?.entered(client);
  return { client, address: `${host}:${port}`, sinceMs: Date.now() };
}

/**
 * The pause before the next try, in ms: growing, and spread over a factor of three, so that all who lost the same
 * server do not come back in the same moment.
 * @param random from 0 up to 1
 * @param returnMs within which the lost server wanted its clients to be back: the first try is spread over that
 */
export function pauseMs(failures: number, random: number, returnMs = 0): number {
  const pause = Math.min(PAUSE_MS_FIRST * 2 ** failures, PAUSE_MS_MAX) * (0.5 + random);
  return failures === 0 ? Math.max(pause, returnMs * random) : pause;
}

const PASSWORD_WRONG = 6;
const VERSION_TOO_OLD = 7;

/** Whether trying again can help. */
export function isFinal(error: unknown): boolean {
  return error instanceof LoginRefused && (error.code === PASSWORD_WRONG || error.code === VERSION_TOO_OLD);
}

/** What to tell a person who could not get in. */
export function explained(error: unknown, { loginUrl, user }: Account): string {
  if (error instanceof LoginRefused) return refusal(error, user);
  if (error instanceof NoMsgServer) return `${error.message}. Wait a moment, or see what the cluster (npm start) says.`;
  if (!(error instanceof ConnectError)) throw error;
  return `no server at ${loginUrl}: ${error.message}. Start one with: npm start`;
}

function refusal({ code, text }: LoginRefused, user: string): string {
  const said = text === '' ? '' : ` The server says: ${text}`;
  if (code === PASSWORD_WRONG) return `wrong user name or password for ${user}, or too many wrong tries.${said}`;
  if (code === VERSION_TOO_OLD) return `this client is too old for the server.${said}`;
  return `the server cannot let anybody in at the moment (code ${code}).${said}`;
}
