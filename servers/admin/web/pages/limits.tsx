import { useEffect, useState } from 'preact/hooks';
import type { LimitInfo } from '../../api.js';
import { api, may } from '../client.js';
import { type Key, number, t } from '../texts/index.js';
import { Button, Cell, Failure, Loading, Mark, Page } from '../ui/parts.js';
import { type Loaded, useLoad } from '../use-load.js';
import { LimitDialog, limitWords } from './limit-dialog.js';

/** Servers take up changes within two seconds, and their figures are read as often. */
const AGAIN_MS = 3_000;
const SERVERS = ['msg', 'db-proxy', 'file', 'http-msg', 'push', 'admin'] as const;

/** All limits that have a name. */
export function useLimits(): Loaded<LimitInfo[]> {
  const limits = useLoad(() => api<LimitInfo[]>('GET', '/api/limits'), []);
  const { reload } = limits;
  useEffect(() => {
    const timer = setInterval(reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return limits;
}

/** How much of what, how often: what is set here holds within seconds, on all servers. */
export function LimitsPage() {
  const limits = useLimits();
  const [open, setOpen] = useState<LimitInfo | undefined>(undefined);
  return (
    <Page title={t('limits.title')} about={t('limits.about')}>
      {limits.error && <Failure error={limits.error} retry={limits.reload} />}
      {limits.data === undefined
        ? limits.error === undefined && <Loading />
        : SERVERS.map((server) => (
            <Server
              key={server}
              name={server}
              limits={limits.data!.filter((limit) => limit.server === server)}
              open={setOpen}
            />
          ))}
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
    </Page>
  );
}

function Server({
  name,
  limits,
  open,
}: {
  name: (typeof SERVERS)[number];
  limits: readonly LimitInfo[];
  open(limit: LimitInfo): void;
}) {
  return (
    <section class="sheet">
      <header>
        <h2>{t(`limits.of.${name}`)}</h2>
      </header>
      <table class="cards">
        <thead>
          <tr>
            <th>{t('limits.name')}</th>
            <th>{t('limits.inForce')}</th>
            <th>{t('limits.at')}</th>
            <th class="number">{t('limits.hits')}</th>
            <th>
              <span class="unseen">{t('edit')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {limits.map((limit) => (
            <tr key={limit.name}>
              <Cell label="">
                <div>
                  {t(`limit.${limit.name}` as Key)} <code class="soft small-text">{limit.name}</code>
                </div>
              </Cell>
              <Cell label={t('limits.inForce')}>
                <span class="actions">
                  {limitWords(limit)}
                  {limit.version > 0 && <Mark kind="accent">{t('limits.set')}</Mark>}
                </span>
              </Cell>
              <Cell label={t('limits.at')}>{t(`limits.at.${limit.at}`)}</Cell>
              <Cell label={t('limits.hits')} class="number">
                {limit.hits === undefined ? '–' : number(limit.hits)}
              </Cell>
              <td class="tight">
                {may('settings.change') && (
                  <Button small onClick={() => open(limit)}>
                    {t('edit')}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
