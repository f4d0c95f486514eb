import { useState } from 'preact/hooks';
import { encode } from 'uqr';
import type { OwnSession } from '../../api.js';
import { api, readSession, session } from '../client.js';
import { PasswordForm } from '../login.js';
import { ago, dateTime, t } from '../texts/index.js';
import { say } from '../ui/ask.js';
import { Button, Cell, Dialog, Failure, Loading, Mark, Page, Said, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';

/** What everybody may do with the own account. */
export function AccountPage() {
  return (
    <Page title={t('account.title')} about={t('account.about', { name: session.value!.admin.name })}>
      <div class="beside">
        <Sessions />
        <div class="stack">
          <section class="sheet padded stack">
            <h2>{t('account.password')}</h2>
            <PasswordForm done={() => say(t('account.changed'))} />
          </section>
          <Codes />
        </div>
      </div>
    </Page>
  );
}

function Codes() {
  const on = session.value!.admin.totp;
  const [open, setOpen] = useState(false);
  return (
    <section class="sheet padded stack">
      <div class="spread">
        <h2>{t('account.codes')}</h2>
        {on ? <Mark kind="good">{t('account.codesOn')}</Mark> : <Mark>{t('account.codesOff')}</Mark>}
      </div>
      <p class="soft">{t('account.codesAbout')}</p>
      <div class="actions">
        <Button onClick={() => setOpen(true)}>{on ? t('account.turnOff') : t('account.turnOn')}</Button>
      </div>
      {open && <CodesDialog on={on} onClose={() => setOpen(false)} />}
    </section>
  );
}

/** On: password, then the secret and its first code. Off: the password. */
function CodesDialog({ on, onClose }: { on: boolean; onClose(): void }) {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [uri, setUri] = useState<string | undefined>(undefined);
  const action = useAction();
  const submit = () =>
    action.run(async () => {
      const step = on
        ? { step: 'off', password }
        : uri === undefined
          ? { step: 'begin', password }
          : { step: 'confirm', code };
      const answer = await api<{ uri?: string }>('POST', '/api/account/codes', step);
      if (answer.uri !== undefined) return setUri(answer.uri);
      await readSession();
      say(on ? t('account.codesGone') : t('account.codesDone'));
      onClose();
    });
  return (
    <Dialog title={t('account.codes')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {action.error && <Failure error={action.error} />}
        {uri === undefined ? (
          <TextField
            label={t('account.old')}
            type="password"
            value={password}
            onValue={setPassword}
            autoComplete="current-password"
            required
          />
        ) : (
          <>
            <p>{t('account.scan')}</p>
            <QrCode text={uri} />
            <p>
              {t('account.secret')}: <code>{new URL(uri).searchParams.get('secret')}</code>
            </p>
            <TextField
              label={t('login.code')}
              value={code}
              onValue={setCode}
              inputMode="numeric"
              autoComplete="one-time-code"
              maxLength={8}
              required
            />
          </>
        )}
        <div class="actions end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind={on ? 'danger main' : 'main'} type="submit" busy={action.busy}>
            {on ? t('account.turnOff') : uri === undefined ? t('next') : t('account.confirm')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function QrCode({ text }: { text: string }) {
  const { data, size } = encode(text, { border: 0 });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="QR" shape-rendering="crispEdges">
      <path d={path} fill="#000" />
    </svg>
  );
}

function Sessions() {
  const { data, error, reload, set } = useLoad(() => api<OwnSession[]>('GET', '/api/account/sessions'), []);
  const action = useAction();
  const end = (ids: string[]) =>
    action.run(async () => set(await api<OwnSession[]>('POST', '/api/account/sessions/end', { ids })));
  const others = data?.filter((each) => each.id !== session.value!.sessionId) ?? [];
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('account.sessions')}</h2>
          <p class="soft small-text">{t('account.sessionsAbout')}</p>
        </div>
        {others.length > 0 && (
          <Button small busy={action.busy} onClick={() => void end(others.map((each) => each.id))}>
            {t('account.endOthers')}
          </Button>
        )}
      </header>
      {(error ?? action.error) && <Failure error={(error ?? action.error)!} retry={reload} />}
      {data === undefined ? (
        error === undefined && <Loading />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('account.browser')}</th>
              <th>{t('account.address')}</th>
              <th>{t('account.used')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {data.map((each) => (
              <tr key={each.id}>
                <Cell label="">
                  <Said text={browserOf(each.agent)} />
                  <span class="soft small-text">{dateTime(each.createdMs)}</span>
                </Cell>
                <Cell label={t('account.address')}>
                  <code>{each.address}</code>
                </Cell>
                <Cell label={t('account.used')}>{ago(each.usedMs)}</Cell>
                <td class="tight">
                  {each.id === session.value!.sessionId ? (
                    <Mark kind="accent">{t('account.this')}</Mark>
                  ) : (
                    <Button small busy={action.busy} onClick={() => void end([each.id])}>
                      {t('account.end')}
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** The part of a browser's name that people know; it claims to be all of them. */
function browserOf(agent: string): string {
  const [, name, version] = /(Edg|OPR|Firefox|Chrome|Version)\/(\d+)/.exec(agent) ?? [];
  if (name === undefined) return agent === '' ? '–' : agent;
  const known: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' };
  const system = /Windows|Mac OS X|Android|iPhone|iPad|Linux/.exec(agent)?.[0];
  return `${known[name] ?? name} ${version}${system === undefined ? '' : `, ${system.replace('Mac OS X', 'macOS')}`}`;
}
