import { useState } from 'preact/hooks';
import type { Group, GroupDetails, GroupPage, PeoplePage, Person } from '../../api.js';
import { ApiError, api, may } from '../client.js';
import { dateTime, number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { ConflictDialog } from '../ui/conflict.js';
import {
  Button,
  Cell,
  Dialog,
  Face,
  Failure,
  Loading,
  Mark,
  Nothing,
  Page,
  Pager,
  Said,
  Search,
  Select,
  SignButton,
  TextField,
} from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad, useSettled } from '../use-load.js';

const NORMAL = 1;

/** Groups and who is in them; what they say to each other is nobody's business here. */
export function GroupsPage() {
  const [search, setSearch] = useState('');
  const [type, setType] = useState('');
  const [places, setPlaces] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<number | 'new' | undefined>(undefined);
  const wanted = useSettled(search, 250);
  const after = places.at(-1);
  const list = useLoad(() => {
    const asked = new URLSearchParams();
    if (wanted.trim() !== '') asked.set('search', wanted.trim());
    if (type !== '') asked.set('type', type);
    if (after !== undefined) asked.set('after', after);
    return api<GroupPage>('GET', `/api/groups?${asked}`);
  }, [wanted, type, after]);
  const next = list.data?.next;
  return (
    <Page
      title={t('groups.title')}
      about={list.data === undefined ? t('groups.about') : t('groups.count', { count: number(list.data.total) })}
      actions={
        may('directory.change') && (
          <Button kind="main" icon="plus" onClick={() => setOpen('new')}>
            {t('groups.new')}
          </Button>
        )
      }
    >
      <div class="filters">
        <Search
          label={t('groups.search')}
          value={search}
          onValue={(value) => {
            setPlaces([]);
            setSearch(value);
          }}
        />
        <Select
          bare
          label={t('groups.type')}
          value={type}
          choices={[
            { value: '', label: t('groups.allTypes') },
            { value: 'normal', label: t('groups.normal') },
            { value: 'temporary', label: t('groups.temporary') },
          ]}
          onValue={(value) => {
            setPlaces([]);
            setType(value);
          }}
        />
      </div>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      <section class="sheet" aria-busy={list.loading}>
        {list.data === undefined ? (
          list.error === undefined && <Loading />
        ) : list.data.groups.length === 0 ? (
          <Nothing text={t('groups.none')} icon="groups" />
        ) : (
          <List groups={list.data.groups} open={setOpen} />
        )}
      </section>
      <Pager
        back={places.length === 0 ? undefined : () => setPlaces(places.slice(0, -1))}
        next={next === undefined ? undefined : () => setPlaces([...places, next])}
      />
      {open === 'new' && <NewGroup changed={list.reload} onClose={() => setOpen(undefined)} />}
      {typeof open === 'number' && (
        <GroupDialog groupId={open} changed={list.reload} onClose={() => setOpen(undefined)} />
      )}
    </Page>
  );
}

function List({ groups, open }: { groups: readonly Group[]; open(groupId: number): void }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>{t('groups.name')}</th>
          <th>{t('groups.type')}</th>
          <th class="number">{t('groups.members')}</th>
          <th>{t('groups.created')}</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.groupId}>
            <Cell label="">
              <button type="button" class="link-button" onClick={() => open(group.groupId)}>
                <Said text={group.name} />
              </button>
            </Cell>
            <Cell label={t('groups.type')}>
              <Mark>{group.groupType === NORMAL ? t('groups.normal') : t('groups.temporary')}</Mark>
            </Cell>
            <Cell label={t('groups.members')} class="number">
              {number(group.members)}
            </Cell>
            <Cell label={t('groups.created')}>{dateTime(group.createdS * 1000)}</Cell>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function NewGroup({ changed, onClose }: { changed(): void; onClose(): void }) {
  const [name, setName] = useState('');
  const [members, setMembers] = useState<readonly Person[]>([]);
  const action = useAction();
  const make = () =>
    action.run(async () => {
      await api('POST', '/api/groups', { name, members: members.map((each) => each.userId) });
      say(t('saved'));
      changed();
      onClose();
    });
  return (
    <Dialog title={t('groups.new')} wide onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        {action.error && <Failure error={action.error} />}
        <TextField label={t('groups.name')} value={name} onValue={setName} maxLength={85} required autoComplete="off" />
        <PersonPicker taken={members} pick={(person) => setMembers([...members, person])} />
        <Members members={members} remove={(person) => setMembers(members.filter((each) => each !== person))} />
        <div class="actions end">
          <Button kind="main" type="submit" busy={action.busy}>
            {t('add')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function GroupDialog({ groupId, changed, onClose }: { groupId: number; changed(): void; onClose(): void }) {
  const { data, error, reload } = useLoad(() => api<GroupDetails>('GET', `/api/groups/${groupId}`), [groupId]);
  return (
    <Dialog title={data === undefined ? t('loading') : <Said text={data.group.name} />} wide onClose={onClose}>
      {error && <Failure error={error} retry={reload} />}
      {data === undefined ? (
        error === undefined && <Loading />
      ) : (
        <Existing
          key={data.group.version}
          details={data}
          changed={() => {
            reload();
            changed();
          }}
          onClose={onClose}
        />
      )}
    </Dialog>
  );
}

function Existing({ details, changed, onClose }: { details: GroupDetails; changed(): void; onClose(): void }) {
  const { group, members } = details;
  const [name, setName] = useState(group.name);
  const [added, setAdded] = useState<readonly Person[]>([]);
  const [removed, setRemoved] = useState<ReadonlySet<number>>(new Set());
  const [theirs, setTheirs] = useState<GroupDetails | undefined>(undefined);
  const action = useAction();
  const writable = may('directory.change');
  const now = [...members.filter((each) => !removed.has(each.userId)), ...added];
  const isEdited = name !== group.name || added.length > 0 || removed.size > 0;
  const send = (change: object, version = group.version) =>
    action.run(async () => {
      try {
        await api('PATCH', `/api/groups/${group.groupId}`, { version, ...change });
        say(t('saved'));
        changed();
        onClose();
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== 'CONFLICT') throw error;
        setTheirs((error.problem as { current: GroupDetails }).current);
      }
    });
  const mine = { name, add: added.map((each) => each.userId), remove: [...removed] };
  const disband = async () => {
    if (
      await sure({
        title: t('groups.disbandSure', { name: group.name }),
        text: t('groups.disbandText'),
        yes: t('groups.disband'),
        word: group.name.length <= 32 ? group.name : undefined,
      })
    )
      await send({ disband: true });
  };
  const namesOf = (people: readonly Person[]) =>
    people
      .map((each) => each.nick)
      .sort()
      .join(', ');
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void send(mine);
      }}
    >
      {action.error && <Failure error={action.error} />}
      <TextField
        label={t('groups.name')}
        value={name}
        onValue={setName}
        maxLength={85}
        required
        disabled={!writable}
        autoComplete="off"
      />
      {writable && (
        <PersonPicker
          taken={now}
          pick={(person) => {
            if (removed.has(person.userId)) setRemoved(new Set([...removed].filter((id) => id !== person.userId)));
            else setAdded([...added, person]);
          }}
        />
      )}
      <Members
        members={now}
        remove={
          writable
            ? (person) =>
                added.includes(person)
                  ? setAdded(added.filter((each) => each !== person))
                  : setRemoved(new Set([...removed, person.userId]))
            : undefined
        }
      />
      {writable && (
        <div class="spread">
          <Button kind="danger" busy={action.busy} onClick={() => void disband()}>
            {t('groups.disband')}
          </Button>
          <Button kind="main" type="submit" busy={action.busy} disabled={!isEdited}>
            {t('save')}
          </Button>
        </div>
      )}
      {theirs !== undefined && (
        <ConflictDialog
          differences={[
            { label: t('groups.name'), mine: name, theirs: theirs.group.name },
            { label: t('groups.members'), mine: namesOf(now), theirs: namesOf(theirs.members) },
          ]}
          keepMine={() => {
            const { version } = theirs.group;
            setTheirs(undefined);
            void send(mine, version);
          }}
          takeTheirs={changed}
          onClose={() => setTheirs(undefined)}
        />
      )}
    </form>
  );
}

function Members({ members, remove }: { members: readonly Person[]; remove: ((person: Person) => void) | undefined }) {
  return (
    <section class="stack">
      <h3>
        {t('groups.members')} <span class="soft">{number(members.length)}</span>
      </h3>
      <ul class="members">
        {members.map((person) => (
          <li key={person.userId} class="spread">
            <div class="person">
              <Face name={person.nick} />
              <div>
                <Said text={person.nick} />
                <span class="soft small-text">
                  <Said text={person.name} />
                </span>
              </div>
            </div>
            {remove !== undefined && (
              <SignButton
                icon="close"
                label={t('groups.removeOne', { name: person.nick })}
                onClick={() => remove(person)}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Finds people as one types. */
export function PersonPicker({ taken, pick }: { taken: readonly Person[]; pick(person: Person): void }) {
  const [search, setSearch] = useState('');
  const wanted = useSettled(search.trim(), 250);
  const found = useLoad(
    () =>
      wanted === ''
        ? Promise.resolve(undefined)
        : api<PeoplePage>('GET', `/api/users?limit=8&search=${encodeURIComponent(wanted)}`),
    [wanted],
  );
  const has = new Set(taken.map((each) => each.userId));
  const people = search.trim() === '' ? [] : (found.data?.people.filter((each) => !has.has(each.userId)) ?? []);
  return (
    <div class="stack">
      <Search label={t('groups.addPerson')} value={search} onValue={setSearch} />
      {found.error && <Failure error={found.error} />}
      {people.length > 0 && (
        <ul class="members sheet">
          {people.map((person) => (
            <li key={person.userId}>
              <button
                type="button"
                class="link-button person"
                onClick={() => {
                  pick(person);
                  setSearch('');
                }}
              >
                <Face name={person.nick} />
                <span>
                  <Said text={`${person.nick} (${person.name})`} />
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
