import { type ErrorCode, ImError } from '../../../common/errors.js';
import type { FileContext } from '../context.js';

/** What an HTTP client is told: a status, a code from our list, and words that name no path and no key of ours. */
export interface HttpError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const STATUS: Partial<Record<ErrorCode, readonly [number, string]>> = {
  BAD_REQUEST: [400, 'the request makes no sense'],
  NOT_ALLOWED: [403, 'not allowed'],
  NO_SUCH_FILE: [404, 'there is no such file'],
  NO_SUCH_UPLOAD: [404, 'there is no such upload: it is finished, given up, or never began'],
  WRONG_OFFSET: [409, 'the upload does not end where this begins'],
  UPLOAD_IN_USE: [423, 'this upload is being written by another connection'],
  FILE_TOO_LARGE: [413, 'the file is too large'],
  QUOTA_EXCEEDED: [507, 'no more room: the limit of all your files is reached'],
  FILE_REFUSED: [422, 'the file was refused by the virus scanner'],
  STORE_FULL: [507, 'the store is full'],
  STORE_UNAVAILABLE: [503, 'the store cannot be reached at the moment'],
  TOO_FAST: [429, 'too many at once'],
  BUSY: [503, 'too much to do at the moment'],
  TIMEOUT: [503, 'no answer in time'],
  NO_LINK: [503, 'no db-proxy is reachable'],
};

/** Codes whose detail was made for the client. */
const TELLING: ReadonlySet<string> = new Set([
  'BAD_REQUEST',
  'NOT_ALLOWED',
  'FILE_TOO_LARGE',
  'WRONG_OFFSET',
  'TOO_FAST',
]);

export function httpError(error: unknown): HttpError {
  if (error instanceof ImError) {
    const [status, words] = STATUS[error.code] ?? [500, 'a fault of the server'];
    return { status, code: error.code, message: TELLING.has(error.code) ? error.detail : words };
  }
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { status: statusCode, code: 'BAD_REQUEST', message: message ?? '' };
  return { status: 500, code: 'INTERNAL', message: 'a fault of the server' };
}

/** Which of the two quotas it was, its detail says. */
export function countQuota({ limits }: Pick<FileContext, 'limits'>, { detail }: ImError): void {
  limits.hit(detail.startsWith('user ') ? 'quota.user' : 'quota.total');
}
