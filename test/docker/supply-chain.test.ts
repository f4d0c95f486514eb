/** What comes from others: licences, install scripts, the list of parts, and that no secret lies in our own files. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { projectRoot } from '../../common/root.js';
import { licencesOf, lockedPackages, nameOf } from '../../tools/licences.js';
import { temporaryFolder } from '../support/blobs.js';

const run = promisify(execFile);
const packages = await lockedPackages();

t.test('only licences that we may take, only install scripts that nobody needs', async (t) => {
  const { byLicence, faults } = licencesOf(packages);
  t.same(faults, []);
  t.ok(byLicence.get('MIT')!.length > 100, 'they are looked at');
  const wrong = {
    'node_modules/a': { license: 'GPL-3.0-only' },
    'node_modules/b/node_modules/@x/c': { license: 'MIT AND AGPL-3.0-only' },
    'node_modules/d': { license: 'MPL-2.0' },
    'node_modules/e': {},
    'node_modules/f': { license: '(GPL-2.0 OR MIT)', hasInstallScript: true },
  };
  t.same(licencesOf(wrong).faults, [
    'a is under GPL-3.0-only',
    '@x/c is under MIT AND AGPL-3.0-only',
    'd is under MPL-2.0',
    'e is under none',
    'f wants to run a script when it is installed',
  ]);
  const { stdout } = await run('npm', ['config', 'get', 'ignore-scripts'], { cwd: projectRoot });
  t.equal(stdout.trim(), 'true', 'and none is run');
});

t.test('npm run sbom lists what is shipped, as CycloneDX', async (t) => {
  const { stdout } = await run('npm', ['run', '--silent', 'sbom'], { cwd: projectRoot, maxBuffer: 64 * 1024 * 1024 });
  const bill = JSON.parse(stdout) as {
    bomFormat: string;
    components: { name: string; group?: string; version: string }[];
  };
  t.equal(bill.bomFormat, 'CycloneDX');
  const listed = new Set(
    bill.components.map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`),
  );
  const shipped = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional,
  );
  t.ok(shipped.length > 200);
  const missing = shipped.map(([path, { version }]) => `${nameOf(path)}@${version}`).filter((it) => !listed.has(it));
  t.same(missing, [], 'all of it');
  t.notOk(
    [...listed].some((it) => it.startsWith('tap@')),
    'and not what we test with',
  );
});

t.test('npm run secrets finds a secret', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const scan = async () => {
    const command = join(projectRoot, 'node_modules/.bin/secretlint');
    const rules = join(projectRoot, '.secretlintrc.json');
    return run(command, ['--maskSecrets', '--secretlintrc', rules, 'a.env'], { cwd: folder }).then(
      () => 'clean',
      ({ stdout }: { stdout: string }) => stdout,
    );
  };
  await writeFile(join(folder, 'a.env'), 'TT_FILE_S3_ACCESS_KEY=from-the-environment\n');
  t.equal(await scan(), 'clean');
  // Made up anew, so that it is not in this file.
  const key = `AKIA${randomBytes(40)
    .toString('base64')
    .replace(/[^A-Z2-7]/g, '')
    .padEnd(16, 'A')
    .slice(0, 16)}`;
  await writeFile(
    join(folder, 'a.env'),
    `aws_access_key_id = ${key}\naws_secret_access_key = ${randomBytes(30).toString('base64')}\n`,
  );
  t.match(await scan(), /AWS/);
});
