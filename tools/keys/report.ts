import type { KeyLine, KeyStatus } from '../../servers/db-proxy/storage/key-status.js';
import type { ResealProgress, ResealReport } from '../../servers/db-proxy/storage/reseal.js';
import { count, duration } from '../shards/progress.js';

/** Between two lines about the progress, where nobody sees a line change. */
const LINE_MS = 5_000;

/** What `status` prints: epochs, or the data keys of some buckets one by one. */
export function statusText(status: KeyStatus, { single }: { single: boolean }): string {
  const { masterKeys, version, estimated, keys, holders, reseal } = status;
  const about = estimated ? '~' : '';
  const lines = [
    `master key ${masterKeys.join(' and ')}; keys changed last in version ${version}`,
    '',
    ...(single ? keyTable(keys, about) : epochTable(keys, about)),
    '',
    `resealing: ${reseal.buckets === 0 ? 'there are no past epochs' : `${reseal.finished} of ${reseal.buckets} buckets with past epochs are done`}${
      reseal.unopenable === 0 ? '' : `, ${count(reseal.unopenable)} messages in them cannot be opened`
    }`,
    ...holders.map(
      ({ name, takenUp, seenMsAgo, problem }) =>
        `db-proxy ${name}: ${takenUp ? 'has the newest keys' : 'has not taken up the newest keys yet'}, seen ${duration(seenMsAgo)} ago${
          problem === '' ? '' : `; ${problem}`
        }`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function epochTable(keys: readonly KeyLine[], about: string): string[] {
  const rows = [...new Set(keys.map((key) => key.epoch))].map((epoch) => {
    const own = keys.filter((key) => key.epoch === epoch);
    const messages = own.reduce((sum, key) => sum + key.messages, 0);
    const oldest = Math.min(...own.map((key) => key.created.getTime()));
    const number = (is: (key: KeyLine) => boolean) => `${own.filter(is).length}`;
    return [
      `${epoch}`,
      `${own.length}`,
      number((key) => key.current),
      number((key) => key.destroyed),
      `${about}${count(messages)}`,
      age(oldest),
    ];
  });
  return table([['epoch', 'buckets', 'sealing', 'destroyed', 'messages', 'age'], ...rows]);
}

function keyTable(keys: readonly KeyLine[], about: string): string[] {
  const state = ({ current, destroyed }: KeyLine) => (destroyed ? 'destroyed' : current ? 'sealing' : 'past');
  const rows = [...keys]
    .sort((a, b) => a.bucket - b.bucket || a.epoch - b.epoch)
    .map((key) => [
      `${key.bucket}/${key.epoch}`,
      `${key.keyId}`,
      state(key),
      `${about}${count(key.messages)}`,
      age(key.created.getTime()),
    ]);
  return table([['bucket/epoch', 'key id', 'state', 'messages', 'age'], ...rows]);
}

export function resealText(report: ResealReport): string {
  const { buckets, resealed, unopenable, damaged, moving, stopped } = report;
  const lines = [`${count(resealed)} messages are sealed anew, ${buckets} buckets are done`];
  if (unopenable > 0) lines.push(`${count(unopenable)} messages cannot be opened and were left as they are`);
  if (damaged > 0)
    lines.push(`${count(damaged)} of them are damaged, as their keys are there: restore them from a backup`);
  if (moving.length > 0)
    lines.push(
      `left out, as a move of them was cut off: bucket ${moving.join(', ')}. Run \`npm run shards -- resume\`, then this again`,
    );
  if (stopped) lines.push('told to stop before the end: run it again to go on');
  else if (moving.length === 0) lines.push('`npm run keys -- retire` forgets the keys that are not needed any more');
  return `${lines.join('\n')}\n`;
}

/** Tells how far a resealing is: on a terminal in one line that changes, elsewhere now and then. */
export class ResealLine {
  readonly #out: NodeJS.WriteStream;
  #saidMs = performance.now();
  #open = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  at({ doing, bucketsDone, buckets, passed, total, resealed, msLeft }: ResealProgress): void {
    const nowMs = performance.now();
    if (!this.#out.isTTY && nowMs - this.#saidMs < LINE_MS) return;
    this.#saidMs = nowMs;
    const part = total === 0 ? 100 : Math.floor((passed / total) * 100);
    const left = msLeft === undefined ? '' : `, about ${duration(msLeft)} left`;
    const line = `${doing}: ${bucketsDone} of ${buckets} buckets, ${part} % of ${count(total)} messages, ${count(resealed)} sealed anew${left}`;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    this.#open = this.#out.isTTY;
  }

  /** Something else is going to be said. */
  end(): void {
    if (this.#open) this.#out.write('\n');
    this.#open = false;
  }
}

function age(sinceMs: number): string {
  const ms = Math.max(0, Date.now() - sinceMs);
  return ms < 2 * 86_400_000 ? duration(ms) : `${Math.floor(ms / 86_400_000)} days`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
  return rows.map((row) => line(row).trimEnd());
}
