import { useState } from 'preact/hooks';
import type { Group, GroupPage, Person, TraceFound, TracePlace } from '../../api.js';
import { api } from '../client.js';
import { t } from '../texts/index.js';
import { Button, Failure, Notice, Page, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { PersonPicker } from './groups.js';
import { Found } from './trace-found.js';

/** The way of one message, found by its conversation and one of its two ids, or by its send_id alone. What it says is not shown to anybody. */
export function TracePage() {
  const [kind, setKind] = useState<Kind>('single');
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [groupId, setGroupId] = useState('');
  const [id, setId] = useState('');
  const [found, setFound] = useState<TraceFound | undefined>(undefined);
  const groups = useLoad(() => api<GroupPage>('GET', '/api/groups?limit=200'), []);
  const action = useAction();
  const isPlaceReady = { single: people.length === 2, group: groupId !== '', sendId: true };
  const isReady = id.trim() !== '' && isPlaceReady[kind];
  const find = () =>
    action.run(async () => {
      setFound(undefined);
      const isNumber = /^\d{1,9}$/.test(id.trim());
      const asked = new URLSearchParams({ [isNumber ? 'msgId' : 'sendId']: id.trim() });
      if (kind !== 'sendId') asked.set('kind', kind);
      if (kind === 'single') {
        asked.set('user', String(people[0]!.userId));
        asked.set('session', String(people[1]!.userId));
      } else if (kind === 'group') asked.set('session', groupId);
      setFound(await api<TraceFound>('GET', `/api/trace?${asked}`));
    });
  const look = (place: TracePlace) =>
    action.run(async () => {
      const { kind, user, session, msgId } = place;
      const asked = new URLSearchParams({ kind, session: String(session), msgId: String(msgId) });
      if (kind === 'single') asked.set('user', String(user));
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
              { value: 'sendId', label: t('trace.sendId') },
            ]}
            onValue={(value) => setKind(value as Kind)}
          />
          {kind === 'single' && (
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
          )}
          {kind === 'group' && (
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
            hint={t(kind === 'sendId' ? 'trace.sendIdHint' : 'trace.idHint')}
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
        {found !== undefined && found.places.length === 1 && <Found found={found} />}
        {found !== undefined && found.places.length > 1 && <Places places={found.places} look={look} />}
      </div>
      <Notice>{t('trace.private')}</Notice>
    </Page>
  );
}

type Kind = 'single' | 'group' | 'sendId';

/** One send_id in several conversations: ids are the clients' own. */
function Places({ places, look }: { places: readonly TracePlace[]; look(place: TracePlace): unknown }) {
  return (
    <section class="sheet padded stack">
      <p>{t('trace.several')}</p>
      <div class="actions">
        {places.map((place) => (
          <Button key={`${place.user} ${place.session} ${place.msgId}`} small onClick={() => void look(place)}>
            {place.kind === 'group' ? `#${place.session}` : `${place.user} – ${place.session}`}, {place.msgId}
          </Button>
        ))}
      </div>
    </section>
  );
}
