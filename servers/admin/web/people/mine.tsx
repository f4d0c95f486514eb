import { useState } from 'preact/hooks';
import type { AppPassword, MyPage, UserDevice } from '../../api.js';
import { CLIENTS } from '../pages/user-tokens.js';
import { dateTime, t } from '../texts/index.js';
import { sure } from '../ui/ask.js';
import { OnceDialog } from '../ui/once.js';
import { Button, Failure, Said, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import type { Ask } from './page.js';

interface Props {
  readonly me: MyPage;
  readonly ask: Ask;
  changed(me: MyPage): void;
}

export function AppPasswords({ me, ask, changed }: Props) {
  const [name, setName] = useState('');
  const [made, setMade] = useState<string | undefined>(undefined);
  const action = useAction();
  const make = () =>
    action.run(async () => {
      const page = await ask<MyPage>('POST', '/api/me/app-passwords', { name });
      setMade(page.appPassword);
      setName('');
      changed(page);
    });
  const remove = async ({ id, name: called }: AppPassword) => {
    const asked = { title: t('me.removeTitle', { name: called }), text: t('me.removeText'), yes: t('remove') };
    if (!(await sure(asked))) return;
    await action.run(async () => changed(await ask<MyPage>('POST', '/api/me/app-passwords/remove', { id })));
  };
  return (
    <section class="stack">
      <h2>{t('me.appPasswords')}</h2>
      <p class="soft">
        <Said whole text={t('me.appPasswordsText', { name: me.name })} />
      </p>
      {action.error && <Failure error={action.error} />}
      {me.appPasswords.length === 0 ? (
        <p class="soft">{t('me.noAppPasswords')}</p>
      ) : (
        <ul class="stack">
          {me.appPasswords.map((each) => (
            <li class="spread" key={each.id}>
              <span>
                <Said text={each.name} />{' '}
                <span class="soft small-text">
                  {t('me.created', { date: dateTime(each.createdMs) })},{' '}
                  {each.usedMs === undefined ? t('me.neverUsed') : t('me.used', { date: dateTime(each.usedMs) })}
                </span>
              </span>
              <Button small busy={action.busy} onClick={() => void remove(each)}>
                {t('remove')}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <TextField
          label={t('me.appPasswordName')}
          hint={t('me.appPasswordHint')}
          value={name}
          onValue={setName}
          maxLength={64}
          autoComplete="off"
          required
        />
        <div class="actions">
          <Button type="submit" busy={action.busy}>
            {t('me.make')}
          </Button>
        </div>
      </form>
      {made !== undefined && (
        <OnceDialog
          title={t('me.made')}
          text={t('me.madeText', { name: me.name })}
          secret={made}
          onClose={() => setMade(undefined)}
        />
      )}
    </section>
  );
}

export function Devices({ me, ask, changed }: Props) {
  const action = useAction();
  const remove = ({ deviceId }: UserDevice) =>
    action.run(async () => changed(await ask<MyPage>('POST', '/api/me/devices/remove', { deviceId })));
  return (
    <section class="stack">
      <h2>{t('me.devices')}</h2>
      <p class="soft">{t('me.devicesText')}</p>
      {action.error && <Failure error={action.error} />}
      {me.devices.length === 0 ? (
        <p class="soft">{t('me.noDevices')}</p>
      ) : (
        <ul class="stack">
          {me.devices.map((each) => (
            <li class="spread" key={each.deviceId}>
              <span>
                <Said text={each.deviceName === '' ? each.deviceId : each.deviceName} />{' '}
                <span class="soft small-text">
                  {CLIENTS[each.clientType] ?? each.clientType}, {t('me.used', { date: dateTime(each.usedMs) })}
                </span>
              </span>
              <Button small busy={action.busy} onClick={() => void remove(each)}>
                {t('me.logOut')}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
