import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { readSettings, SettingsError, sourcesOfProcess } from '../common/settings.js';
import { dbProxySettings } from '../servers/db-proxy/settings.js';
import { checkDatabaseUrl } from '../servers/db-proxy/storage/database-url.js';
import type { MasterKeySettings } from '../servers/db-proxy/storage/master-key.js';

/**
 * Which cluster's storage a tool is to work on, found in the same way by all of them. The database is the first of
 *
 *   --database URL              seen by every user of this machine in the list of processes when it has a password
 *   --data DIR                  DIR/database.url, which `npm start` writes
 *   the db-proxy's settings     TT_DB_PROXY_DATABASE_URL, TT_DATABASE_URL, or the file in TT_SETTINGS
 *   DATABASE_URL
 *   ./data/database.url
 *
 * and the master key the first of --master-key-file, the db-proxy's settings, and DIR/master.key.
 */
export interface TargetOptions {
  readonly database?: string;
  readonly data?: string;
  readonly masterKeyFile?: string;
}

export interface Target {
  readonly databaseUrl: string;
  /** Where the URL was found, for messages. */
  readonly databaseFrom: string;
  /** To be handed to MasterKeyring.open or openStorage; nothing has been read yet. */
  readonly masterKey: Required<MasterKeySettings>;
  /** The master key is taken from this file of the launcher's data folder; undefined: from elsewhere. */
  readonly ownKeyFile: string | undefined;
}

const DATA = 'data';

/** Adds --database, --data and --master-key-file. */
export function addTargetOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--database <url>', 'PostgreSQL of the meta schema').default(
        undefined,
        `${DATA}/database.url, or TT_DB_PROXY_DATABASE_URL or DATABASE_URL in the environment`,
      ),
    )
    .addOption(new Option('--data <dir>', 'folder of a cluster that `npm start` made').default(undefined, DATA))
    .addOption(
      new Option('--master-key-file <file>', 'the master key in use').default(
        undefined,
        'as the db-proxies have it in their settings, or <dir>/master.key',
      ),
    );
}

/** @throws SettingsError that says what is missing and how to give it */
export async function targetOf(options: TargetOptions): Promise<Target> {
  const settings = givenSettings();
  const dir = options.data ?? DATA;
  const [databaseUrl, databaseFrom] = await databaseOf(options, settings.databaseUrl, dir);
  try {
    checkDatabaseUrl(databaseUrl);
  } catch (error) {
    throw new SettingsError(`${databaseFrom} is ${(error as Error).message}`);
  }
  return { databaseUrl, databaseFrom, ...masterKeyOf(options, settings, dir) };
}

/** What the db-proxies of this machine would run with; nothing given is the empty text. */
function givenSettings() {
  const definitions = { ...dbProxySettings, databaseUrl: { ...dbProxySettings.databaseUrl, default: '' } };
  return readSettings('db-proxy', definitions, sourcesOfProcess());
}

async function databaseOf(options: TargetOptions, given: string, dir: string): Promise<[url: string, from: string]> {
  if (options.database !== undefined) return [options.database, '--database'];
  const file = join(dir, 'database.url');
  if (options.data === undefined) {
    if (given !== '') return [given, "databaseUrl of the db-proxy's settings"];
    const { DATABASE_URL = '' } = process.env;
    if (DATABASE_URL !== '') return [DATABASE_URL, 'DATABASE_URL'];
  }
  try {
    return [(await readFile(file, 'utf8')).trim(), file];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `there is no ${resolve(file)}` : message;
    throw new SettingsError(
      `which database? ${why}. Give --data with the folder of a cluster that was started by \`npm start\`, or --database, or set TT_DB_PROXY_DATABASE_URL`,
    );
  }
}

function masterKeyOf(
  { masterKeyFile }: TargetOptions,
  settings: Required<MasterKeySettings>,
  dir: string,
): Pick<Target, 'masterKey' | 'ownKeyFile'> {
  const fromFile = (file: string) => ({ masterKey: '', masterKeyCommand: '', masterKeyFile: file });
  if (masterKeyFile !== undefined) return { masterKey: fromFile(masterKeyFile), ownKeyFile: undefined };
  const { masterKey, masterKeyCommand, masterKeyFile: given } = settings;
  if (masterKey !== '' || masterKeyCommand !== '' || given !== '')
    return { masterKey: { masterKey, masterKeyCommand, masterKeyFile: given }, ownKeyFile: undefined };
  const own = join(dir, 'master.key');
  return existsSync(own)
    ? { masterKey: fromFile(own), ownKeyFile: own }
    : { masterKey: fromFile(''), ownKeyFile: undefined };
}
