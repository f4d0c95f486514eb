import { useState } from 'preact/hooks';
import type { DiscoveryItem, Versioned } from '../../api.js';
import { ApiError, api, may } from '../client.js';
import { t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { ConflictDialog, type Difference } from '../ui/conflict.js';
import { Button, Cell, Dialog, Failure, Loading, Nothing, Page, Said, SignButton, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { type Loaded, useLoad } from '../use-load.js';

const DISCOVERY = 'client.discovery';
const CONFIG = 'client.config';
type Config = Readonly<Record<string, string>>;

/** One setting out of all, and a way to change it that tells when somebody else was quicker. */
function useSetting<T>(list: Loaded<Versioned[]>, name: string) {
  const setting = list.data?.find((each) => each.name === name) as Versioned<T> | undefined;
  const [conflict, setConflict] = useState<{ mine: T; theirs: Versioned<T> } | undefined>(undefined);
  const action = useAction();
  const save = (value: T, version = setting?.version ?? 0) =>
    action.run(async () => {
      try {
        await api('PUT', '/api/settings', { name, version, value });
        say(t('saved'));
        await list.reload();
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== 'CONFLICT') throw error;
        setConflict({ mine: value, theirs: (error.problem as { current: Versioned<T> }).current });
      }
    });
  return { setting, save, action, conflict, setConflict };
}

/** What clients are given before and besides chatting: the pages of their discovery tab, and words of configuration. */
export function ClientsPage() {
  const list = useLoad(() => api<Versioned[]>('GET', '/api/settings'), []);
  return (
    <Page title={t('clients.title')} about={t('clients.about')}>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      {list.data === undefined ? list.error === undefined && <Loading /> : <Both list={list} />}
    </Page>
  );
}

function Both({ list }: { list: Loaded<Versioned[]> }) {
  return (
    <>
      <Discovery list={list} />
      <ConfigTable list={list} />
    </>
  );
}

function Discovery({ list }: { list: Loaded<Versioned[]> }) {
  const { setting, save, action, conflict, setConflict } = useSetting<readonly DiscoveryItem[]>(list, DISCOVERY);
  const [open, setOpen] = useState<number | 'new' | undefined>(undefined);
  const items = [...(setting?.value ?? [])].sort((a, b) => b.priority - a.priority);
  const writable = may('settings.change');
  const remove = async (item: DiscoveryItem) => {
    if (
      await sure({
        title: t('discovery.removeSure', { name: item.name }),
        text: t('discovery.removeText'),
        yes: t('remove'),
      })
    )
      await save(items.filter((each) => each !== item));
  };
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('discovery.title')}</h2>
          <p class="soft small-text">{t('discovery.about')}</p>
        </div>
        {writable && (
          <Button icon="plus" onClick={() => setOpen('new')}>
            {t('add')}
          </Button>
        )}
      </header>
      {action.error && <Failure error={action.error} />}
      {items.length === 0 ? (
        <Nothing text={t('discovery.none')} icon="discovery" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('discovery.name')}</th>
              <th>{t('discovery.url')}</th>
              <th class="number">{t('discovery.priority')}</th>
              <th>
                <span class="unseen">{t('edit')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((item, i) => (
              <tr key={`${i} ${item.name}`}>
                <Cell label="">
                  <Said text={item.name} />
                </Cell>
                <Cell label={t('discovery.url')}>
                  <Said text={item.url} />
                </Cell>
                <Cell label={t('discovery.priority')} class="number">
                  {item.priority}
                </Cell>
                <td class="tight">
                  {writable && (
                    <div class="actions">
                      <Button kind="bare" small onClick={() => setOpen(i)}>
                        {t('edit')}
                      </Button>
                      <SignButton
                        icon="close"
                        label={t('discovery.removeOne', { name: item.name })}
                        onClick={() => void remove(item)}
                      />
                    </div>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open !== undefined && (
        <ItemDialog
          item={open === 'new' ? undefined : items[open]}
          save={(item) => {
            const next = open === 'new' ? [...items, item] : items.map((each, i) => (i === open ? item : each));
            setOpen(undefined);
            void save(next);
          }}
          onClose={() => setOpen(undefined)}
        />
      )}
      {conflict && (
        <ConflictDialog
          differences={linesOf(
            conflict.mine.map((each) => `${each.name} ${each.url} ${each.priority}`),
            conflict.theirs.value.map((each) => `${each.name} ${each.url} ${each.priority}`),
          )}
          keepMine={() => {
            const { mine, theirs } = conflict;
            setConflict(undefined);
            void save(mine, theirs.version);
          }}
          takeTheirs={() => {
            setConflict(undefined);
            void list.reload();
          }}
          onClose={() => setConflict(undefined)}
        />
      )}
    </section>
  );
}

/** Lists side by side: line by line what is in one and not in the other. */
function linesOf(mine: readonly string[], theirs: readonly string[]): Difference[] {
  const all = [...new Set([...mine, ...theirs])];
  return all.map((line, i) => ({
    label: String(i + 1),
    mine: mine.includes(line) ? line : '–',
    theirs: theirs.includes(line) ? line : '–',
  }));
}

function ItemDialog({
  item,
  save,
  onClose,
}: {
  item: DiscoveryItem | undefined;
  save(item: DiscoveryItem): void;
  onClose(): void;
}) {
  const [name, setName] = useState(item?.name ?? '');
  const [url, setUrl] = useState(item?.url ?? 'https://');
  const [priority, setPriority] = useState(String(item?.priority ?? 10));
  const [tried, setTried] = useState(false);
  const wrongUrl = /^https?:\/\/[^\s/]+/.test(url) ? undefined : t('discovery.wrongUrl');
  const wrongPriority = /^\d{1,4}$/.test(priority) ? undefined : t('discovery.wrongPriority');
  return (
    <Dialog title={t('discovery.title')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (wrongUrl === undefined && wrongPriority === undefined)
            save({ name: name.trim(), url, priority: Number(priority) });
        }}
      >
        <TextField
          label={t('discovery.name')}
          value={name}
          onValue={setName}
          maxLength={64}
          required
          autoComplete="off"
        />
        <TextField
          label={t('discovery.url')}
          value={url}
          onValue={setUrl}
          maxLength={1024}
          required
          wrong={tried ? wrongUrl : undefined}
          autoComplete="off"
        />
        <TextField
          label={t('discovery.priority')}
          hint={t('discovery.priorityHint')}
          value={priority}
          onValue={setPriority}
          inputMode="numeric"
          maxLength={4}
          wrong={tried ? wrongPriority : undefined}
          required
        />
        <div class="actions end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="main" type="submit">
            {t('save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ConfigTable({ list }: { list: Loaded<Versioned[]> }) {
  const { setting, save, action, conflict, setConflict } = useSetting<Config>(list, CONFIG);
  const [open, setOpen] = useState(false);
  const entries = Object.entries(setting?.value ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const writable = may('settings.change');
  const without = (key: string): Config => Object.fromEntries(entries.filter(([each]) => each !== key));
  const remove = async (key: string) => {
    if (await sure({ title: t('config.removeSure', { name: key }), text: t('config.removeText'), yes: t('remove') }))
      await save(without(key));
  };
  return (
    <section class="sheet">
      <header class="spread">
        <div>
          <h2>{t('config.title')}</h2>
          <p class="soft small-text">{t('config.about')}</p>
        </div>
        {writable && (
          <Button icon="plus" onClick={() => setOpen(true)}>
            {t('add')}
          </Button>
        )}
      </header>
      {action.error && <Failure error={action.error} />}
      {entries.length === 0 ? (
        <Nothing text={t('config.none')} icon="settings" />
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th>{t('config.key')}</th>
              <th>{t('config.value')}</th>
              <th>
                <span class="unseen">{t('edit')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {entries.map(([key, value]) => (
              <tr key={key}>
                <Cell label="">
                  <code>{key}</code>
                </Cell>
                <Cell label={t('config.value')}>
                  <Said text={value} />
                </Cell>
                <td class="tight">
                  {writable && (
                    <SignButton
                      icon="close"
                      label={t('discovery.removeOne', { name: key })}
                      onClick={() => void remove(key)}
                    />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open && (
        <EntryDialog
          save={(key, value) => {
            setOpen(false);
            void save({ ...without(key), [key]: value });
          }}
          onClose={() => setOpen(false)}
        />
      )}
      {conflict && (
        <ConflictDialog
          differences={linesOf(
            Object.entries(conflict.mine).map(([key, value]) => `${key}: ${value}`),
            Object.entries(conflict.theirs.value).map(([key, value]) => `${key}: ${value}`),
          )}
          keepMine={() => {
            const { mine, theirs } = conflict;
            setConflict(undefined);
            void save(mine, theirs.version);
          }}
          takeTheirs={() => {
            setConflict(undefined);
            void list.reload();
          }}
          onClose={() => setConflict(undefined)}
        />
      )}
    </section>
  );
}

function EntryDialog({ save, onClose }: { save(key: string, value: string): void; onClose(): void }) {
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const [tried, setTried] = useState(false);
  const wrong = /^[\w.-]{1,64}$/.test(key) ? undefined : t('config.wrongKey');
  return (
    <Dialog title={t('config.title')} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (wrong === undefined) save(key, value);
        }}
      >
        <TextField
          label={t('config.key')}
          value={key}
          onValue={setKey}
          maxLength={64}
          wrong={tried ? wrong : undefined}
          required
          autoComplete="off"
        />
        <TextField label={t('config.value')} value={value} onValue={setValue} maxLength={2048} autoComplete="off" />
        <div class="actions end">
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="main" type="submit">
            {t('save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
