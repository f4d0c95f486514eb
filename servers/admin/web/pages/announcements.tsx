import { useEffect, useState } from 'preact/hooks';
import type { AnnouncementState, Department, GroupPage, Person } from '../../api.js';
import { api } from '../client.js';
import { dateTime, number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { Button, Cell, Failure, Field, Mark, Nothing, Page, Said, Select } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { choicesOf } from './departments-data.js';
import { PersonPicker } from './groups.js';

const TEXT_LENGTH_MAX = 1_000;
const SENDING_MS = 1_500;

/** A message from one account to many. */
export function AnnouncementsPage() {
  const sent = useLoad(() => api<AnnouncementState[]>('GET', '/api/announcements'), []);
  const isSending = sent.data?.some((each) => each.running) === true;
  const { reload } = sent;
  useEffect(() => {
    if (!isSending) return;
    const timer = setInterval(reload, SENDING_MS);
    return () => clearInterval(timer);
  }, [isSending, reload]);
  return (
    <Page title={t('announce.title')} about={t('announce.about')}>
      {sent.error && <Failure error={sent.error} retry={reload} />}
      <div class="beside">
        <Write sent={reload} />
        <section class="sheet">
          <header>
            <h2>{t('announce.sent')}</h2>
          </header>
          {sent.data === undefined || sent.data.length === 0 ? (
            <Nothing text={t('announce.none')} icon="announce" />
          ) : (
            <table class="cards">
              <tbody>
                {sent.data.map((each) => (
                  <Row key={each.id} state={each} changed={reload} />
                ))}
              </tbody>
            </table>
          )}
        </section>
      </div>
    </Page>
  );
}

function Row({ state, changed }: { state: AnnouncementState; changed(): void }) {
  const { sent, failed, receivers, running, stoppedBy } = state;
  const stop = useAction();
  const count = running
    ? t('announce.progress', { count: number(sent), all: number(receivers) })
    : t('announce.count', { count: number(sent) });
  return (
    <tr>
      <Cell label="">
        <div>
          <Said text={state.text} />
          <span class="soft small-text">
            {dateTime(state.startedMs)}, {state.byKey ? t('announce.key', { id: state.by }) : state.by} →{' '}
            {t(`announce.to.${state.to}`, { id: state.toId ?? '' })}
          </span>
          {stop.error && <Failure error={stop.error} />}
        </div>
      </Cell>
      <Cell label="" class="tight">
        <Mark kind={running ? 'accent' : 'good'}>{count}</Mark>
        {failed > 0 && <Mark kind="bad">{t('announce.failed', { count: number(failed) })}</Mark>}
        {stoppedBy !== undefined && <Mark kind="warn">{t('announce.stopped', { by: stoppedBy })}</Mark>}
        {running && (
          <Button
            small
            icon="close"
            busy={stop.busy}
            onClick={() =>
              void stop.run(async () => {
                await api('POST', `/api/announcements/${state.id}/stop`, {});
                changed();
              })
            }
          >
            {t('announce.stop')}
          </Button>
        )}
      </Cell>
    </tr>
  );
}

function Write({ sent }: { sent(): void }) {
  const [from, setFrom] = useState<Person | undefined>(undefined);
  const [to, setTo] = useState<'everybody' | 'department' | 'group'>('everybody');
  const [id, setId] = useState('');
  const [text, setText] = useState('');
  const action = useAction();
  const departments = useLoad(() => api<Department[]>('GET', '/api/departments'), []);
  const groups = useLoad(() => api<GroupPage>('GET', '/api/groups?limit=200'), []);
  const isReady = from !== undefined && text.trim() !== '' && (to === 'everybody' || id !== '');
  const send = async () => {
    const yes = await sure({ title: t('announce.sure'), text: text.trim(), yes: t('announce.send') });
    if (!yes || from === undefined) return;
    await action.run(async () => {
      const audience = to === 'everybody' ? { to } : { to, id: Number(id) };
      await api('POST', '/api/announcements', { fromUserId: from.userId, text: text.trim(), audience });
      say(t('announce.begun'));
      setText('');
      sent();
    });
  };
  return (
    <form
      class="sheet padded form"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {action.error && <Failure error={action.error} />}
      <div class="stack">
        <span class="label">{t('announce.from')}</span>
        {from === undefined ? (
          <PersonPicker taken={[]} pick={setFrom} />
        ) : (
          <div class="actions">
            <Button small icon="close" onClick={() => setFrom(undefined)}>
              <Said text={from.nick} />
            </Button>
          </div>
        )}
      </div>
      <div class="two">
        <Select
          label={t('announce.to')}
          value={to}
          hint={to === 'group' ? t('announce.groupHint') : undefined}
          choices={[
            { value: 'everybody', label: t('announce.everybody') },
            { value: 'department', label: t('users.department') },
            { value: 'group', label: t('announce.group') },
          ]}
          onValue={(value) => {
            setTo(value as typeof to);
            setId('');
          }}
        />
        {to === 'department' && (
          <Select
            label={t('users.department')}
            value={id}
            choices={[{ value: '', label: '–' }, ...choicesOf(departments.data)]}
            onValue={setId}
          />
        )}
        {to === 'group' && (
          <Select
            label={t('announce.group')}
            value={id}
            choices={[
              { value: '', label: '–' },
              ...(groups.data?.groups ?? []).map((group) => ({ value: String(group.groupId), label: group.name })),
            ]}
            onValue={setId}
          />
        )}
      </div>
      <Field label={t('announce.text')} hint={`${text.length} / ${TEXT_LENGTH_MAX}`}>
        {(props) => (
          <textarea
            class="input"
            {...props}
            value={text}
            maxLength={TEXT_LENGTH_MAX}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      <div class="actions end">
        <Button kind="main" type="submit" icon="announce" busy={action.busy} disabled={!isReady}>
          {t('announce.send')}
        </Button>
      </div>
    </form>
  );
}
