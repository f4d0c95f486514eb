import { hostname, userInfo } from 'node:os';
import { Argument, Command } from 'commander';
import { pino } from 'pino';
import { ROLES, type Role } from '../common/roles.js';
import { type AdminChange, Admins } from '../servers/db-proxy/storage/admins.js';
import { Audit } from '../servers/db-proxy/storage/audit.js';
import { openPool } from '../servers/db-proxy/storage/database.js';
import { run } from './backup/run.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run admins`: the way into the console when nobody has one, or nobody has it any more. */
const program = new Command('npm run admins --').description('Accounts of the console.');

command('create', 'makes an account and prints its one-time password')
  .argument('<name>')
  .addArgument(new Argument('<role>').choices(ROLES))
  .action((name: string, role: Role, options: TargetOptions) =>
    change(options, () => ({ id: undefined, name, role, disabled: undefined, reset: false })),
  );

command('reset', 'prints a new one-time password, turns codes off, ends all sessions, lets it in again')
  .argument('<name>')
  .action((name: string, options: TargetOptions) =>
    change(options, async (admins) => {
      const admin = (await admins.list()).find((each) => each.name.toLowerCase() === name.toLowerCase());
      if (admin === undefined) throw new Error(`there is no account ${name}`);
      return { id: admin.id, name: undefined, role: undefined, disabled: false, reset: true };
    }),
  );

await program.parseAsync();

function command(name: string, words: string): Command {
  return addTargetOptions(program.command(name).description(words));
}

type Wanted = Omit<AdminChange, 'version'>;

async function change(options: TargetOptions, wanted: (admins: Admins) => Promise<Wanted> | Wanted): Promise<void> {
  await run('admins', async () => {
    const { databaseUrl } = await targetOf(options);
    const meta = openPool(databaseUrl, 'teamtalk admins', 1);
    try {
      const admins = new Admins(meta, new Audit(meta, pino({ level: 'silent' })));
      const tool = `${userInfo().username}@${hostname()}`;
      const made = await admins.change({ tool }, { ...(await wanted(admins)), version: undefined });
      if (made.result !== 'ok') throw new Error(`not done: ${made.result}`);
      process.stdout.write(`${made.password}\n`);
    } finally {
      await meta.end();
    }
    return 0;
  });
}
