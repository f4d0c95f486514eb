import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ImError } from '../../common/errors.js';
import type { Logger } from '../../common/log.js';
import { IcapScanner, type Verdict } from './icap.js';

/** A scanner as operators have it: a command that reads a file on stdin, or a URL that one is posted to. */
export interface ScanOptions {
  /** Exit code 0: clean; 1: refused; any other: it could not look. Empty: none. */
  readonly command: string;
  /** icap: see icap.ts. http, https: 2xx clean; 403, 406 or 422 refused; any other: it could not look. Empty: none. */
  readonly url: string;
  readonly timeoutMs: number;
  /** What happens to a file that could not be looked at. */
  readonly onFailure: 'refuse' | 'accept';
}

const REFUSED_STATUS = [403, 406, 422];
const REFUSED_CODE = 1;

/** Asks the scanner about what was uploaded, before anybody can find it. */
export class Scanner {
  readonly #options: ScanOptions;
  readonly #log: Logger;
  readonly #icap: IcapScanner | undefined;
  readonly #counted = { scanned: 0, scanRefused: 0, scanFailed: 0 };

  constructor(options: ScanOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#icap = /^icap:/i.test(options.url) ? new IcapScanner(new URL(options.url)) : undefined;
  }

  get wanted(): boolean {
    return this.kind !== 'none';
  }
  get kind(): 'command' | 'url' | 'none' {
    return this.#options.command !== '' ? 'command' : this.#options.url !== '' ? 'url' : 'none';
  }
  /** Files that it was asked about, since this server was started. */
  get counted(): Readonly<Record<'scanned' | 'scanRefused' | 'scanFailed', number>> {
    return this.#counted;
  }

  /** @throws ImError FILE_REFUSED */
  async check(id: string, content: Readable): Promise<void> {
    const { timeoutMs, onFailure } = this.#options;
    this.#counted.scanned++;
    try {
      const verdict = await this.#look(id, content, AbortSignal.timeout(timeoutMs));
      if (verdict === 'refused') this.#counted.scanRefused++;
      if (verdict === 'refused') throw new ImError('FILE_REFUSED', `${id}: the scanner says no`);
    } catch (error) {
      if (error instanceof ImError && error.code !== 'STORE_UNAVAILABLE') throw error;
      this.#counted.scanFailed++;
      this.#log.error({ upload: id, error, onFailure }, 'a file could not be scanned');
      if (onFailure === 'refuse') throw new ImError('FILE_REFUSED', `${id}: it could not be scanned`, { cause: error });
    } finally {
      content.destroy();
    }
  }

  #look(id: string, content: Readable, signal: AbortSignal): Promise<Verdict> {
    const { command, url } = this.#options;
    if (command !== '') return byCommand(command, content, signal);
    return this.#icap?.scan(id, content, signal) ?? byUrl(url, content, signal);
  }
}

async function byCommand(command: string, content: Readable, signal: AbortSignal): Promise<Verdict> {
  const scanner = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const ended = new Promise<number | null>((resolve, reject) => {
    scanner.once('error', reject);
    scanner.once('exit', resolve);
  });
  // All that it has started as well.
  const kill = () => scanner.pid !== undefined && process.kill(-scanner.pid, 'SIGKILL');
  signal.addEventListener('abort', kill);
  try {
    // One that has seen enough reads no further.
    const fed = pipeline(content, scanner.stdin).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
    const [code] = await Promise.all([ended, fed]);
    signal.throwIfAborted();
    if (code !== 0 && code !== REFUSED_CODE) throw new Error(`the scanner ended with ${code}`);
    return code === 0 ? 'clean' : 'refused';
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

async function byUrl(url: string, content: Readable, signal: AbortSignal): Promise<Verdict> {
  const body = Readable.toWeb(content) as ReadableStream;
  const response = await fetch(url, { method: 'POST', body, duplex: 'half', signal } as RequestInit);
  await response.body?.cancel();
  if (response.ok) return 'clean';
  if (REFUSED_STATUS.includes(response.status)) return 'refused';
  throw new Error(`the scanner answers ${response.status}`);
}
