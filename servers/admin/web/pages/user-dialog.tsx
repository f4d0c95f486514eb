import { useEffect, useState } from 'preact/hooks';
import type { Department, Person, UserDetails } from '../../api.js';
import { ApiError, api, may } from '../client.js';
import { t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { ConflictDialog } from '../ui/conflict.js';
import { Button, Dialog, Failure, Loading, Mark, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { choicesOf } from './departments-data.js';
import { CLIENTS, Tokens } from './user-tokens.js';

export const STATUSES = [0, 1, 2, 3, 4] as const;
const LEFT = 3;
const MOBILE_BIT = 16;

const TEXT_FIELDS = ['name', 'nick', 'domain', 'phone', 'email', 'avatar', 'signInfo'] as const;
type Fields = Pick<Person, (typeof TEXT_FIELDS)[number] | 'sex' | 'departmentId' | 'status'>;
const EMPTY: Fields = {
  name: '',
  nick: '',
  domain: '',
  phone: '',
  email: '',
  avatar: '',
  signInfo: '',
  sex: 0,
  departmentId: 0,
  status: 0,
};

interface Props {
  readonly departments: readonly Department[];
  changed(): void;
  handOver(what: { person: Person; password: string }): void;
  onClose(): void;
}

/** Somebody new, or everything about somebody. */
export function UserDialog({ userId, ...props }: Props & { userId: number | undefined }) {
  if (userId === undefined)
    return (
      <Dialog title={t('users.new')} wide onClose={props.onClose}>
        <Form {...props} />
      </Dialog>
    );
  return <Existing userId={userId} {...props} />;
}

function Existing({ userId, ...props }: Props & { userId: number }) {
  const { data, error, reload } = useLoad(() => api<UserDetails>('GET', `/api/users/${userId}`), [userId]);
  return (
    <Dialog title={data === undefined ? t('loading') : <Said text={data.person.nick} />} wide onClose={props.onClose}>
      {error && <Failure error={error} retry={reload} />}
      {data === undefined ? (
        error === undefined && <Loading />
      ) : (
        <div class="stack">
          <Form key={data.person.version} person={data.person} {...props} reload={reload} />
          <Devices details={data} reload={reload} />
          <Tokens userId={userId} />
          <Groups details={data} />
        </div>
      )}
    </Dialog>
  );
}

function Form({
  person,
  departments,
  changed,
  handOver,
  onClose,
  reload,
}: Props & { person?: Person; reload?: () => void }) {
  const [fields, setFields] = useState<Fields>(person ?? EMPTY);
  const [theirs, setTheirs] = useState<Person | undefined>(undefined);
  const action = useAction();
  const locked = !may('directory.change');
  const set = (part: Partial<Fields>) => setFields((before) => ({ ...before, ...part }));
  const edited = (from: Fields | undefined): Partial<Fields> => {
    const keys = Object.keys(EMPTY) as (keyof Fields)[];
    return Object.fromEntries(
      keys.filter((key) => fields[key] !== (from ?? EMPTY)[key]).map((key) => [key, fields[key]]),
    );
  };
  const save = (against: Person | undefined, change = edited(against)) =>
    action.run(async () => {
      if (against === undefined) {
        const made = await api<{ person: Person; password?: string }>('POST', '/api/users', { fields: change });
        if (made.password !== undefined) handOver({ person: made.person, password: made.password });
        changed();
        return onClose();
      }
      try {
        await api('PATCH', `/api/users/${against.userId}`, { version: against.version, fields: change });
        say(t('saved'));
        changed();
        onClose();
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== 'CONFLICT') throw error;
        setTheirs((error.problem as { current: Person }).current);
      }
    });
  const reset = async () => {
    if (person === undefined) return;
    const name = person.nick;
    if (!(await sure({ title: t('users.resetSure', { name }), text: t('users.resetText'), yes: t('users.reset') })))
      return;
    await action.run(async () => {
      const answer = await api<{ person: Person; password: string }>(
        'POST',
        `/api/users/${person.userId}/password`,
        {},
      );
      handOver(answer);
      changed();
      onClose();
    });
  };
  const disable = async () => {
    if (person === undefined) return;
    const name = person.nick;
    if (person.status === LEFT) return save(person, { status: 0 });
    if (await sure({ title: t('users.disableSure', { name }), text: t('users.disableText'), yes: t('users.disable') }))
      await save(person, { status: LEFT });
  };
  const text = (
    key: (typeof TEXT_FIELDS)[number],
    maxLength: number,
    more: { type?: 'email' | 'tel' | 'url'; hint?: string; required?: boolean } = {},
  ) => (
    <TextField
      label={t(`users.${key}`)}
      value={fields[key]}
      onValue={(value) => set({ [key]: value })}
      maxLength={maxLength}
      disabled={locked}
      autoComplete="off"
      {...more}
    />
  );
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void save(person);
      }}
    >
      {action.error && <Failure error={action.error} />}
      <div class="two">
        {text('name', 64, { required: true, hint: t('users.nameHint') })}
        {text('nick', 128)}
        {text('email', 128)}
        {text('phone', 128)}
        <Select
          label={t('users.department')}
          value={String(fields.departmentId)}
          disabled={locked}
          choices={[{ value: '0', label: t('none') }, ...choicesOf(departments)]}
          onValue={(value) => set({ departmentId: Number(value) })}
        />
        {text('domain', 128, { hint: t('users.domainHint') })}
        <Select
          label={t('users.sex')}
          value={String(fields.sex)}
          disabled={locked}
          choices={[0, 1, 2].map((each) => ({ value: String(each), label: t(`sex.${each as 0}`) }))}
          onValue={(value) => set({ sex: Number(value) })}
        />
        <Select
          label={t('users.status')}
          value={String(fields.status)}
          disabled={locked}
          hint={fields.status === LEFT ? t('users.leftHint') : undefined}
          choices={STATUSES.map((each) => ({ value: String(each), label: t(`status.${each}`) }))}
          onValue={(value) => set({ status: Number(value) })}
        />
        {text('signInfo', 128)}
        {text('avatar', 1024)}
      </div>
      {!locked && (
        <div class="spread">
          <div class="actions">
            {person !== undefined && (
              <>
                <Button kind="danger" busy={action.busy} onClick={() => void disable()}>
                  {person.status === LEFT ? t('users.enable') : t('users.disable')}
                </Button>
                <Button busy={action.busy} onClick={() => void reset()}>
                  {t('users.reset')}
                </Button>
              </>
            )}
          </div>
          <Button
            kind="main"
            type="submit"
            busy={action.busy}
            disabled={person !== undefined && Object.keys(edited(person)).length === 0}
          >
            {person === undefined ? t('add') : t('save')}
          </Button>
        </div>
      )}
      {theirs !== undefined && person !== undefined && (
        <ConflictDialog
          differences={(Object.keys(EMPTY) as (keyof Fields)[]).map((key) => ({
            label: t(key === 'departmentId' ? 'users.department' : `users.${key}`),
            mine: shown(key, fields, departments),
            theirs: shown(key, theirs, departments),
          }))}
          keepMine={() => {
            const mine = edited(person);
            setTheirs(undefined);
            void save(theirs, mine);
          }}
          takeTheirs={() => {
            setTheirs(undefined);
            changed();
            reload?.();
          }}
          onClose={() => setTheirs(undefined)}
        />
      )}
    </form>
  );
}

function shown(key: keyof Fields, fields: Fields, departments: readonly Department[]): string {
  if (key === 'status') return t(`status.${fields.status as 0}`);
  if (key === 'sex') return t(`sex.${fields.sex as 0}`);
  if (key === 'departmentId')
    return departments.find((each) => each.departmentId === fields.departmentId)?.name ?? t('none');
  return fields[key];
}

/** Sessions, and logging them out from here. */
function Devices({ details, reload }: { details: UserDetails; reload(): void }) {
  const action = useAction();
  const { userId } = details.person;
  // A kick takes a moment to reach the client and to come back as news.
  useEffect(() => {
    if (details.sessions.length === 0) return;
    const timer = setInterval(reload, 5_000);
    return () => clearInterval(timer);
  }, [details, reload]);
  const end = (deviceClass?: 1 | 2) =>
    action.run(async () => {
      await api('POST', `/api/users/${userId}/sessions/end`, {
        forgetToken: deviceClass !== 1,
        ...(deviceClass && { deviceClass }),
      });
      say(t('users.ended'));
      setTimeout(reload, 1_500);
    });
  return (
    <section class="stack">
      <div class="spread">
        <h3>{t('users.devices')}</h3>
        {details.sessions.length > 1 && may('directory.change') && (
          <Button small busy={action.busy} onClick={() => void end()}>
            {t('users.endAll')}
          </Button>
        )}
      </div>
      {action.error && <Failure error={action.error} />}
      {details.sessions.length === 0 ? (
        <p class="soft">{t('users.noDevices')}</p>
      ) : (
        <ul class="stack">
          {details.sessions.map(({ clientType, server }, i) => (
            <li class="spread" key={`${clientType} ${server} ${i}`}>
              <span>
                <Mark kind="good">
                  <i class="dot" />
                  {CLIENTS[clientType] ?? clientType}
                </Mark>{' '}
                <span class="soft small-text">{server}</span>
              </span>
              {may('directory.change') && (
                <Button small busy={action.busy} onClick={() => void end((clientType & MOBILE_BIT) === 0 ? 1 : 2)}>
                  {t('users.endSession')}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Groups({ details }: { details: UserDetails }) {
  if (details.groups.length === 0) return null;
  return (
    <section class="stack">
      <h3>{t('groups.title')}</h3>
      <div class="actions">
        {details.groups.map((group) => (
          <Mark key={group.groupId}>
            <Said text={group.name} />
          </Mark>
        ))}
      </div>
    </section>
  );
}

/** A password that was made here, to be handed over. */
export function HandOverDialog({
  person,
  password,
  onClose,
}: {
  person: { nick: string };
  password: string;
  onClose(): void;
}) {
  return (
    <Dialog title={t('admins.handOver', { name: person.nick })} onClose={onClose}>
      <div class="stack">
        <p>{t('users.handOverText')}</p>
        <p>
          <code>{password}</code>
        </p>
        <div class="actions end">
          <Button onClick={() => void navigator.clipboard.writeText(password).then(() => say(t('copied')))}>
            {t('copy')}
          </Button>
          <Button kind="main" onClick={onClose}>
            {t('close')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
