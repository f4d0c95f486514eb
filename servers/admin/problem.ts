import { ImError } from '../../common/errors.js';
import type { Problem, ProblemCode } from './api.js';

/** What the page is told when something could not be done. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(code: ProblemCode, more: Omit<Problem, 'code'> = {}) {
    super(code);
    this.problem = { code, ...more };
  }
}

/** What is not here is never asked for by the console. */
const STATUS: Readonly<Partial<Record<ProblemCode, number>>> = {
  BAD_REQUEST: 400,
  NO_SESSION: 401,
  WRONG_PASSWORD: 403,
  WRONG_CODE: 403,
  CODE_NEEDED: 403,
  NOT_ALLOWED: 403,
  FOREIGN: 403,
  CHANGE_PASSWORD: 403,
  NOT_A_MEMBER: 403,
  NOT_SIGNED_IN: 403,
  DISABLED: 403,
  UNKNOWN_HERE: 403,
  NO_NAME: 403,
  NOT_FOUND: 404,
  NO_SUCH_USER: 404,
  NO_SUCH_GROUP: 404,
  NO_SUCH_DEPARTMENT: 404,
  CONFLICT: 409,
  NAME_TAKEN: 409,
  NOT_EMPTY: 409,
  LAST_OWNER: 409,
  SEND_ID_REUSED: 409,
  TOO_LARGE: 413,
  TOO_FAST: 429,
  LOCKED: 429,
  INTERNAL: 500,
  BUSY: 503,
  NO_LINK: 503,
  STORE_UNAVAILABLE: 503,
  DIRECTORY_UNAVAILABLE: 503,
  TIMEOUT: 504,
};

/** Details of faults of ours, and of links, stay in the log. */
const SHOWN = new Set<ProblemCode>(['BAD_REQUEST', 'NOT_ALLOWED', 'NAME_TAKEN', 'NOT_EMPTY', 'CONFLICT']);

export function problemOf(error: unknown): { readonly status: number; readonly problem: Problem } {
  if (error instanceof ProblemError) return { status: STATUS[error.problem.code] ?? 500, problem: error.problem };
  if (error instanceof ImError)
    return {
      status: STATUS[error.code] ?? 500,
      problem: { code: error.code, ...(SHOWN.has(error.code) ? { detail: error.detail } : {}) },
    };
  // Fastify's own, of requests that it does not understand
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status === 413) return { status, problem: { code: 'TOO_LARGE' } };
  if (status >= 400 && status < 500)
    return { status, problem: { code: 'BAD_REQUEST', detail: (error as Error).message } };
  return { status: 500, problem: { code: 'INTERNAL' } };
}

/** The OpenID Connect provider has answered, and not so that somebody is let in. */
export class NotSignedIn extends Error {
  override readonly name = 'NotSignedIn';
}
