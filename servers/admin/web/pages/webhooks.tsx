import { useState } from 'preact/hooks';
import type { DeadLetterInfo, DeadLetterPage, WebhookInfo } from '../../api.js';
import { api, may } from '../client.js';
import { ago, dateTime, number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { OnceDialog } from '../ui/once.js';
import { Button, Cell, Check, Dialog, Failure, Loading, Mark, Nothing, Pager, Said, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';

/** Whom the cluster tells of messages: those that other systems have made with their keys, and the console's own. */
export function Hooks() {
  const hooks = useLoad(() => api<WebhookInfo[]>('GET', '/api/webhooks'), []);
  const [editing, setEditing] = useState<WebhookInfo | 'new' | undefined>(undefined);
  const [lettersOf, setLettersOf] = useState<WebhookInfo | undefined>(undefined);
  const [secret, setSecret] = useState<string | undefined>(undefined);
  const action = useAction();
  const act = (path: string, body: object) =>
    action.run(async () => {
      await api('POST', path, body);
      await hooks.reload();
    });
  const remove = async ({ id, url }: WebhookInfo) => {
    if (await sure({ title: t('hooks.removeSure'), text: url, yes: t('remove') }))
      await act('/api/webhooks/remove', { id });
  };
  const error = hooks.error ?? action.error;
  const writable = may('integrations.change');
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('hooks.title')}</h2>
          <p class="soft small-text">{t('hooks.about')}</p>
        </div>
        {writable && (
          <Button icon="plus" onClick={() => setEditing('new')}>
            {t('hooks.new')}
          </Button>
        )}
      </header>
      {error && <Failure error={error} retry={hooks.reload} />}
      {hooks.data === undefined ? (
        error === undefined && <Loading />
      ) : hooks.data.length === 0 ? (
        <Nothing text={t('hooks.none')} icon="hook" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('hooks.url')}</th>
              <th>{t('hooks.state')}</th>
              <th class="number">{t('hooks.waiting')}</th>
              <th class="number">{t('hooks.dead')}</th>
              <th>
                <span class="unseen">{t('edit')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {hooks.data.map((hook) => (
              <tr key={hook.id}>
                <Cell label="">
                  <Origin of={hook} />
                </Cell>
                <Cell label={t('hooks.state')}>
                  {hook.active ? <Mark kind="good">{t('hooks.on')}</Mark> : <Mark kind="warn">{t('hooks.off')}</Mark>}
                </Cell>
                <Cell label={t('hooks.waiting')} class="number">
                  {number(hook.waiting ?? 0)}
                </Cell>
                <Cell label={t('hooks.dead')} class="number">
                  {hook.dead ? (
                    <button type="button" class="link-button" onClick={() => setLettersOf(hook)}>
                      {number(hook.dead)}
                    </button>
                  ) : (
                    number(0)
                  )}
                </Cell>
                <td class="tight">
                  {writable && (
                    <div class="actions">
                      <Button
                        small
                        busy={action.busy}
                        onClick={() => void act('/api/webhooks/change', { id: hook.id, active: !hook.active })}
                      >
                        {hook.active ? t('hooks.pause') : t('hooks.resume')}
                      </Button>
                      <Button small onClick={() => setEditing(hook)}>
                        {t('edit')}
                      </Button>
                      <Button small kind="danger" busy={action.busy} onClick={() => void remove(hook)}>
                        {t('remove')}
                      </Button>
                    </div>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {editing !== undefined && (
        <HookDialog
          hook={editing === 'new' ? undefined : editing}
          done={(made) => {
            setEditing(undefined);
            setSecret(made);
            void hooks.reload();
          }}
          onClose={() => setEditing(undefined)}
        />
      )}
      {secret !== undefined && (
        <OnceDialog title={t('hooks.secret')} secret={secret} onClose={() => setSecret(undefined)} />
      )}
      {lettersOf !== undefined && (
        <LettersDialog
          hook={lettersOf}
          onClose={() => {
            setLettersOf(undefined);
            void hooks.reload();
          }}
        />
      )}
    </section>
  );
}

function Origin({ of: { url, keyId, userId, withBodies, lastError } }: { of: WebhookInfo }) {
  const facts = [
    keyId === '' ? t('hooks.ours') : t('hooks.ofKey', { key: keyId }),
    withBodies ? t('hooks.withBodies') : t('hooks.withoutBodies'),
    ...(userId === undefined ? [] : [t('hooks.ofPerson', { id: userId })]),
  ];
  return (
    <div>
      <Said text={url} />
      <span class="soft small-text">{facts.join(' · ')}</span>
      {lastError !== undefined && lastError !== '' && (
        <span class="bad-text small-text">
          <Said text={lastError} />
        </span>
      )}
    </div>
  );
}

/** A new one, or changes of one. Whose conversations it hears of is decided when it is made. */
function HookDialog({
  hook,
  done,
  onClose,
}: {
  hook: WebhookInfo | undefined;
  done(secret: string | undefined): void;
  onClose(): void;
}) {
  const [url, setUrl] = useState(hook?.url ?? 'https://');
  const [withBodies, setWithBodies] = useState(hook?.withBodies ?? false);
  const [person, setPerson] = useState('');
  const [tried, setTried] = useState(false);
  const action = useAction();
  const wrongUrl = /^https?:\/\/[^\s/]+/.test(url) ? undefined : t('discovery.wrongUrl');
  const wrongPerson = /^(?:[1-9]\d{0,9})?$/.test(person.trim()) ? undefined : t('hooks.wrongPerson');
  const save = () =>
    action.run(async () => {
      if (hook !== undefined) {
        await api('POST', '/api/webhooks/change', { id: hook.id, url, withBodies });
        say(t('saved'));
        return done(undefined);
      }
      const userId = person.trim() === '' ? {} : { userId: Number(person) };
      done((await api<{ secret: string }>('POST', '/api/webhooks', { url, withBodies, ...userId })).secret);
    });
  return (
    <Dialog title={hook === undefined ? t('hooks.new') : t('hooks.editOne')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (wrongUrl === undefined && wrongPerson === undefined) void save();
        }}
      >
        {action.error && <Failure error={action.error} />}
        <TextField
          label={t('hooks.url')}
          hint={t('hooks.urlHint')}
          value={url}
          onValue={setUrl}
          maxLength={2048}
          wrong={tried ? wrongUrl : undefined}
          required
          autoComplete="off"
        />
        {hook === undefined && (
          <TextField
            label={t('hooks.person')}
            hint={t('hooks.personHint')}
            value={person}
            onValue={setPerson}
            inputMode="numeric"
            maxLength={10}
            wrong={tried ? wrongPerson : undefined}
            autoComplete="off"
          />
        )}
        <Check label={t('hooks.withBodiesLong')} checked={withBodies} onChecked={setWithBodies} />
        <div class="actions end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="main" type="submit" busy={action.busy}>
            {hook === undefined ? t('add') : t('save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What a webhook did not take, to be delivered once more or forgotten: one of them, or all. */
function LettersDialog({ hook, onClose }: { hook: WebhookInfo; onClose(): void }) {
  const [places, setPlaces] = useState<readonly number[]>([]);
  const before = places.at(-1);
  const query = `id=${hook.id}${before === undefined ? '' : `&before=${before}`}`;
  const page = useLoad(() => api<DeadLetterPage>('GET', `/api/webhooks/dead-letters?${query}`), [query]);
  const action = useAction();
  const act = (what: 'replay' | 'drop', ids?: readonly number[]) =>
    action.run(async () => {
      const { count } = await api<{ count: number }>('POST', `/api/webhooks/dead-letters/${what}`, {
        id: hook.id,
        ...(ids === undefined ? {} : { ids }),
      });
      say(t(what === 'replay' ? 'letters.replaying' : 'letters.dropped', { count: number(count) }));
      await page.reload();
    });
  const dropAll = async () => {
    if (await sure({ title: t('letters.dropSure'), text: t('letters.dropText'), yes: t('letters.dropAll') }))
      await act('drop');
  };
  const error = page.error ?? action.error;
  const letters = page.data?.letters ?? [];
  const next = page.data?.next;
  const writable = may('integrations.change');
  return (
    <Dialog title={t('letters.title')} wide onClose={onClose}>
      <div class="stack">
        <p class="soft">
          <Said text={hook.url} />
        </p>
        {error && <Failure error={error} retry={page.reload} />}
        {page.data === undefined ? (
          error === undefined && <Loading />
        ) : letters.length === 0 ? (
          <Nothing text={t('letters.none')} />
        ) : (
          <table class="cards">
            <thead>
              <tr>
                <th>{t('letters.conversation')}</th>
                <th class="number">{t('letters.messages')}</th>
                <th>{t('letters.error')}</th>
                <th>{t('letters.when')}</th>
                <th>
                  <span class="unseen">{t('edit')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {letters.map((letter) => (
                <Letter key={letter.id} letter={letter} writable={writable} busy={action.busy} act={act} />
              ))}
            </tbody>
          </table>
        )}
        <Pager
          back={places.length === 0 ? undefined : () => setPlaces(places.slice(0, -1))}
          next={next === undefined ? undefined : () => setPlaces([...places, next])}
        />
        {writable && letters.length > 0 && (
          <div class="actions end">
            <Button kind="danger" busy={action.busy} onClick={() => void dropAll()}>
              {t('letters.dropAll')}
            </Button>
            <Button kind="main" busy={action.busy} onClick={() => void act('replay')}>
              {t('letters.replayAll')}
            </Button>
          </div>
        )}
      </div>
    </Dialog>
  );
}

function Letter({
  letter,
  writable,
  busy,
  act,
}: {
  letter: DeadLetterInfo;
  writable: boolean;
  busy: boolean;
  act(what: 'replay' | 'drop', ids: readonly number[]): Promise<void>;
}) {
  const { id, userIds, groupId, fromMsgId, toMsgId, error, atMs, replaying } = letter;
  return (
    <tr>
      <Cell label={t('letters.conversation')}>
        {groupId === undefined
          ? t('letters.people', { ids: (userIds ?? []).join(', ') })
          : t('letters.group', { id: groupId })}
      </Cell>
      <Cell label={t('letters.messages')} class="number">
        {fromMsgId === toMsgId ? fromMsgId : `${fromMsgId}–${toMsgId}`}
      </Cell>
      <Cell label={t('letters.error')}>
        <Said text={error} />
      </Cell>
      <Cell label={t('letters.when')}>
        <span title={dateTime(atMs)}>{ago(atMs)}</span>
      </Cell>
      <td class="tight">
        {writable && (
          <div class="actions">
            <Button small busy={busy} disabled={replaying} onClick={() => void act('replay', [id])}>
              {replaying ? t('letters.onItsWay') : t('letters.replay')}
            </Button>
            <Button small kind="danger" busy={busy} onClick={() => void act('drop', [id])}>
              {t('letters.drop')}
            </Button>
          </div>
        )}
      </td>
    </tr>
  );
}
