import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { FileServerInfo, FilesInfo, LimitInfo } from '../../api.js';
import { api, may } from '../client.js';
import { ago, bytes, has, type Key, number, t } from '../texts/index.js';
import { sure } from '../ui/ask.js';
import { Button, Cell, Failure, Loading, Mark, Nothing, Page, Said } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { LimitDialog, limitWords } from './limit-dialog.js';
import { useLimits } from './limits.js';

const WATCHING_MS = 1_000;
const QUOTAS = ['quota.user', 'quota.total', 'file.form', 'file.upload', 'file.transfer'];

/** Files at rest: what there is, how much there may be, and what is cleared away. */
export function FilesPage() {
  const files = useLoad(() => api<FilesInfo>('GET', '/api/files'), []);
  const { data, error, reload } = files;
  const isRemoving =
    data?.servers.some(({ removal }) => removal !== undefined && removal.endedMs === undefined) === true;
  useEffect(() => {
    if (!isRemoving) return;
    const timer = setInterval(reload, WATCHING_MS);
    return () => clearInterval(timer);
  }, [isRemoving, reload]);
  return (
    <Page title={t('files.title')} about={t('files.about')}>
      {error && <Failure error={error} retry={reload} />}
      {data === undefined ? (
        error === undefined && <Loading />
      ) : (
        <>
          <Sums data={data} />
          <Quotas data={data} />
          <Removal data={data} busy={isRemoving} reload={reload} />
          <Servers servers={data.servers} />
          <Kinds kinds={data.kinds} />
          <Owners data={data} />
        </>
      )}
    </Page>
  );
}

function Sums({ data }: { data: FilesInfo }) {
  const named = data.kinds.reduce((sum, kind) => sum + kind.bytes, 0);
  const names = data.kinds.reduce((sum, kind) => sum + kind.files, 0);
  const tiles = [
    [t('files.names'), number(names)],
    [t('files.blobs'), number(data.blobs)],
    [t('files.bytes'), bytes(data.bytes)],
    [t('files.shared'), bytes(Math.max(0, named - data.bytes))],
    [t('files.uploads'), number(data.uploads)],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([label, value]) => (
        <div class="sheet tile" key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Quotas({ data }: { data: FilesInfo }) {
  const limits = useLimits();
  const [open, setOpen] = useState<LimitInfo | undefined>(undefined);
  const shown = QUOTAS.flatMap((name) => limits.data?.find((limit) => limit.name === name) ?? []);
  const most: Readonly<Record<string, number>> = {
    'quota.user': data.owners[0]?.bytes ?? 0,
    'quota.total': data.countedBytes,
  };
  return (
    <section class="sheet">
      <header>
        <h2>{t('files.quotas')}</h2>
        <p class="soft small-text">{t('files.quotasAbout')}</p>
      </header>
      {limits.error && <Failure error={limits.error} retry={limits.reload} />}
      <table class="cards">
        <thead>
          <tr>
            <th>{t('limits.name')}</th>
            <th>{t('limits.inForce')}</th>
            <th>{t('files.used')}</th>
            <th class="number">{t('limits.hits')}</th>
            <th>
              <span class="unseen">{t('edit')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((limit) => (
            <tr key={limit.name}>
              <Cell label="">{t(`limit.${limit.name}` as Key)}</Cell>
              <Cell label={t('limits.inForce')}>
                <span class="actions">
                  {limitWords(limit)}
                  {limit.version > 0 && <Mark kind="accent">{t('limits.set')}</Mark>}
                </span>
              </Cell>
              <Cell label={t('files.used')}>
                {most[limit.name] === undefined ? (
                  '–'
                ) : (
                  <Used bytes={most[limit.name]!} of={limit.inForce.sizes[0] ?? 0} />
                )}
              </Cell>
              <Cell label={t('limits.hits')} class="number">
                {limit.hits === undefined ? '–' : number(limit.hits)}
              </Cell>
              <td class="tight">
                {may('settings.change') && (
                  <Button small onClick={() => setOpen(limit)}>
                    {t('edit')}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {open !== undefined && (
        <LimitDialog
          limit={open}
          done={async () => {
            await limits.reload();
            setOpen((now) => (now === open ? undefined : now)); // another one may be open by now
          }}
          onClose={() => setOpen(undefined)}
        />
      )}
    </section>
  );
}

/** @param of 0: any number */
function Used({ bytes: used, of }: { bytes: number; of: number }) {
  if (of === 0) return <>{bytes(used)}</>;
  const share = Math.min(1, used / of);
  return (
    <span class="actions">
      {bytes(used)}
      <span class={`meter ${share > 0.9 ? 'full' : ''}`}>
        <i style={{ width: `${share * 100}%` }} />
      </span>
    </span>
  );
}

function Removal({ data, busy, reload }: { data: FilesInfo; busy: boolean; reload(): void }) {
  const action = useAction();
  const begin = (dryRun: boolean) =>
    action.run(async () => {
      await api('POST', '/api/files/removal', { dryRun });
      reload();
    });
  const remove = async () => {
    if (await sure({ title: t('files.removeSure'), text: t('files.removeText'), yes: t('files.remove') }))
      await begin(false);
  };
  const due = [
    [t('files.expired'), number(data.expiredFiles)],
    [t('files.stale'), number(data.staleUploads)],
    [t('files.unreferenced'), `${number(data.unreferencedBlobs)} · ${bytes(data.unreferencedBytes)}`],
    [t('files.removing'), number(data.removing)],
  ];
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('files.due')}</h2>
          <p class="soft small-text">{t('files.dueAbout')}</p>
        </div>
        {may('files.change') && data.servers.length > 0 && (
          <div class="actions">
            <Button busy={busy || action.busy} onClick={() => void begin(true)}>
              {t('files.dryRun')}
            </Button>
            <Button kind="danger" busy={busy || action.busy} onClick={() => void remove()}>
              {t('files.remove')}
            </Button>
          </div>
        )}
      </header>
      {action.error && <Failure error={action.error} />}
      <dl class="facts padded-inside">
        {due.map(([label, value]) => (
          <Fragment key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
        {data.servers.map(
          ({ name, removal }) =>
            removal && (
              <Fragment key={name}>
                <dt>{t('files.lastRun', { name })}</dt>
                <dd>
                  <LastRun of={removal} />
                </dd>
              </Fragment>
            ),
        )}
      </dl>
    </section>
  );
}

function LastRun({ of: run }: { of: NonNullable<FileServerInfo['removal']> }) {
  const found = { removed: number(run.removed), orphans: number(run.orphans) };
  if (run.problem !== undefined)
    return (
      <Mark kind="bad">
        <Said text={run.problem} />
      </Mark>
    );
  if (run.endedMs === undefined) return <Mark kind="accent">{t('files.running', found)}</Mark>;
  return (
    <>
      {run.dryRun ? t('files.would', found) : t('files.did', found)} · {ago(run.endedMs)}
    </>
  );
}

function Servers({ servers }: { servers: readonly FileServerInfo[] }) {
  return (
    <section class="sheet">
      <header>
        <h2>{t('files.servers')}</h2>
      </header>
      {servers.length === 0 ? (
        <Nothing text={t('files.noServers')} icon="file" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('server.name')}</th>
              <th>{t('files.place')}</th>
              <th class="number">{t('files.free')}</th>
              <th>{t('files.scanner')}</th>
              <th class="number">{t('files.scanned')}</th>
            </tr>
          </thead>
          <tbody>
            {servers.map((server) => (
              <tr key={server.name}>
                <Cell label="">
                  <Said text={server.name} />
                </Cell>
                <Cell label={t('files.place')}>
                  <div>
                    {server.driver === 's3' ? 'S3' : t('files.folder')}
                    <span class="soft small-text">
                      <Said text={server.place} />
                    </span>
                  </div>
                </Cell>
                <Cell label={t('files.free')} class="number">
                  {server.freeBytes === undefined ? '–' : bytes(server.freeBytes)}
                </Cell>
                <Cell label={t('files.scanner')}>
                  <Scanner of={server} />
                </Cell>
                <Cell label={t('files.scanned')} class="number">
                  {server.scanner === 'none'
                    ? '–'
                    : `${number(server.scanned)} / ${number(server.scanRefused)} / ${number(server.scanFailed)}`}
                </Cell>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Scanner({ of: { scanner, scanFailure, scanned, scanFailed } }: { of: FileServerInfo }) {
  if (scanner === 'none') return <Mark>{t('files.noScanner')}</Mark>;
  const failing = scanned > 0 && scanFailed === scanned;
  return (
    <div>
      <Mark kind={failing ? 'bad' : 'good'}>{scanner === 'url' ? t('files.byUrl') : t('files.byCommand')}</Mark>
      <span class="soft small-text">{scanFailure === 'accept' ? t('files.failAccept') : t('files.failRefuse')}</span>
    </div>
  );
}

function Kinds({ kinds }: { kinds: FilesInfo['kinds'] }) {
  if (kinds.length === 0) return null;
  return (
    <section class="sheet">
      <header>
        <h2>{t('files.kinds')}</h2>
      </header>
      <table class="cards">
        <thead>
          <tr>
            <th>{t('files.kind')}</th>
            <th class="number">{t('files.names')}</th>
            <th class="number">{t('files.bytes')}</th>
            <th>{t('files.kept')}</th>
          </tr>
        </thead>
        <tbody>
          {kinds.map(({ kind, files, bytes: size, days }) => (
            <tr key={kind}>
              <Cell label="">{has(`files.kind.${kind}`) ? t(`files.kind.${kind}` as Key) : kind}</Cell>
              <Cell label={t('files.names')} class="number">
                {number(files)}
              </Cell>
              <Cell label={t('files.bytes')} class="number">
                {bytes(size)}
              </Cell>
              <Cell label={t('files.kept')}>
                {days === undefined ? t('files.forever') : t('apiKeys.days', { count: number(days) })}
              </Cell>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Owners({ data: { owners } }: { data: FilesInfo }) {
  const most = owners[0]?.bytes ?? 1;
  return (
    <section class="sheet">
      <header>
        <h2>{t('files.owners')}</h2>
        <p class="soft small-text">{t('files.ownersAbout')}</p>
      </header>
      {owners.length === 0 ? (
        <Nothing text={t('files.noOwners')} icon="file" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('users.nick')}</th>
              <th class="number">{t('files.names')}</th>
              <th class="number">{t('files.bytes')}</th>
              <th>
                <span class="unseen">{t('storage.fill')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {owners.map(({ userId, nick, files, bytes: size }) => (
              <tr key={userId}>
                <Cell label="">
                  <Said text={nick === '' ? String(userId) : nick} />
                </Cell>
                <Cell label={t('files.names')} class="number">
                  {number(files)}
                </Cell>
                <Cell label={t('files.bytes')} class="number">
                  {bytes(size)}
                </Cell>
                <td>
                  <div class="meter">
                    <i style={{ width: `${(size / most) * 100}%` }} />
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
