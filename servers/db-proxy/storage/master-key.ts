import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SettingsError } from '../../../common/settings.js';

/**
 * The master key, 32 bytes as 64 hex digits. It wraps the data keys and is never written to a database. It comes from
 * the first of these that is set:
 *
 *   masterKey         the setting itself
 *   masterKeyCommand  what this command prints: the command line of a key management service, say
 *   masterKeyFile     a file
 *
 * Each may give several keys, one a line. That is for the time of a master rotation: a db-proxy that has the old and
 * the new one starts before it and after it. Which of them wraps the data keys is written beside these, as the key's
 * fingerprint; into an empty database the first one goes.
 */
export interface MasterKeySettings {
  readonly masterKey: string;
  readonly masterKeyFile: string;
  /**
   * Run by `/bin/sh -c` exactly as the operator wrote it: nothing of ours, and nothing that came over a network, is ever
   * put into it. It has the environment of the process, no input, and COMMAND_MS_MAX to print the key on stdout. What it
   * says on stderr goes into the error when it fails, longer runs of hex digits blanked.
   */
  readonly masterKeyCommand?: string;
}

const KEY = /^[0-9a-fA-F]{64}$/;
const KEYS_MAX = 8;
const COMMAND_MS_MAX = 10_000;
const COMMAND_OUTPUT_MAX = 64 * 1024;
const COMPLAINT_MAX = 1_000;
/** Between two readings by a running server: a command may be slow, and costs money at some services. */
const READ_AGAIN_MS = 10_000;

export class MasterKeyring {
  readonly #read: (() => Promise<Buffer[]>) | undefined;
  #keys: ReadonlyMap<string, Buffer>;
  #readMs = Number.NEGATIVE_INFINITY;

  private constructor(keys: readonly Buffer[], read?: () => Promise<Buffer[]>) {
    this.#keys = byFingerprint(keys);
    this.#read = read;
  }

  /** @throws SettingsError that says what is missing or wrong, never the key. */
  static async open(settings: MasterKeySettings): Promise<MasterKeyring> {
    const read = () => readMasterKeys(settings);
    return new MasterKeyring(await read(), read);
  }

  /** Of keys at hand, 32 bytes each. */
  static of(...keys: readonly Buffer[]): MasterKeyring {
    return new MasterKeyring(keys);
  }

  /** The key of this fingerprint; undefined when it is not one of ours. */
  get(fingerprint: string): Buffer | undefined {
    return this.#keys.get(fingerprint);
  }

  get fingerprints(): readonly string[] {
    return [...this.#keys.keys()];
  }

  get keys(): readonly Buffer[] {
    return [...this.#keys.values()];
  }

  /** What a new cluster begins with. */
  get first(): { readonly fingerprint: string; readonly key: Buffer } {
    const [fingerprint, key] = [...this.#keys][0]!;
    return { fingerprint, key };
  }

  /**
   * Asks where the keys came from once more, as somebody may have put a new one there; every 10 s at most.
   * @throws SettingsError when that fails; the keys stay as they were
   */
  async readAgain(): Promise<void> {
    if (this.#read === undefined || performance.now() - this.#readMs < READ_AGAIN_MS) return;
    this.#readMs = performance.now();
    this.#keys = byFingerprint(await this.#read());
  }
}

/** Names a master key without telling anything about it. 16 hex digits. */
export function fingerprintOf(masterKey: Buffer): string {
  return createHash('sha256').update('teamtalk master key\0').update(masterKey).digest('hex').slice(0, 16);
}

/**
 * All master keys that the settings give, 32 bytes each, at least one. `commandMsMax` is for tests.
 * @throws SettingsError that says what is missing or wrong, never the key.
 */
export async function readMasterKeys(
  settings: MasterKeySettings,
  { commandMsMax = COMMAND_MS_MAX } = {},
): Promise<Buffer[]> {
  const { masterKey, masterKeyFile, masterKeyCommand = '' } = settings;
  if (masterKey !== '') return parse(masterKey, 'masterKey');
  if (masterKeyCommand !== '') return parse(await outputOf(masterKeyCommand, commandMsMax), 'masterKeyCommand printed');
  if (masterKeyFile !== '') return readKeyFile(masterKeyFile);
  throw new SettingsError(
    'no master key: set masterKeyFile (a file with 64 hex digits), masterKeyCommand or masterKey; `openssl rand -hex 32` makes one',
  );
}

/** @throws SettingsError as readMasterKeys does */
export async function readKeyFile(path: string): Promise<Buffer[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`masterKeyFile ${path}: ${(error as Error).message}`);
  }
  return parse(text, `masterKeyFile ${path}`);
}

/** Writes keys, one a line, readable by the owner only: all of the file is there after a power cut, or all of the old one. */
export async function writeKeyFile(path: string, keys: readonly Buffer[]): Promise<void> {
  const draft = await open(`${path}.new`, 'w', 0o600);
  try {
    await draft.chmod(0o600); // it may be there from a run that was killed
    await draft.writeFile(keys.map((key) => `${key.toString('hex')}\n`).join(''));
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.new`, path);
  const folder = await open(dirname(path));
  await folder.sync().finally(() => folder.close());
}

function parse(text: string, from: string): Buffer[] {
  const words = text.trim().split(/[\s,]+/);
  if (words.length > KEYS_MAX || !words.every((word) => KEY.test(word)))
    throw new SettingsError(
      `${from}: expected 64 hex digits (32 bytes), or several such lines, but found ${text.trim().length} characters that are something else`,
    );
  return words.map((word) => Buffer.from(word, 'hex'));
}

function byFingerprint(keys: readonly Buffer[]): ReadonlyMap<string, Buffer> {
  return new Map(keys.map((key) => [fingerprintOf(key), key]));
}

/** @throws SettingsError when the command fails, says too much or takes too long */
async function outputOf(command: string, msMax: number): Promise<string> {
  // A process group of its own, so that at the deadline not only the shell ends but also what it runs.
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let ended: string | undefined;
  const end = (why: string) => {
    ended ??= why;
    killGroup(child.pid);
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const deadline = setTimeout(() => end(`did not end within ${msMax / 1000} s`), msMax);
  const told = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      told[name] += text;
      if (told[name].length > COMMAND_OUTPUT_MAX) end(`printed more than ${COMMAND_OUTPUT_MAX} characters`);
    });
  }
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (ended === undefined && code !== 0) ended = `ended with ${signal ?? `exit code ${code}`}`;
  } catch (error) {
    ended = (error as Error).message; // there is no /bin/sh, or no process to be had
  }
  clearTimeout(deadline);
  if (ended !== undefined) throw new SettingsError(`masterKeyCommand ${ended}${complaint(told.stderr)}`);
  return told.stdout;
}

/** What the command said, without anything that might be a key: `sh -x` repeats whatever it handles. */
function complaint(stderr: string): string {
  const words = stderr.replace(/[0-9a-fA-F]{32,}/g, '[hex digits]').trim();
  return words === '' ? '' : `: ${words.slice(0, COMPLAINT_MAX)}`;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // all of it has ended
  }
}
