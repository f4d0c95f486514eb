import type { UserDevice } from '../../api.js';
import { api, may } from '../client.js';
import { t } from '../texts/index.js';
import { Button, Failure, Said } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';

export const CLIENTS: Readonly<Record<number, string>> = { 1: 'Windows', 2: 'macOS', 17: 'iOS', 18: 'Android' };

/** Devices that log in without the password, and taking that back. Nothing is shown when there are none. */
export function Tokens({ userId }: { userId: number }) {
  const {
    data = [],
    error,
    reload,
  } = useLoad(() => api<UserDevice[]>('GET', `/api/users/${userId}/devices`), [userId]);
  const action = useAction();
  if (error !== undefined) return <Failure error={error} retry={reload} />;
  if (data.length === 0) return null;
  const remove = (deviceId: string) =>
    action.run(async () => {
      await api('POST', `/api/users/${userId}/devices/remove`, { deviceId });
      reload();
    });
  return (
    <section class="stack">
      <h3>{t('users.tokens')}</h3>
      {action.error && <Failure error={action.error} />}
      <ul class="stack">
        {data.map(({ deviceId, deviceName, clientType, usedMs }) => (
          <li class="spread" key={deviceId}>
            <span>
              <Said text={deviceName === '' ? deviceId : deviceName} />{' '}
              <span class="soft small-text">
                {CLIENTS[clientType] ?? clientType}, {new Date(usedMs).toLocaleDateString()}
              </span>
            </span>
            {may('directory.change') && (
              <Button small busy={action.busy} onClick={() => void remove(deviceId)}>
                {t('users.removeToken')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
