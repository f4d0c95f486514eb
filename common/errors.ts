/**
 * What can go wrong in ordinary running, as a closed list: the code crosses links, the detail stays in logs.
 * What cannot happen is an assertion instead.
 */
const catalogue = {
  /** The body does not parse or breaks a bound. */
  BAD_REQUEST: { retry: false },
  /** The peer may not ask this, or not yet. */
  NOT_ALLOWED: { retry: false },
  /** The receiver of a message does not exist. */
  NO_SUCH_USER: { retry: false },
  NO_SUCH_GROUP: { retry: false },
  NO_SUCH_DEPARTMENT: { retry: false },
  /** Somebody else is called that. */
  NAME_TAKEN: { retry: false },
  /** Somebody else has changed it meanwhile. */
  CONFLICT: { retry: false },
  /** It still has people or departments in it. */
  NOT_EMPTY: { retry: false },
  /** The sender is no member of the group. */
  NOT_A_MEMBER: { retry: false },
  /** The same send_id came before with another body. */
  SEND_ID_REUSED: { retry: false },
  /** There is no such upload any more: finished, given up or never begun. */
  NO_SUCH_UPLOAD: { retry: false },
  NO_SUCH_FILE: { retry: false },
  /** What is to be appended does not begin where the upload ends so far. */
  WRONG_OFFSET: { retry: false },
  /** Somebody else is writing this upload at the moment. */
  UPLOAD_IN_USE: { retry: true },
  FILE_TOO_LARGE: { retry: false },
  /** The user or the cluster has as many bytes of files as it may have. */
  QUOTA_EXCEEDED: { retry: false },
  /** The virus scanner says no, or could not be asked and nothing passes without it. */
  FILE_REFUSED: { retry: false },
  /** The disk under the file store is full. */
  STORE_FULL: { retry: true },
  /** What is at rest is not what was stored: changed, cut or gone. */
  FILE_DAMAGED: { retry: false },
  /** More often than is allowed; nothing was done. */
  TOO_FAST: { retry: true },
  /** A queue is full; nothing was done. */
  BUSY: { retry: true },
  /** No answer within the deadline; what was asked may or may not have happened. */
  TIMEOUT: { retry: true },
  /** No open link to any server that could answer. */
  NO_LINK: { retry: true },
  /** PostgreSQL or the storage of files did not answer within the deadline. */
  STORE_UNAVAILABLE: { retry: true },
  /** The company's directory (OpenID Connect, LDAP) did not answer within the deadline. */
  DIRECTORY_UNAVAILABLE: { retry: true },
  /** A fault of ours; the log of the answering server has it. */
  INTERNAL: { retry: false },
} as const satisfies Record<string, { retry: boolean }>;

export type ErrorCode = keyof typeof catalogue;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(catalogue, text);
}

export class ImError extends Error {
  override readonly name = 'ImError';
  readonly code: ErrorCode;
  /** The message without the code, which links carry apart from it. */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
  /** Whether the same request may succeed when asked again. */
  get retry(): boolean {
    return catalogue[this.code].retry;
  }
}
