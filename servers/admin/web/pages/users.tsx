import { useState } from 'preact/hooks';
import type { Department, PeoplePage, Person } from '../../api.js';
import { api, may } from '../client.js';
import { go, path, query } from '../location.js';
import { number, t } from '../texts/index.js';
import { Button, Cell, Face, Failure, Loading, Mark, Nothing, Page, Pager, Said, Search, Select } from '../ui/parts.js';
import { useLoad, useSettled } from '../use-load.js';
import { choicesOf } from './departments-data.js';
import { HandOverDialog, STATUSES, UserDialog } from './user-dialog.js';
import { ImportDialog } from './user-import.js';

const LIMIT = 50;

/** The people who chat: found by the server, page by page, however many there are. */
export function UsersPage() {
  const [search, setSearch] = useState(query.value.get('search') ?? '');
  const [department, setDepartment] = useState(query.value.get('department') ?? '');
  const [status, setStatus] = useState('');
  const [places, setPlaces] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<number | 'new' | 'import' | undefined>(undefined);
  const [handOver, setHandOver] = useState<{ person: Person; password: string } | undefined>(undefined);
  const wanted = useSettled(search, 250);
  const departments = useLoad(() => api<Department[]>('GET', '/api/departments'), []);
  const after = places.at(-1);
  const list = useLoad(() => {
    const asked = new URLSearchParams({ limit: String(LIMIT) });
    if (wanted.trim() !== '') asked.set('search', wanted.trim());
    if (department !== '') asked.set('department', department);
    if (status !== '') asked.set('status', status);
    if (after !== undefined) asked.set('after', after);
    return api<PeoplePage>('GET', `/api/users?${asked}`);
  }, [wanted, department, status, after]);
  const filtered = (set: (value: string) => void) => (value: string) => {
    setPlaces([]);
    set(value);
  };
  const next = list.data?.next;
  return (
    <Page
      title={t('users.title')}
      about={list.data === undefined ? t('users.about') : t('users.count', { count: number(list.data.total) })}
      actions={
        <>
          {may('users.export') && (
            <a class="button" href="/api/users/export" download>
              {t('users.export')}
            </a>
          )}
          {may('users.import') && <Button onClick={() => setOpen('import')}>{t('users.import')}</Button>}
          {may('directory.change') && (
            <Button kind="main" icon="plus" onClick={() => setOpen('new')}>
              {t('users.new')}
            </Button>
          )}
        </>
      }
    >
      <div class="filters">
        <Search label={t('users.search')} value={search} onValue={filtered(setSearch)} />
        <Select
          bare
          label={t('users.department')}
          value={department}
          choices={[{ value: '', label: t('users.allDepartments') }, ...choicesOf(departments.data)]}
          onValue={filtered((value) => {
            setDepartment(value);
            go(path.value, { replace: true });
          })}
        />
        <Select
          bare
          label={t('users.status')}
          value={status}
          choices={[
            { value: '', label: t('users.allStatuses') },
            ...STATUSES.map((each) => ({ value: String(each), label: t(`status.${each}`) })),
          ]}
          onValue={filtered(setStatus)}
        />
      </div>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      <section class="sheet" aria-busy={list.loading}>
        {list.data === undefined ? (
          list.error === undefined && <Loading />
        ) : list.data.people.length === 0 ? (
          <Nothing text={t('users.none')} icon="users" />
        ) : (
          <List page={list.data} departments={departments.data ?? []} open={setOpen} />
        )}
      </section>
      <Pager
        back={places.length === 0 ? undefined : () => setPlaces(places.slice(0, -1))}
        next={next === undefined ? undefined : () => setPlaces([...places, next])}
      />
      {open === 'import' ? (
        <ImportDialog onClose={() => setOpen(undefined)} done={list.reload} />
      ) : (
        open !== undefined && (
          <UserDialog
            userId={open === 'new' ? undefined : open}
            departments={departments.data ?? []}
            changed={list.reload}
            handOver={setHandOver}
            onClose={() => setOpen(undefined)}
          />
        )
      )}
      {handOver && <HandOverDialog {...handOver} onClose={() => setHandOver(undefined)} />}
    </Page>
  );
}

function List({
  page,
  departments,
  open,
}: {
  page: PeoplePage;
  departments: readonly Department[];
  open(userId: number): void;
}) {
  const nameOf = new Map(departments.map((each) => [each.departmentId, each.name]));
  const online = new Set(page.online);
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>{t('users.name')}</th>
          <th>{t('users.department')}</th>
          <th>{t('users.email')}</th>
          <th>{t('users.phone')}</th>
          <th>{t('users.status')}</th>
          <th>{t('users.online')}</th>
        </tr>
      </thead>
      <tbody>
        {page.people.map((person) => (
          <tr key={person.userId}>
            <Cell label="">
              <div class="person">
                <Face name={person.nick} />
                <div>
                  <button type="button" class="link-button" onClick={() => open(person.userId)}>
                    <Said text={person.nick} />
                  </button>
                  <span class="soft small-text">
                    <Said text={person.name} />
                    {person.source !== undefined && (
                      <>
                        {' '}
                        <Mark>
                          <span title={person.source}>
                            {person.source === 'ldap' ? t('users.sourceLdap') : t('users.sourceOidc')}
                          </span>
                        </Mark>
                      </>
                    )}
                  </span>
                </div>
              </div>
            </Cell>
            <Cell label={t('users.department')}>
              <Said text={nameOf.get(person.departmentId) ?? '–'} />
            </Cell>
            <Cell label={t('users.email')}>
              <Said text={person.email || '–'} />
            </Cell>
            <Cell label={t('users.phone')}>
              <Said text={person.phone || '–'} />
            </Cell>
            <Cell label={t('users.status')}>
              {person.status === 3 ? <Mark kind="bad">{t('status.3')}</Mark> : t(`status.${person.status as 0}`)}
            </Cell>
            <Cell label={t('users.online')}>
              {online.has(person.userId) ? (
                <Mark kind="good">
                  <i class="dot" />
                  {t('users.isOnline')}
                </Mark>
              ) : (
                <span class="soft">–</span>
              )}
            </Cell>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
