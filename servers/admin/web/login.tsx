import { useState } from 'preact/hooks';
import { ApiError, api, expired, logIn, logOut, readSession, session } from './client.js';
import icon from './icon.svg';
import { Preferences } from './shell.js';
import { t } from './texts/index.js';
import { Button, Dialog, Failure, Notice, TextField } from './ui/parts.js';
import { useAction } from './ui/use-action.js';

/** The way in: the page before there is a session, and the dialog over everything when it has ended. */
export function Door() {
  return (
    <main class="door">
      <div class="sheet">
        <p class="brand">
          <img src={icon} alt="" /> {t('product')}
        </p>
        <h1 class="unseen">{t('login.title')}</h1>
        <LoginForm />
        <Preferences />
      </div>
    </main>
  );
}

export function ExpiredDialog() {
  if (!expired.value) return null;
  return (
    <Dialog title={t('login.expired')}>
      <div class="stack">
        <p>{t('login.expiredText')}</p>
        <LoginForm name={session.value?.admin.name ?? ''} />
      </div>
    </Dialog>
  );
}

function LoginForm({ name: known = '' }: { name?: string }) {
  const [name, setName] = useState(known);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [asksCode, setAsksCode] = useState(false);
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const action = useAction();
  const submit = () =>
    action.run(async () => {
      setWrong(undefined);
      await logIn(name, password, code).catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        if (error.problem.code === 'CODE_NEEDED') return setAsksCode(true);
        setWrong(refusalOf(error, asksCode));
        setCode('');
      });
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
      <TextField
        label={t('login.name')}
        value={name}
        onValue={setName}
        autoComplete="username"
        maxLength={64}
        required
      />
      <TextField
        label={t('login.password')}
        type="password"
        value={password}
        onValue={setPassword}
        autoComplete="current-password"
        maxLength={256}
        required
      />
      {asksCode && (
        <TextField
          label={t('login.code')}
          hint={t('login.codeHint')}
          value={code}
          onValue={setCode}
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={8}
          autoFocus
          required
        />
      )}
      <Button kind="main" type="submit" busy={action.busy}>
        {t('login.enter')}
      </Button>
    </form>
  );
}

function refusalOf({ problem }: ApiError, withCode: boolean): string {
  if (problem.code === 'LOCKED' && 'retryAfterMs' in problem)
    return t('login.locked', { minutes: Math.ceil((problem.retryAfterMs ?? 0) / 60_000) });
  if (problem.code === 'WRONG_PASSWORD') return withCode ? t('login.wrongCode') : t('login.wrong');
  return problem.code === 'OFFLINE' ? t('problem.OFFLINE') : t('problem.STORE_UNAVAILABLE');
}

/** After the first log-in: nothing else before this. */
export function FirstPassword() {
  return (
    <main class="door">
      <div class="sheet">
        <h1>{t('login.mustChange')}</h1>
        <p class="soft">{t('login.mustChangeText')}</p>
        <br />
        <PasswordForm done={() => void readSession()} />
        <br />
        <Button kind="bare" small icon="out" onClick={() => void logOut()}>
          {t('login.out')}
        </Button>
        <Preferences />
      </div>
    </main>
  );
}

export function PasswordForm({ done }: { done(): void }) {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const [tried, setTried] = useState(false);
  const action = useAction();
  const wrongFresh =
    fresh.length < session.value!.passwordLengthMin
      ? t('account.rule', { min: session.value!.passwordLengthMin })
      : fresh === old
        ? t('account.same')
        : undefined;
  const wrongAgain = again === fresh ? undefined : t('account.differ');
  const submit = () => {
    setTried(true);
    if (wrongFresh !== undefined || wrongAgain !== undefined) return;
    void action.run(async () => {
      await api('PUT', '/api/account/password', { oldPassword: old, newPassword: fresh });
      for (const empty of [setOld, setFresh, setAgain]) empty('');
      setTried(false);
      done();
    });
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {action.error && <Failure error={action.error} />}
      <TextField
        label={t('account.old')}
        type="password"
        value={old}
        onValue={setOld}
        autoComplete="current-password"
        maxLength={256}
        required
      />
      <TextField
        label={t('account.new')}
        type="password"
        value={fresh}
        onValue={setFresh}
        autoComplete="new-password"
        maxLength={256}
        hint={t('account.rule', { min: session.value!.passwordLengthMin })}
        wrong={tried ? wrongFresh : undefined}
        required
      />
      <TextField
        label={t('account.again')}
        type="password"
        value={again}
        onValue={setAgain}
        autoComplete="new-password"
        maxLength={256}
        wrong={tried ? wrongAgain : undefined}
        required
      />
      <div class="actions">
        <Button kind="main" type="submit" busy={action.busy}>
          {t('account.change')}
        </Button>
      </div>
    </form>
  );
}
