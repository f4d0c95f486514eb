import type { CloseReason } from '../net/connection.js';
import type { IM } from '../pdu/pb.js';

/**
 * What can go wrong for a client. A deadline that passed is an ImError TIMEOUT, as everywhere: what was asked may or
 * may not have happened.
 */

/** No session came about, and nobody refused it: nothing listens there, it hung up, it was silent. Worth another try. */
export class ConnectError extends Error {
  override readonly name: string = 'ConnectError';
}

/** The login server answers but has no msg server to offer: none is up (1) or all are full (2). */
export class NoMsgServer extends ConnectError {
  override readonly name: string = 'NoMsgServer';
  readonly code: number;

  constructor(code: number, text: string) {
    super(`${NO_MSG_SERVER[code] ?? 'the login server offers no msg server'} (code ${code}: ${text})`);
    this.code = code;
  }
}

const NO_MSG_SERVER: Readonly<Record<number, string>> = {
  1: 'no msg server is registered at the login server',
  2: 'all msg servers are full',
};

/** The msg server answered the login with no. */
export class LoginRefused extends Error {
  override readonly name = 'LoginRefused';
  readonly code: IM.BaseDefine.ResultType;
  /** What the server says about it, for the user's eyes; may be empty. */
  readonly text: string;

  constructor(code: IM.BaseDefine.ResultType, text: string) {
    super(`login refused (${code}): ${text}`);
    this.code = code;
    this.text = text;
  }
}

/** The connection ended before the answer came, or had ended before the question was asked. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  readonly reason: CloseReason;

  constructor(reason: CloseReason, detail: string) {
    super(`${detail}: the connection is closed (${reason})`);
    this.reason = reason;
  }
}
