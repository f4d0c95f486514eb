import { readFile } from 'node:fs/promises';
import { SettingsError } from '../../../common/settings.js';

const KEY = /^[0-9a-fA-F]{64}$/;

/**
 * The master key, 32 bytes as 64 hex digits, out of the setting itself or of a file.
 * @throws SettingsError that says what is missing or wrong, never the key.
 */
export async function readMasterKey(settings: { masterKey: string; masterKeyFile: string }): Promise<Buffer> {
  if (settings.masterKey !== '') return parse(settings.masterKey, 'masterKey');
  if (settings.masterKeyFile === '')
    throw new SettingsError(
      'no master key: set masterKeyFile (a file with 64 hex digits) or masterKey; `openssl rand -hex 32` makes one',
    );
  let text: string;
  try {
    text = await readFile(settings.masterKeyFile, 'utf8');
  } catch (error) {
    throw new SettingsError(`masterKeyFile ${settings.masterKeyFile}: ${(error as Error).message}`);
  }
  return parse(text, `masterKeyFile ${settings.masterKeyFile}`);
}

function parse(text: string, from: string): Buffer {
  if (!KEY.test(text.trim())) throw new SettingsError(`${from}: expected 64 hex digits (32 bytes)`);
  return Buffer.from(text.trim(), 'hex');
}
