import { hostname, userInfo } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { isScope, SCOPES, type Scope } from '../common/api-key.js';
import { API_KEY_NAME_LENGTH_MAX } from '../common/limits.js';
import { type ApiKey, ApiKeys } from '../servers/db-proxy/storage/api-keys.js';
import { openPool } from '../servers/db-proxy/storage/database.js';
import { Users } from '../servers/db-proxy/storage/users.js';
import { run } from './backup/run.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run api-keys`: who may use the HTTP interface, and for what. */
const DAY_MS = 86_400_000;

const program = new Command('npm run api-keys --').description('Keys of the HTTP interface.');

interface CreateOptions {
  readonly name: string;
  readonly scopes: Scope[];
  readonly user?: number;
  readonly days?: number;
}

command('create', 'makes a key and prints it, this once')
  .requiredOption('--name <name>', 'what it is for', name)
  .requiredOption('--scopes <list>', `what it opens, separated by commas, or "all": ${SCOPES.join(', ')}`, scopes)
  .option('--user <id>', 'it speaks as this user only, and sees what he may see', number)
  .option('--days <n>', 'it is good for so long; default: for ever', number)
  .action((options: TargetOptions & CreateOptions) =>
    act(options, async (keys, users) => {
      const { name, scopes, user: userId, days } = options;
      if (userId !== undefined && !(await users.existing([userId])).has(userId))
        throw new Error(`there is no user ${userId}`);
      const expiresMs = days === undefined ? undefined : Date.now() + days * DAY_MS;
      const { token } = await keys.create({ name, scopes, userId, expiresMs, actor: me() });
      process.stdout.write(`${token}\n`);
    }),
  );

command('list', 'prints all keys, newest first')
  .option('--json', 'as JSON', false)
  .action((options: TargetOptions & { json: boolean }) =>
    act(options, async (keys) => {
      const all = await keys.list();
      process.stdout.write(options.json ? `${JSON.stringify(all)}\n` : all.map(line).join(''));
    }),
  );

command('revoke', 'closes a key; it is refused within seconds')
  .argument('<id>', 'the part between the underscores')
  .action((id: string, options: TargetOptions) =>
    act(options, async (keys) => {
      if (!(await keys.revoke(id, me()))) throw new Error(`there is no key ${id}, or it was revoked before`);
    }),
  );

await program.parseAsync();

function command(name: string, words: string): Command {
  return addTargetOptions(program.command(name).description(words));
}

async function act(options: TargetOptions, work: (keys: ApiKeys, users: Users) => Promise<void>): Promise<void> {
  await run('api-keys', async () => {
    const { databaseUrl } = await targetOf(options);
    const meta = openPool(databaseUrl, 'teamtalk api-keys', 1);
    try {
      await work(new ApiKeys(meta), new Users(meta, 0));
    } finally {
      await meta.end();
    }
    return 0;
  });
}

function line({ id, name, scopes, userId, expiresMs, revokedMs, lastUsedMs }: ApiKey): string {
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 16);
  const parts = [
    revokedMs !== undefined
      ? `revoked ${date(revokedMs)}`
      : expiresMs !== undefined
        ? `${expiresMs < Date.now() ? 'expired' : 'until'} ${date(expiresMs)}`
        : 'good',
    lastUsedMs === undefined ? 'never used' : `used ${date(lastUsedMs)}`,
    ...(userId === undefined ? [] : [`as user ${userId}`]),
    scopes.length === SCOPES.length ? 'all scopes' : scopes.join(' '),
  ];
  return `${id}  ${name}\n    ${parts.join(', ')}\n`;
}

function me(): string {
  return `${userInfo().username}@${hostname()}`;
}

function name(text: string): string {
  if (text.trim() === '' || text.length > API_KEY_NAME_LENGTH_MAX)
    throw new InvalidArgumentError(`expected 1 to ${API_KEY_NAME_LENGTH_MAX} characters.`);
  return text;
}

function scopes(text: string): Scope[] {
  if (text === 'all') return [...SCOPES];
  return text.split(',').map((each) => {
    const scope = each.trim();
    if (!isScope(scope)) throw new InvalidArgumentError(`there is no scope ${scope}.`);
    return scope;
  });
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value >= 2 ** 30)
    throw new InvalidArgumentError('expected a whole number.');
  return value;
}
