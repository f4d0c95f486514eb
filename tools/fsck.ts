import { Command, InvalidArgumentError } from 'commander';
import { fsck } from '../servers/db-proxy/storage/fsck.js';
import { MasterKeyring } from '../servers/db-proxy/storage/master-key.js';
import { Progress } from './backup/progress.js';
import { run } from './backup/run.js';
import { reportText } from './fsck/report.js';
import { addTargetOptions, type TargetOptions, targetOf } from './storage-target.js';

/** `npm run fsck`: does everything at rest agree with everything else? Changes nothing; the cluster may be running. */
const program = addTargetOptions(
  new Command('npm run fsck --')
    .description('Checks that everything in the databases agrees with everything else. Changes nothing.')
    .option('--open [percent]', 'open the bodies of messages too: of so many of them, all by default', percent)
    .option('--digest', 'print a digest of the rows of each bucket, to compare copies by', false)
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', '\nExit codes: 0 whole, 1 there are findings, 2 it could not be checked.'),
).parse();

interface Options extends TargetOptions {
  readonly open?: number | true;
  readonly digest: boolean;
  readonly json: boolean;
}

const COULD_NOT_CHECK = 2;

await run(
  'fsck',
  async () => {
    const { open = 0, digest, json, ...options } = program.opts<Options>();
    const target = await targetOf(options);
    const progress = new Progress('fsck');
    const report = await fsck({
      databaseUrl: target.databaseUrl,
      open: open === true ? 1 : open,
      ...(open === 0 ? {} : { masterKeys: await MasterKeyring.open(target.masterKey) }),
      digest,
      hear: (doing, rows) => progress.step(doing, rows),
    });
    process.stdout.write(`${json ? JSON.stringify(report) : reportText(report)}\n`);
    return report.whole ? 0 : 1;
  },
  COULD_NOT_CHECK,
);

/** @returns a share, 0 to 1 */
function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (!(value > 0 && value <= 100)) throw new InvalidArgumentError('expected a percentage above 0, at most 100.');
  return value / 100;
}
