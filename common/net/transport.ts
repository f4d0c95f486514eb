/** What a Connection runs over: a TCP socket, TLS on one, or a WebSocket on either. */
export interface Transport {
  readonly remoteAddress?: string | undefined;
  readonly writable: boolean;
  /** Bytes that were written and have not left. */
  readonly writableLength: number;
  write(bytes: Buffer): unknown;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: 'data', heard: (chunk: Buffer) => void): unknown;
  on(event: 'error', failed: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: 'drain' | 'end' | 'close', happened: () => void): unknown;
}
