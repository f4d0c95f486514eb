import { useEffect, useState } from 'preact/hooks';
import type { Figures, MsgServerInfo, ServerFigures, StorageState } from '../../api.js';
import { api, may, readSession } from '../client.js';
import { ago, bytes, dateTime, number, t } from '../texts/index.js';
import { Chart } from '../ui/chart.js';
import { Cell, Failure, Loading, Mark, Nothing, Notice, Page, Said } from '../ui/parts.js';
import { useLoad } from '../use-load.js';
import { ExportsNotice } from './exports.js';

const KEPT = 300;
const CLIENTS = [
  { name: 'windows', label: 'Windows', colour: '--chart-1' },
  { name: 'mac', label: 'macOS', colour: '--chart-2' },
  { name: 'ios', label: 'iOS', colour: '--chart-3' },
  { name: 'android', label: 'Android', colour: '--chart-4' },
] as const;

/** Figures so far, and then each new one as it comes. */
function useFigures() {
  const past = useLoad(() => api<Figures[]>('GET', '/api/overview'), []);
  const [live, setLive] = useState<readonly Figures[]>([]);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    const source = new EventSource('/api/overview/stream');
    source.onmessage = (event: MessageEvent<string>) => {
      setLost(false);
      setLive((before) => [...before.slice(-KEPT), JSON.parse(event.data) as Figures]);
    };
    source.onerror = () => setLost(true); // the browser tries again by itself
    source.addEventListener('over', () => {
      source.close();
      void api('GET', '/api/session').then(readSession); // asks for the password over the page
    });
    return () => source.close();
  }, []);
  const newestPast = past.data?.at(-1)?.atMs ?? 0;
  const all = [...(past.data ?? []), ...live.filter((figures) => figures.atMs > newestPast)].slice(-KEPT);
  return { all, lost, past };
}

export function OverviewPage() {
  const { all, lost, past } = useFigures();
  const now = all.at(-1);
  return (
    <Page title={t('overview.title')} about={t('overview.about')}>
      {past.error && <Failure error={past.error} retry={past.reload} />}
      {may('export.look') && <ExportsNotice />}
      {lost && <Notice kind="warn">{t('overview.lost')}</Notice>}
      {now === undefined ? past.error === undefined && <Loading /> : <Live all={all} now={now} />}
    </Page>
  );
}

function Live({ all, now }: { all: readonly Figures[]; now: Figures }) {
  const atMs = all.map((figures) => figures.atMs);
  const up = now.servers.filter((server) => server.up && server.problem === undefined).length;
  const values = (of: (figures: Figures) => number | undefined) => all.map((figures) => of(figures) ?? null);
  return (
    <>
      <dl class="tiles">
        <Tile label={t('overview.up')} value={`${up}`} after={`/ ${now.servers.length}`} />
        <Tile label={t('overview.online')} value={number(now.sessions)} />
        <Tile
          label={t('overview.messages')}
          value={number(now.messagesPerSecond, now.messagesPerSecond < 10 ? 1 : 0)}
        />
        <Tile label={t('overview.ack')} value={now.ackP99Ms === undefined ? '–' : number(now.ackP99Ms, 1)} after="ms" />
        <Tile label={t('overview.waiting')} value={number(now.appendWaiting)} />
        <Tile label={t('overview.unacked')} value={number(now.unackedPerSecond, 1)} />
      </dl>
      <div class="charts">
        <Chart
          title={t('overview.messages')}
          unit=""
          atMs={atMs}
          lines={[
            { label: t('overview.stored'), colour: '--chart-1', values: values((each) => each.messagesPerSecond) },
            { label: t('overview.logins'), colour: '--chart-2', values: values((each) => each.loginsPerSecond) },
          ]}
        />
        <Chart
          title={t('overview.ackTitle')}
          unit=" ms"
          atMs={atMs}
          lines={[
            { label: t('overview.half'), colour: '--chart-1', values: values((each) => each.ackP50Ms) },
            { label: t('overview.most'), colour: '--chart-2', values: values((each) => each.ackP99Ms) },
          ]}
        />
        <Chart
          title={t('overview.clients')}
          unit=""
          atMs={atMs}
          lines={CLIENTS.map(({ name, label, colour }) => ({
            label,
            colour,
            values: values((each) => each.sessionsByClient[name] ?? 0),
          }))}
        />
        <Chart
          title={t('overview.queues')}
          unit=""
          atMs={atMs}
          lines={[
            { label: t('overview.appendQueue'), colour: '--chart-1', values: values((each) => each.appendWaiting) },
            { label: t('overview.askQueue'), colour: '--chart-2', values: values((each) => each.asksOpen) },
          ]}
        />
      </div>
      <Servers servers={now.servers} />
      <MsgServers />
      <ShardFill />
    </>
  );
}

function Tile({ label, value, after }: { label: string; value: string; after?: string }) {
  return (
    <div class="sheet tile">
      <dt>{label}</dt>
      <dd>
        {value} {after !== undefined && <small>{after}</small>}
      </dd>
    </div>
  );
}

function Servers({ servers }: { servers: readonly ServerFigures[] }) {
  return (
    <section class="sheet">
      <header>
        <h2>{t('overview.servers')}</h2>
      </header>
      {servers.length === 0 ? (
        <Nothing text={t('overview.noServers')} />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('server.name')}</th>
              <th>{t('server.role')}</th>
              <th>{t('server.state')}</th>
              <th class="number">{t('server.cpu')}</th>
              <th class="number">{t('server.memory')}</th>
              <th>{t('server.since')}</th>
            </tr>
          </thead>
          <tbody>
            {servers.map((server) => (
              <tr key={server.address}>
                <Cell label="">
                  <Said text={server.name} />
                </Cell>
                <Cell label={t('server.role')}>{server.role}</Cell>
                <Cell label={t('server.state')}>
                  <State server={server} />
                </Cell>
                <Cell label={t('server.cpu')} class="number">
                  {server.cpuShare === undefined ? '–' : `${number(server.cpuShare * 100)} %`}
                </Cell>
                <Cell label={t('server.memory')} class="number">
                  {server.memoryBytes === undefined ? '–' : bytes(server.memoryBytes)}
                </Cell>
                <Cell label={t('server.since')}>
                  {server.startedMs === undefined ? (
                    '–'
                  ) : (
                    <span title={dateTime(server.startedMs)}>{ago(server.startedMs)}</span>
                  )}
                </Cell>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function State({ server }: { server: ServerFigures }) {
  if (!server.up) return <Mark kind="bad">{t('server.down')}</Mark>;
  if (server.problem !== undefined) return <Mark kind="warn">{server.problem}</Mark>;
  return <Mark kind="good">{t('server.up')}</Mark>;
}

function MsgServers() {
  const { data } = useLoad(() => api<MsgServerInfo[]>('GET', '/api/overview/msg-servers'), []);
  if (data === undefined || data.length === 0) return null;
  return (
    <section class="sheet">
      <header>
        <h2>{t('overview.msgServers')}</h2>
      </header>
      <table class="cards">
        <thead>
          <tr>
            <th>{t('server.name')}</th>
            <th>{t('server.place')}</th>
            <th>{t('server.state')}</th>
            <th class="number">{t('server.connections')}</th>
          </tr>
        </thead>
        <tbody>
          {data.map((server) => (
            <tr key={server.name}>
              <Cell label="">
                <Said text={server.name} />
              </Cell>
              <Cell label={t('server.place')}>
                <code>{server.place}</code>
              </Cell>
              <Cell label={t('server.state')}>
                {server.draining ? (
                  <Mark kind="warn">{t('server.draining')}</Mark>
                ) : (
                  <Mark kind="good">{t('server.up')}</Mark>
                )}
              </Cell>
              <Cell label={t('server.connections')} class="number">
                {number(server.connections)} / {number(server.connectionsMax)}
              </Cell>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** How much there is on each shard: looked at once, as counting costs every one of them a look at its tables. */
function ShardFill() {
  const { data, error, reload } = useLoad(() => api<StorageState>('GET', '/api/storage'), []);
  if (data === undefined) return error === undefined ? null : <Failure error={error} retry={reload} />;
  const most = Math.max(1, ...data.shards.map((shard) => shard.bytes ?? 0));
  return (
    <section class="sheet">
      <header>
        <h2>{t('overview.shards')}</h2>
      </header>
      <table class="cards">
        <thead>
          <tr>
            <th>{t('storage.shard')}</th>
            <th class="number">{t('storage.buckets')}</th>
            <th class="number">{t('storage.messages')}</th>
            <th class="number">{t('storage.size')}</th>
            <th>{t('storage.fill')}</th>
          </tr>
        </thead>
        <tbody>
          {data.shards.map((shard) => (
            <tr key={shard.name}>
              <Cell label="">
                <a href="/storage">{shard.name}</a>
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
                    <i style={{ width: `${((shard.bytes ?? 0) / most) * 100}%` }} />
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
    </section>
  );
}
