/** What crosses between the console's pages and its server, as JSON. Types only: both sides import them. */
import type { ErrorCode } from '../../common/errors.js';
import type { Role } from '../../common/roles.js';

/** Every answer that is not 2xx. */
export interface Problem {
  readonly code: ProblemCode;
  /** What exactly, in English, for what no page has words for. */
  readonly detail?: string;
  /** The field of the request it is about. */
  readonly field?: string;
  /** With CONFLICT: how it is now. */
  readonly current?: unknown;
  readonly retryAfterMs?: number;
}

export type ProblemCode =
  | ErrorCode
  /** Nobody is logged in, or no longer. */
  | 'NO_SESSION'
  /** The request does not come from our own page. */
  | 'FOREIGN'
  | 'WRONG_PASSWORD'
  | 'WRONG_CODE'
  | 'CODE_NEEDED'
  | 'LOCKED'
  /** The password has to be changed first. */
  | 'CHANGE_PASSWORD'
  | 'LAST_OWNER'
  | 'TOO_LARGE'
  | 'NOT_FOUND';

export interface SessionInfo {
  readonly admin: AdminInfo;
  readonly sessionId: string;
  /** To be sent back in the x-csrf-token header with everything that changes something. */
  readonly csrf: string;
  readonly passwordLengthMin: number;
}

export interface AdminInfo {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly mustChange: boolean;
  readonly totp: boolean;
  readonly version: number;
  readonly createdMs: number;
  readonly lastSeenMs?: number;
}

export interface OwnSession {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  readonly createdMs: number;
  readonly usedMs: number;
}

export interface ServerFigures {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  readonly up: boolean;
  /** What it lacks to do its work, in its own words. */
  readonly problem?: string;
  readonly memoryBytes?: number;
  readonly cpuShare?: number;
  readonly startedMs?: number;
}

/** One look at all servers. */
export interface Figures {
  readonly atMs: number;
  readonly servers: readonly ServerFigures[];
  readonly sessions: number;
  readonly sessionsByClient: Readonly<Record<string, number>>;
  readonly messagesPerSecond: number;
  readonly loginsPerSecond: number;
  readonly unackedPerSecond: number;
  /** Of the acknowledgements since the look before; undefined: there were none. */
  readonly ackP50Ms?: number;
  readonly ackP99Ms?: number;
  /** Messages that wait for their commit. */
  readonly appendWaiting: number;
  /** Questions of msg servers without an answer so far. */
  readonly asksOpen: number;
}

export interface MsgServerInfo {
  readonly name: string;
  readonly place: string;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly draining: boolean;
}
