/**
 * Where sealed objects are kept: a folder, or S3-compatible storage. A driver knows ids and bytes; what they mean, and
 * whether an object is wanted at all, is not its business. Ids are 32 hex digits.
 *
 * What a driver throws is an ImError: STORE_FULL, STORE_UNAVAILABLE when asking again may help, or FILE_DAMAGED for an
 * object that is not there.
 */
export interface Driver {
  /** The object as it was left: begun anew, half there, or all there. */
  draft(id: string): Promise<Draft>;
  /** Bytes from `start` up to before `end`, in pieces of any size. */
  read(id: string, start: number, end: number): AsyncIterable<Buffer>;
  /** Takes away all there is of it. Nothing there is no error. */
  remove(id: string): Promise<void>;
  /** Everything that is there, unfinished objects included. */
  list(): AsyncIterable<string>;
  /** What people call it, and bytes that are free there, where that can be told. */
  about(): Promise<{ readonly driver: string; readonly place: string; readonly freeBytes?: number }>;
  /** Whether it can be written to. @throws ImError */
  check(): Promise<void>;
}

/** An object while it is written, from the beginning to the end. One at a time for each object. */
export interface Draft {
  /** Bytes that are there. After a crash the last of them may be torn. */
  readonly size: number;
  /** What `park` was given last; it stays until `finish` or another `park`. */
  readonly parked: Buffer | undefined;
  /** False: what is there cannot be looked at before `finish`. It is whole then, nothing of it can be torn. */
  readonly readable: boolean;
  /** The bytes that are there; after `finish`, all of them. */
  read(): AsyncIterable<Buffer>;
  /** Forgets what is behind `size`. Only of what a crash may have torn. */
  truncate(size: number): Promise<void>;
  append(bytes: Buffer): Promise<void>;
  /** Makes what was appended last, and keeps a beginning of what comes next beside it. */
  park(bytes: Buffer): Promise<void>;
  /** Appends the last bytes; all of it lasts when this resolves. Harmless on an object that is all there. */
  finish(last: Buffer): Promise<void>;
  /** Lets go of it. What was neither parked nor finished may be lost. */
  close(): Promise<void>;
}
