import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { projectRoot } from '../../common/root.js';
import { type Definitions, environmentName } from '../../common/settings.js';
import { adminSettings } from '../../servers/admin/settings.js';
import { dbProxySettings } from '../../servers/db-proxy/settings.js';
import { fileSettings } from '../../servers/file/settings.js';
import { httpMsgSettings } from '../../servers/http-msg/settings.js';
import { loginSettings } from '../../servers/login/settings.js';
import { msgSettings } from '../../servers/msg/settings.js';
import { pushSettings } from '../../servers/push/settings.js';
import { routeSettings } from '../../servers/route/settings.js';

export const DOCKER = join(projectRoot, 'docker');

export const DEFINITIONS: Readonly<Record<string, Definitions>> = {
  login: loginSettings,
  msg: msgSettings,
  route: routeSettings,
  'db-proxy': dbProxySettings,
  file: fileSettings,
  'http-msg': httpMsgSettings,
  push: pushSettings,
  admin: adminSettings,
};

/** Every variable that some server reads. */
export function knownVariables(): Set<string> {
  const known = new Set(['TT_SETTINGS']);
  for (const [server, definitions] of Object.entries(DEFINITIONS)) {
    for (const [name, { secret }] of Object.entries(definitions)) {
      for (const variable of [environmentName(server, name), environmentName('', name)]) {
        known.add(variable);
        if (secret) known.add(`${variable}_FILE`);
      }
    }
  }
  return known;
}

export interface TextFile {
  /** From docker/. */
  readonly path: string;
  readonly text: string;
}

/** All files below docker/, those that git does not keep left out. */
export async function dockerFiles(): Promise<TextFile[]> {
  const entries = await readdir(DOCKER, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const kept = paths.map((path) => path.slice(DOCKER.length + 1)).filter((path) => !/^(\.env$|secrets\/)/.test(path));
  return Promise.all(kept.sort().map(async (path) => ({ path, text: await readFile(join(DOCKER, path), 'utf8') })));
}

/** The documents of a YAML file, each as a plain value. @throws when it is no YAML, duplicate keys included */
export function yamlOf(text: string): unknown[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as unknown;
  });
}
