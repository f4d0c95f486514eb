import { useState } from 'preact/hooks';
import type { ApiKeyInfo, ApiKeyList } from '../../api.js';
import { api, may } from '../client.js';
import { ago, dateTime, t } from '../texts/index.js';
import { sure } from '../ui/ask.js';
import { OnceDialog } from '../ui/once.js';
import {
  Button,
  Cell,
  Check,
  Dialog,
  Failure,
  Loading,
  Mark,
  Nothing,
  Page,
  Said,
  Select,
  TextField,
} from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { type Loaded, useLoad } from '../use-load.js';
import { Hooks } from './webhooks.js';

const DAY_MS = 86_400_000;

/** What other systems may do here, and whom the cluster tells of messages. */
export function IntegrationsPage() {
  const keys = useLoad(() => api<ApiKeyList>('GET', '/api/keys'), []);
  return (
    <Page title={t('integrations.title')} about={t('integrations.about')}>
      <Keys keys={keys} />
      <Hooks />
    </Page>
  );
}

function Keys({ keys }: { keys: Loaded<ApiKeyList> }) {
  const [open, setOpen] = useState(false);
  const [token, setToken] = useState<string | undefined>(undefined);
  const action = useAction();
  const revoke = async (key: ApiKeyInfo) => {
    if (
      !(await sure({
        title: t('apiKeys.revokeSure', { name: key.name }),
        text: t('apiKeys.revokeText'),
        yes: t('apiKeys.revoke'),
      }))
    )
      return;
    await action.run(async () => {
      await api('POST', '/api/keys/revoke', { id: key.id });
      await keys.reload();
    });
  };
  const error = keys.error ?? action.error;
  return (
    <section class="sheet">
      <header class="spread">
        <h2>{t('apiKeys.title')}</h2>
        {may('integrations.change') && (
          <Button icon="plus" onClick={() => setOpen(true)}>
            {t('apiKeys.new')}
          </Button>
        )}
      </header>
      {error && <Failure error={error} retry={keys.reload} />}
      {keys.data === undefined ? (
        error === undefined && <Loading />
      ) : keys.data.keys.length === 0 ? (
        <Nothing text={t('apiKeys.none')} icon="key" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('apiKeys.name')}</th>
              <th>{t('apiKeys.scopes')}</th>
              <th>{t('apiKeys.state')}</th>
              <th>{t('apiKeys.used')}</th>
              <th>
                <span class="unseen">{t('edit')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {keys.data.keys.map((key) => (
              <tr key={key.id}>
                <Cell label="">
                  <div>
                    <Said text={key.name} />
                    <code class="soft">{key.id}</code>
                  </div>
                </Cell>
                <Cell label={t('apiKeys.scopes')}>
                  <Said text={key.scopes.join(', ')} />
                </Cell>
                <Cell label={t('apiKeys.state')}>
                  <KeyState of={key} />
                </Cell>
                <Cell label={t('apiKeys.used')}>{key.lastUsedMs === undefined ? '–' : ago(key.lastUsedMs)}</Cell>
                <td class="tight">
                  {may('integrations.change') && key.revokedMs === undefined && (
                    <Button small kind="danger" busy={action.busy} onClick={() => void revoke(key)}>
                      {t('apiKeys.revoke')}
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open && (
        <NewKey
          all={keys.data?.scopes ?? []}
          made={(made) => {
            setOpen(false);
            setToken(made);
            void keys.reload();
          }}
          onClose={() => setOpen(false)}
        />
      )}
      {token !== undefined && (
        <OnceDialog title={t('apiKeys.made')} secret={token} onClose={() => setToken(undefined)} />
      )}
    </section>
  );
}

function KeyState({ of: key }: { of: ApiKeyInfo }) {
  if (key.revokedMs !== undefined) return <Mark kind="bad">{t('apiKeys.revoked')}</Mark>;
  if (key.expiresMs === undefined) return <Mark kind="good">{t('apiKeys.valid')}</Mark>;
  if (key.expiresMs < Date.now()) return <Mark kind="bad">{t('apiKeys.expired')}</Mark>;
  return <Mark kind="good">{t('apiKeys.until', { date: dateTime(key.expiresMs) })}</Mark>;
}

const LIFETIMES = [0, 30, 90, 365] as const;

function NewKey({ all, made, onClose }: { all: readonly string[]; made(token: string): void; onClose(): void }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const [scopes, setScopes] = useState<readonly string[]>([]);
  const action = useAction();
  const make = () =>
    action.run(async () => {
      const expires = days === '0' ? {} : { expiresMs: Date.now() + Number(days) * DAY_MS };
      made((await api<{ token: string }>('POST', '/api/keys', { name, scopes, ...expires })).token);
    });
  return (
    <Dialog title={t('apiKeys.new')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        {action.error && <Failure error={action.error} />}
        <TextField
          label={t('apiKeys.name')}
          value={name}
          onValue={setName}
          maxLength={64}
          required
          autoComplete="off"
        />
        <Select
          label={t('apiKeys.lifetime')}
          value={days}
          choices={LIFETIMES.map((each) => ({
            value: String(each),
            label: each === 0 ? t('apiKeys.forever') : t('apiKeys.days', { count: each }),
          }))}
          onValue={setDays}
        />
        <div class="stack">
          <span class="label">{t('apiKeys.scopes')}</span>
          <div class="two">
            {all.map((scope) => (
              <Check
                key={scope}
                label={scope}
                checked={scopes.includes(scope)}
                onChecked={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
              />
            ))}
          </div>
        </div>
        <div class="actions end">
          <Button kind="main" type="submit" busy={action.busy} disabled={scopes.length === 0}>
            {t('add')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
