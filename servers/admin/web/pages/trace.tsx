import { useState } from 'preact/hooks';
import type { Group, GroupPage, Person, TraceFound } from '../../api.js';
import { api } from '../client.js';
import { bytes, dateTime, number, t } from '../texts/index.js';
import { Button, Failure, Mark, Notice, Page, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { PersonPicker } from './groups.js';

/** The way of one message, found by its conversation and one of its two ids. What it says is not shown to anybody. */
export function TracePage() {
  const [kind, setKind] = useState<'single' | 'group'>('single');
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [groupId, setGroupId] = useState('');
  const [id, setId] = useState('');
  const [found, setFound] = useState<TraceFound | undefined>(undefined);
  const groups = useLoad(() => api<GroupPage>('GET', '/api/groups?limit=200'), []);
  const action = useAction();
  const isReady = id.trim() !== '' && (kind === 'single' ? people.length === 2 : groupId !== '');
  const find = () =>
    action.run(async () => {
      setFound(undefined);
      const isNumber = /^\d{1,9}$/.test(id.trim());
      const asked = new URLSearchParams({ kind, [isNumber ? 'msgId' : 'sendId']: id.trim() });
      if (kind === 'single') {
        asked.set('user', String(people[0]!.userId));
        asked.set('session', String(people[1]!.userId));
      } else asked.set('session', groupId);
      setFound(await api<TraceFound>('GET', `/api/trace?${asked}`));
    });
  return (
    <Page title={t('trace.title')} about={t('trace.about')}>
      <div class="beside">
        <form
          class="sheet padded form"
          onSubmit={(event) => {
            event.preventDefault();
            void find();
          }}
        >
          <Select
            label={t('trace.kind')}
            value={kind}
            choices={[
              { value: 'single', label: t('trace.single') },
              { value: 'group', label: t('trace.group') },
            ]}
            onValue={(value) => setKind(value as 'single' | 'group')}
          />
          {kind === 'single' ? (
            <div class="stack">
              {people.length < 2 && <PersonPicker taken={people} pick={(person) => setPeople([...people, person])} />}
              <div class="actions">
                {people.map((person) => (
                  <Button
                    key={person.userId}
                    small
                    icon="close"
                    onClick={() => setPeople(people.filter((each) => each !== person))}
                  >
                    <Said text={person.nick} />
                  </Button>
                ))}
                {people.length < 2 && <span class="soft small-text">{t('trace.two')}</span>}
              </div>
            </div>
          ) : (
            <Select
              label={t('groups.title')}
              value={groupId}
              choices={[
                { value: '', label: '–' },
                ...(groups.data?.groups ?? []).map((group: Group) => ({
                  value: String(group.groupId),
                  label: group.name,
                })),
              ]}
              onValue={setGroupId}
            />
          )}
          <TextField
            label={t('trace.id')}
            hint={t('trace.idHint')}
            value={id}
            onValue={setId}
            maxLength={36}
            autoComplete="off"
          />
          {action.error && <Failure error={action.error} />}
          <div class="actions end">
            <Button kind="main" type="submit" icon="search" busy={action.busy} disabled={!isReady}>
              {t('trace.find')}
            </Button>
          </div>
        </form>
        {found !== undefined && <Found found={found} />}
      </div>
      <Notice>{t('trace.private')}</Notice>
    </Page>
  );
}

function Found({ found }: { found: TraceFound }) {
  const nickOf = new Map(found.readers.map((reader) => [reader.userId, reader.nick]));
  const read = found.readers.filter((reader) => reader.readId >= found.msgId && reader.userId !== found.senderId);
  const others = found.readers.filter((reader) => reader.readId < found.msgId);
  return (
    <section class="sheet padded stack">
      <dl class="facts">
        <dt>msg_id</dt>
        <dd>
          {found.msgId} <span class="soft">/ {found.head}</span>
        </dd>
        <dt>send_id</dt>
        <dd>
          <code>{found.sendId}</code>
        </dd>
        <dt>{t('trace.size')}</dt>
        <dd>{bytes(found.size)}</dd>
      </dl>
      <ol class="steps">
        <li>
          <h3>{t('trace.sent')}</h3>
          <Said text={nickOf.get(found.senderId) ?? String(found.senderId)} />
        </li>
        <li>
          <h3>{t('trace.stored')}</h3>
          <p>{dateTime(found.createTimeMs)}</p>
          <p class="soft small-text">
            {t('trace.where', { shard: found.shard, bucket: found.bucket, key: found.keyId })}
          </p>
        </li>
        {found.effects.map((effect) => (
          <li key={effect.consumer}>
            <h3>{t('trace.effect', { name: effect.consumer })}</h3>
            {effect.waiting ? (
              <Mark kind="warn">{t('trace.waiting')}</Mark>
            ) : (
              <Mark kind="good">{t('trace.done')}</Mark>
            )}
          </li>
        ))}
        <li>
          <h3>{t('trace.read', { count: number(read.length) })}</h3>
          <p class="actions">
            {read.map((reader) => (
              <Mark key={reader.userId} kind="good">
                <Said text={reader.nick} />
              </Mark>
            ))}
          </p>
        </li>
        {others.length > 0 && (
          <li>
            <h3>{t('trace.unread', { count: number(others.length) })}</h3>
            <p class="actions">
              {others.map((reader) => (
                <Mark key={reader.userId} kind={reader.online ? 'accent' : 'warn'}>
                  <Said text={reader.nick} /> {reader.online ? t('users.isOnline') : ''}
                </Mark>
              ))}
            </p>
          </li>
        )}
      </ol>
    </section>
  );
}
