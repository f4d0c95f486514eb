import { useEffect, useState } from 'preact/hooks';
import type { MyPage, Problem, SignInWays } from '../../api.js';
import icon from '../icon.svg';
import { ApiError, type Method, request } from '../request.js';
import { Preferences } from '../shell.js';
import { t } from '../texts/index.js';
import { Questions } from '../ui/ask.js';
import { Button, Failure, Loading, Notice, Said, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { AppPasswords, Devices } from './mine.js';
import { problemBefore } from './pending.js';
import { PendingClient } from './pending-client.js';

/** Asks as the one whose page it is. */
export type Ask = <T>(method: Method, path: string, body?: unknown) => Promise<T>;

/** The page of people: the way in with the company's account, and what they have to look after it. */
export function SignInPage() {
  const [ways, setWays] = useState<SignInWays | undefined>(undefined);
  const [me, setMe] = useState<MyPage | null | undefined>(undefined);
  const [over, setOver] = useState(false);
  const first = useAction();
  const look = () => readMe().then(setMe);
  const load = () =>
    first.run(async () => {
      setWays(await request<SignInWays>('GET', '/api/sign-in', undefined, undefined));
      await look();
    });
  useEffect(() => {
    document.title = `${t('me.title')} · TeamTalk`;
    void load();
  }, []);
  const ask: Ask = (method, path, body) =>
    request<never>(method, path, body, me?.csrf).catch((error: unknown) => {
      if (error instanceof ApiError && error.problem.code === 'NO_SESSION') {
        setOver(true);
        setMe(null);
      }
      throw error;
    });
  return (
    <main class={me ? 'door mine' : 'door'}>
      <div class="sheet">
        <p class="brand">
          <img src={icon} alt="" /> {t('me.product')}
        </p>
        {first.error && <Failure error={first.error} retry={() => void load()} />}
        {(ways === undefined || me === undefined) && first.error === undefined && <Loading />}
        {ways !== undefined && me === null && <Ways ways={ways} over={over} entered={look} />}
        {me && <Mine me={me} ask={ask} changed={setMe} />}
        <Preferences />
      </div>
      <Questions />
    </main>
  );
}

function Ways({ ways, over, entered }: { ways: SignInWays; over: boolean; entered(): Promise<void> }) {
  return (
    <div class="stack">
      <h1>{t('me.title')}</h1>
      <p class="soft">{t('me.about')}</p>
      {over ? (
        <Notice>{t('me.over')}</Notice>
      ) : (
        problemBefore !== null && <Notice kind="bad">{wordsOf(problemBefore)}</Notice>
      )}
      {!ways.oidc && !ways.ldap && <p>{t('me.none')}</p>}
      {ways.oidc && (
        <a class="button main" href="/sign-in/start">
          {t('me.oidc')}
        </a>
      )}
      {ways.oidc && ways.ldap && <p class="soft">{t('me.or')}</p>}
      {ways.ldap && <LdapForm entered={entered} />}
    </div>
  );
}

function LdapForm({ entered }: { entered(): Promise<void> }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const action = useAction();
  const submit = () =>
    action.run(async () => {
      setWrong(undefined);
      try {
        await request('POST', '/api/sign-in/ldap', { name, password }, undefined);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return setWrong(wordsOf(error.problem.code));
      } finally {
        setPassword('');
      }
      await entered();
    });
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {wrong !== undefined && <Notice kind="bad">{wrong}</Notice>}
      {action.error && <Failure error={action.error} />}
      <TextField label={t('me.name')} value={name} onValue={setName} autoComplete="username" maxLength={64} required />
      <TextField
        label={t('me.password')}
        type="password"
        value={password}
        onValue={setPassword}
        autoComplete="current-password"
        maxLength={256}
        required
      />
      <Button kind="main" type="submit" busy={action.busy}>
        {t('me.enter')}
      </Button>
    </form>
  );
}

function Mine({ me, ask, changed }: { me: MyPage; ask: Ask; changed(me: MyPage | null): void }) {
  const action = useAction();
  const out = () =>
    action.run(async () => {
      await ask('POST', '/api/me/sign-out', {});
      location.assign('/sign-in');
    });
  return (
    <div class="stack">
      <header class="spread">
        <div>
          <h1>
            <Said text={t('me.hello', { nick: me.nick })} />
          </h1>
          <p class="soft">
            <Said text={t('me.as', { name: me.name })} />
          </p>
        </div>
        <Button small icon="out" busy={action.busy} onClick={() => void out()}>
          {t('me.out')}
        </Button>
      </header>
      {action.error && <Failure error={action.error} />}
      <PendingClient ask={ask} />
      <AppPasswords me={me} ask={ask} changed={changed} />
      <Devices me={me} ask={ask} changed={changed} />
    </div>
  );
}

/** Null: nobody is signed in. @throws ApiError */
async function readMe(): Promise<MyPage | null> {
  return request<MyPage>('GET', '/api/me', undefined, undefined).catch((error: unknown) => {
    if (error instanceof ApiError && error.problem.code === 'NO_SESSION') return null;
    throw error;
  });
}

function wordsOf(code: Problem['code'] | string): string {
  switch (code) {
    case 'WRONG_PASSWORD':
      return t('me.wrong');
    case 'LOCKED':
      return t('me.locked');
    case 'NAME_TAKEN':
      return t('me.nameTaken');
    case 'DISABLED':
    case 'UNKNOWN_HERE':
    case 'NO_NAME':
    case 'DIRECTORY_UNAVAILABLE':
      return t(`problem.${code}`);
    case 'OFFLINE':
      return t('problem.OFFLINE');
    default:
      return t('problem.NOT_SIGNED_IN');
  }
}
