import { useEffect, useState } from 'preact/hooks';
import type { StorageState } from '../../api.js';
import { api, may } from '../client.js';
import { bytes, dateTime, number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { Button, Cell, Dialog, Failure, Loading, Mark, Notice, Page, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { type Loaded, useLoad } from '../use-load.js';

const BUCKETS = 256;
const MOVING_MS = 2_000;
const COLOURS = ['--chart-1', '--chart-2', '--chart-3', '--chart-4'] as const;

/** Where messages are, and under which keys. */
export function StoragePage() {
  const state = useLoad(() => api<StorageState>('GET', '/api/storage'), []);
  const { data, error, reload } = state;
  const isMoving = data?.job?.running === true;
  useEffect(() => {
    if (!isMoving) return;
    const timer = setInterval(reload, MOVING_MS);
    return () => clearInterval(timer);
  }, [isMoving, reload]);
  return (
    <Page title={t('storage.title')} about={t('storage.about')}>
      {error && <Failure error={error} retry={reload} />}
      {data === undefined ? (
        error === undefined && <Loading />
      ) : (
        <>
          <Shards data={data} reload={reload} />
          <Keys state={state} data={data} />
        </>
      )}
    </Page>
  );
}

function Shards({ data, reload }: { data: StorageState; reload(): void }) {
  const [open, setOpen] = useState(false);
  const { shards, moves, job } = data;
  const total = Math.max(1, ...shards.map((shard) => shard.bytes ?? 0));
  const dead = moves.filter((move) => !move.attended);
  const owner = new Map(shards.flatMap((shard, i) => shard.buckets.map((bucket) => [bucket, i] as const)));
  return (
    <section class="sheet">
      <header class="spread">
        <h2>{t('storage.shards')}</h2>
        {may('storage.change') && shards.length > 1 && (
          <Button disabled={job?.running === true} onClick={() => setOpen(true)}>
            {t('storage.move')}
          </Button>
        )}
      </header>
      {job?.running === true && (
        <Notice>{t('storage.moving', { done: number(job.done), total: number(job.total), target: job.target })}</Notice>
      )}
      {job?.problem !== undefined && <Notice kind="bad">{job.problem}</Notice>}
      {dead.length > 0 && <Notice kind="bad">{t('storage.dead', { count: dead.length })}</Notice>}
      <table class="cards">
        <thead>
          <tr>
            <th>{t('storage.shard')}</th>
            <th>{t('storage.place')}</th>
            <th class="number">{t('storage.buckets')}</th>
            <th class="number">{t('storage.messages')}</th>
            <th class="number">{t('storage.size')}</th>
            <th>{t('storage.fill')}</th>
          </tr>
        </thead>
        <tbody>
          {shards.map((shard, i) => (
            <tr key={shard.name}>
              <Cell label="">
                <Mark>
                  <i class="dot" style={{ background: colourOf(i) }} />
                  {shard.name}
                </Mark>
              </Cell>
              <Cell label={t('storage.place')}>
                <code>{shard.place}</code>
              </Cell>
              <Cell label={t('storage.buckets')} class="number">
                {number(shard.buckets.length)}
              </Cell>
              <Cell label={t('storage.messages')} class="number">
                {shard.messages === undefined ? '–' : number(shard.messages)}
              </Cell>
              <Cell label={t('storage.size')} class="number">
                {shard.bytes === undefined ? '–' : bytes(shard.bytes)}
              </Cell>
              <Cell label={t('storage.fill')}>
                {shard.problem === undefined ? (
                  <div class="meter">
                    <i style={{ width: `${((shard.bytes ?? 0) / total) * 100}%`, background: colourOf(i) }} />
                  </div>
                ) : (
                  <Mark kind="bad">
                    <Said text={shard.problem} />
                  </Mark>
                )}
              </Cell>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="padded-inside">
        <div class="buckets" role="img" aria-label={t('storage.map')}>
          {Array.from({ length: BUCKETS }, (_, bucket) => (
            <i
              key={bucket}
              title={`${bucket}: ${shards[owner.get(bucket) ?? -1]?.name ?? '–'}`}
              style={{ background: owner.has(bucket) ? colourOf(owner.get(bucket)!) : 'var(--danger)' }}
            />
          ))}
        </div>
      </div>
      {open && <MoveDialog data={data} done={reload} onClose={() => setOpen(false)} />}
    </section>
  );
}

function colourOf(i: number): string {
  return `var(${COLOURS[i % COLOURS.length]})`;
}

function MoveDialog({ data, done, onClose }: { data: StorageState; done(): void; onClose(): void }) {
  const names = data.shards.map((shard) => shard.name);
  const [source, setSource] = useState(names[0]!);
  const [target, setTarget] = useState(names[1]!);
  const [count, setCount] = useState('16');
  const action = useAction();
  const choices = names.map((value) => ({ value, label: value }));
  const move = () =>
    action.run(async () => {
      await api('POST', '/api/storage/move', { source, target, count: Number(count) });
      say(t('storage.started'));
      done();
      onClose();
    });
  return (
    <Dialog title={t('storage.move')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void move();
        }}
      >
        {action.error && <Failure error={action.error} />}
        <p class="soft">{t('storage.moveText')}</p>
        <div class="two">
          <Select label={t('storage.from')} value={source} choices={choices} onValue={setSource} />
          <Select label={t('storage.to')} value={target} choices={choices} onValue={setTarget} />
        </div>
        <TextField
          label={t('storage.buckets')}
          value={count}
          onValue={setCount}
          inputMode="numeric"
          maxLength={3}
          required
        />
        <div class="actions end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button
            kind="main"
            type="submit"
            busy={action.busy}
            disabled={source === target || !/^[1-9]\d{0,2}$/.test(count)}
          >
            {t('storage.move')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Keys({ data, state }: { data: StorageState; state: Loaded<StorageState> }) {
  const action = useAction();
  const begin = async () => {
    if (!(await sure({ title: t('keys.beginSure'), text: t('keys.beginText'), yes: t('keys.begin') }))) return;
    await action.run(async () => {
      await api('POST', '/api/storage/epoch', {});
      say(t('keys.begun'));
      await state.reload();
    });
  };
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('keys.title')}</h2>
          <p class="soft small-text">
            {t('keys.master')} <code>{data.masterKeys.join(', ')}</code>
          </p>
        </div>
        {may('storage.change') && (
          <Button icon="key" busy={action.busy} onClick={() => void begin()}>
            {t('keys.begin')}
          </Button>
        )}
      </header>
      {action.error && <Failure error={action.error} />}
      {data.problems.map((problem) => (
        <Notice key={problem} kind="bad">
          {problem}
        </Notice>
      ))}
      <table class="cards">
        <thead>
          <tr>
            <th class="number">{t('keys.epoch')}</th>
            <th>{t('keys.created')}</th>
            <th class="number">{t('keys.current')}</th>
            <th class="number">{t('keys.keys')}</th>
            <th class="number">{t('keys.destroyed')}</th>
            <th class="number">{t('keys.messages')}</th>
          </tr>
        </thead>
        <tbody>
          {data.epochs.map((epoch) => (
            <tr key={epoch.epoch}>
              <Cell label={t('keys.epoch')} class="number">
                {epoch.epoch}
              </Cell>
              <Cell label={t('keys.created')}>{dateTime(epoch.createdMs)}</Cell>
              <Cell label={t('keys.current')} class="number">
                {number(epoch.current)}
              </Cell>
              <Cell label={t('keys.keys')} class="number">
                {number(epoch.keys)}
              </Cell>
              <Cell label={t('keys.destroyed')} class="number">
                {number(epoch.destroyed)}
              </Cell>
              <Cell label={t('keys.messages')} class="number">
                {number(epoch.messages)}
              </Cell>
            </tr>
          ))}
        </tbody>
      </table>
      {data.resealBuckets > 0 && (
        <p class="padded-inside soft">
          {t('keys.reseal', { done: number(data.resealFinished), total: number(data.resealBuckets) })}
        </p>
      )}
    </section>
  );
}
