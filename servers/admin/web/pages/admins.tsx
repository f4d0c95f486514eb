import { useState } from 'preact/hooks';
import { ROLES, type Role } from '../../../../common/roles.js';
import type { AdminInfo } from '../../api.js';
import { ApiError, api, may, session } from '../client.js';
import { ago, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { ConflictDialog } from '../ui/conflict.js';
import { Button, Cell, Dialog, Face, Failure, Loading, Mark, Page, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';

interface Changed {
  readonly admin: AdminInfo;
  readonly password?: string;
}

/** The accounts of the console. */
export function AdminsPage() {
  const { data, error, reload } = useLoad(() => api<AdminInfo[]>('GET', '/api/admins'), []);
  const [open, setOpen] = useState<AdminInfo | 'new' | undefined>(undefined);
  const [handOver, setHandOver] = useState<Changed | undefined>(undefined);
  const changed = (answer: Changed) => {
    setOpen(undefined);
    reload();
    if (answer.password === undefined) say(t('saved'));
    else setHandOver(answer);
  };
  return (
    <Page
      title={t('admins.title')}
      about={t('admins.about')}
      actions={
        may('admins.change') && (
          <Button kind="main" icon="plus" onClick={() => setOpen('new')}>
            {t('admins.new')}
          </Button>
        )
      }
    >
      {error && <Failure error={error} retry={reload} />}
      <section class="sheet">
        {data === undefined ? error === undefined && <Loading /> : <List admins={data} open={setOpen} />}
      </section>
      {open !== undefined && (
        <AdminDialog admin={open === 'new' ? undefined : open} changed={changed} onClose={() => setOpen(undefined)} />
      )}
      {handOver?.password !== undefined && <HandOver changed={handOver} onClose={() => setHandOver(undefined)} />}
    </Page>
  );
}

function List({ admins, open }: { admins: readonly AdminInfo[]; open(admin: AdminInfo): void }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>{t('admins.name')}</th>
          <th>{t('admins.role')}</th>
          <th>{t('admins.state')}</th>
          <th>{t('admins.codes')}</th>
          <th>{t('admins.seen')}</th>
        </tr>
      </thead>
      <tbody>
        {admins.map((admin) => (
          <tr key={admin.id}>
            <Cell label="">
              <div class="person">
                <Face name={admin.name} />
                <div>
                  {mayChange(admin) ? (
                    <button type="button" class="link-button" onClick={() => open(admin)}>
                      <Said text={admin.name} />
                    </button>
                  ) : (
                    <Said text={admin.name} />
                  )}
                </div>
                {admin.id === session.value!.admin.id && <Mark>{t('admins.you')}</Mark>}
              </div>
            </Cell>
            <Cell label={t('admins.role')}>{t(`role.${admin.role}`)}</Cell>
            <Cell label={t('admins.state')}>
              {admin.disabled ? (
                <Mark kind="bad">{t('admins.disabled')}</Mark>
              ) : admin.mustChange ? (
                <Mark kind="warn">{t('admins.fresh')}</Mark>
              ) : (
                <Mark kind="good">{t('admins.active')}</Mark>
              )}
            </Cell>
            <Cell label={t('admins.codes')}>{admin.totp ? t('yes') : t('no')}</Cell>
            <Cell label={t('admins.seen')}>{admin.lastSeenMs === undefined ? '–' : ago(admin.lastSeenMs)}</Cell>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Who may take out what people wrote is for owners to say, as who is one of them. */
function isForOwners(role: Role): boolean {
  return role === 'owner' || role === 'compliance';
}

/** Owners are changed by owners; the server has the last word. */
function mayChange(admin: AdminInfo): boolean {
  return may('admins.change') && (!isForOwners(admin.role) || session.value!.admin.role === 'owner');
}

function AdminDialog({
  admin,
  changed,
  onClose,
}: {
  admin: AdminInfo | undefined;
  changed(answer: Changed): void;
  onClose(): void;
}) {
  const [name, setName] = useState(admin?.name ?? '');
  const [role, setRole] = useState<Role>(admin?.role ?? 'operator');
  const [theirs, setTheirs] = useState<AdminInfo | undefined>(undefined);
  const action = useAction();
  const isMe = admin?.id === session.value!.admin.id;
  const roles = ROLES.filter((each) => !isForOwners(each) || session.value!.admin.role === 'owner');
  const send = (fields: object, version = admin?.version) =>
    action.run(async () => {
      try {
        if (admin === undefined) changed(await api<Changed>('POST', '/api/admins', { name, role }));
        else changed(await api<Changed>('PATCH', `/api/admins/${admin.id}`, { ...fields, version }));
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== 'CONFLICT') throw error;
        setTheirs(error.problem.current as AdminInfo);
      }
    });
  const fields = { name, ...(isMe ? {} : { role }) };
  const disable = async () => {
    if (admin === undefined) return;
    const yes =
      admin.disabled ||
      (await sure({
        title: t('admins.disableSure', { name: admin.name }),
        text: t('admins.disableText'),
        yes: t('admins.disable'),
      }));
    if (yes) await send({ disabled: !admin.disabled });
  };
  const reset = async () => {
    if (admin === undefined) return;
    const yes = await sure({
      title: t('admins.resetSure', { name: admin.name }),
      text: t('admins.resetText'),
      yes: t('admins.reset'),
    });
    if (yes) await send({ reset: true });
  };
  return (
    <Dialog title={admin === undefined ? t('admins.new') : <Said text={admin.name} />} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void send(fields);
        }}
      >
        {action.error && <Failure error={action.error} />}
        <TextField label={t('admins.name')} value={name} onValue={setName} maxLength={64} required autoComplete="off" />
        <Select
          label={t('admins.role')}
          hint={t(`role.${role}.about`)}
          value={role}
          disabled={isMe}
          choices={roles.map((value) => ({ value, label: t(`role.${value}`) }))}
          onValue={(value) => setRole(value as Role)}
        />
        <div class="spread">
          <div class="actions">
            {admin !== undefined && !isMe && (
              <>
                <Button kind="danger" busy={action.busy} onClick={() => void disable()}>
                  {admin.disabled ? t('admins.enable') : t('admins.disable')}
                </Button>
                <Button busy={action.busy} onClick={() => void reset()}>
                  {t('admins.reset')}
                </Button>
              </>
            )}
          </div>
          <Button kind="main" type="submit" busy={action.busy}>
            {admin === undefined ? t('add') : t('save')}
          </Button>
        </div>
      </form>
      {theirs !== undefined && (
        <ConflictDialog
          differences={[
            { label: t('admins.name'), mine: name, theirs: theirs.name },
            { label: t('admins.role'), mine: t(`role.${role}`), theirs: t(`role.${theirs.role}`) },
          ]}
          keepMine={() => {
            setTheirs(undefined);
            void send(fields, theirs.version);
          }}
          takeTheirs={() => changed({ admin: theirs })}
          onClose={() => setTheirs(undefined)}
        />
      )}
    </Dialog>
  );
}

function HandOver({ changed, onClose }: { changed: Changed; onClose(): void }) {
  return (
    <Dialog title={t('admins.handOver', { name: changed.admin.name })} onClose={onClose}>
      <div class="stack">
        <p>{t('admins.handOverText')}</p>
        <p>
          <code class="mono">{changed.password}</code>
        </p>
        <div class="actions end">
          <Button onClick={() => void navigator.clipboard.writeText(changed.password!).then(() => say(t('copied')))}>
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
