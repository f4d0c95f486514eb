import { useEffect, useState } from 'preact/hooks';
import type { ExportInfo, GroupPage, Person } from '../../api.js';
import { api, may } from '../client.js';
import { bytes, dateTime, number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import {
  Button,
  Cell,
  Check,
  Failure,
  Loading,
  Mark,
  Nothing,
  Notice,
  Page,
  Said,
  Select,
  TextField,
} from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { PersonPicker } from './groups.js';

const LOOK_MS = 2_000;
const DAY_MS = 86_400_000;
const MARKS = {
  asked: 'warn',
  approved: 'accent',
  refused: 'bad',
  running: 'accent',
  cancelled: 'bad',
  done: 'good',
} as const;

/** Who took out what of what people wrote. What it says leaves in a file and is on no page. */
export function ExportsPage() {
  const exports = useLoad(() => api<ExportInfo[]>('GET', '/api/exports'), []);
  const { data, reload, set } = exports;
  const isRunning = data?.some((each) => each.state === 'running') === true;
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(reload, LOOK_MS);
    return () => clearInterval(timer);
  }, [isRunning, reload]);
  return (
    <Page title={t('exports.title')} about={t('exports.about')}>
      {exports.error && <Failure error={exports.error} retry={reload} />}
      <div class={may('export') ? 'beside' : ''}>
        {may('export') && <Ask asked={set} />}
        <section class="sheet">
          {data === undefined ? (
            exports.error === undefined && <Loading />
          ) : data.length === 0 ? (
            <Nothing text={t('exports.none')} icon="audit" />
          ) : (
            <table class="cards">
              <tbody>
                {data.map((each) => (
                  <Row key={each.id} it={each} changed={set} reload={reload} />
                ))}
              </tbody>
            </table>
          )}
        </section>
      </div>
      <Notice>{t('exports.trail')}</Notice>
    </Page>
  );
}

function Row({ it, changed, reload }: { it: ExportInfo; changed(all: ExportInfo[]): void; reload(): void }) {
  const action = useAction();
  const step = (which: 'approve' | 'refuse' | 'cancel') =>
    action.run(async () => {
      const text = t(`exports.${which}.sure`, { id: it.id, case: it.caseNumber });
      if (!(await sure({ title: t(`exports.${which}`), text, yes: t(`exports.${which}`) }))) return;
      changed(await api<ExportInfo[]>('POST', `/api/exports/${it.id}/${which}`, {}));
    });
  const isOpen = it.state === 'asked' || it.state === 'approved' || it.state === 'running';
  const named = [
    ...it.userIds.map((id) => t('exports.person', { id })),
    ...it.groupIds.map((id) => t('exports.group', { id })),
    ...(it.withGroups ? [t('exports.andGroups')] : []),
  ];
  return (
    <tr>
      <Cell label="">
        <div class="stack">
          <span>
            <b>#{it.id}</b> <Said text={it.caseNumber} />: <Said text={it.reason} whole />
          </span>
          <span class="soft small-text">
            {named.join(', ')}; {dateTime(it.fromMs)} – {dateTime(it.toMs)}
          </span>
          <span class="soft small-text">
            {t('exports.askedBy', { name: it.askedBy, time: dateTime(it.askedMs) })}
            {it.decidedBy !== undefined && `, ${t('exports.decidedBy', { name: it.decidedBy })}`}
          </span>
          {it.sha256 !== undefined && (
            <span class="small-text hop">
              {t('exports.file', { messages: number(it.messages), size: bytes(it.bytes ?? 0) })}, SHA-256{' '}
              <code>{it.sha256}</code>
            </span>
          )}
          {action.error && <Failure error={action.error} />}
        </div>
      </Cell>
      <Cell label="" class="tight">
        <Mark kind={MARKS[it.state]}>{t(`exports.state.${it.state}`)}</Mark>
        {it.state === 'running' && <span>{t('exports.soFar', { count: number(it.messages) })}</span>}
        <div class="actions">
          {it.state === 'asked' && may('export.decide') && (
            <Button small kind="main" icon="good" busy={action.busy} onClick={() => void step('approve')}>
              {t('exports.approve')}
            </Button>
          )}
          {(it.state === 'asked' || it.state === 'approved') && may('export.decide') && (
            <Button small icon="close" busy={action.busy} onClick={() => void step('refuse')}>
              {t('exports.refuse')}
            </Button>
          )}
          {it.ticket !== undefined && (
            <a
              class="button small main"
              href={`/api/exports/${it.id}/file?ticket=${it.ticket}`}
              download={`export-${it.id}.ndjson`}
              onClick={() => setTimeout(reload, LOOK_MS)}
            >
              {t('exports.save')}
            </a>
          )}
          {isOpen && (it.own || it.state === 'running') && may('export.cancel') && (
            <Button small icon="close" busy={action.busy} onClick={() => void step('cancel')}>
              {t('exports.cancel')}
            </Button>
          )}
        </div>
      </Cell>
    </tr>
  );
}

function Ask({ asked }: { asked(all: ExportInfo[]): void }) {
  const today = new Date().toISOString().slice(0, 10);
  const [people, setPeople] = useState<readonly Person[]>([]);
  const [groupId, setGroupId] = useState('');
  const [withGroups, setWithGroups] = useState(true);
  const [from, setFrom] = useState(new Date(Date.now() - 30 * DAY_MS).toISOString().slice(0, 10));
  const [to, setTo] = useState(today);
  const [reason, setReason] = useState('');
  const [caseNumber, setCaseNumber] = useState('');
  const groups = useLoad(() => api<GroupPage>('GET', '/api/groups?limit=200'), []);
  const action = useAction();
  const isNamed = people.length > 0 || groupId !== '';
  const isReady = isNamed && reason.trim() !== '' && caseNumber.trim() !== '' && from !== '' && to >= from;
  const send = () =>
    action.run(async () => {
      const body = {
        userIds: people.map((each) => each.userId),
        groupIds: groupId === '' ? [] : [Number(groupId)],
        withGroups: withGroups && people.length > 0,
        fromMs: new Date(`${from}T00:00`).getTime(),
        toMs: new Date(`${to}T00:00`).getTime() + DAY_MS,
        reason,
        caseNumber,
      };
      asked(await api<ExportInfo[]>('POST', '/api/exports', body));
      say(t('exports.asked'));
      setPeople([]);
      setReason('');
    });
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
        <span class="label">{t('exports.people')}</span>
        <PersonPicker taken={people} pick={(person) => setPeople([...people, person])} />
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
        </div>
      </div>
      <Check label={t('exports.withGroups')} checked={withGroups} onChecked={setWithGroups} />
      <Select
        label={t('exports.alsoGroup')}
        value={groupId}
        choices={[
          { value: '', label: '–' },
          ...(groups.data?.groups ?? []).map((group) => ({ value: String(group.groupId), label: group.name })),
        ]}
        onValue={setGroupId}
      />
      <div class="two">
        <TextField label={t('exports.from')} type="date" value={from} onValue={setFrom} />
        <TextField label={t('exports.to')} type="date" value={to} onValue={setTo} hint={t('exports.toHint')} />
      </div>
      <TextField
        label={t('exports.case')}
        value={caseNumber}
        onValue={setCaseNumber}
        maxLength={128}
        autoComplete="off"
      />
      <TextField label={t('exports.reason')} value={reason} onValue={setReason} maxLength={1000} autoComplete="off" />
      <div class="actions end">
        <Button kind="main" type="submit" icon="audit" busy={action.busy} disabled={!isReady}>
          {t('exports.ask')}
        </Button>
      </div>
    </form>
  );
}

const RECENT_MS = 30 * DAY_MS;

/** For whoever watches over it: that something was asked for or taken out lately. */
export function ExportsNotice() {
  const exports = useLoad(() => api<ExportInfo[]>('GET', '/api/exports'), []);
  const recent = (exports.data ?? []).filter((each) => each.askedMs > Date.now() - RECENT_MS);
  if (recent.length === 0) return null;
  const waiting = recent.filter((each) => each.state === 'asked').length;
  return (
    <Notice kind={waiting > 0 ? 'warn' : undefined}>
      <a href="/exports">
        {t('exports.notice', {
          count: number(recent.length),
          done: number(recent.filter(({ state }) => state === 'done').length),
        })}
        {waiting > 0 && ` ${t('exports.waiting', { count: number(waiting) })}`}
      </a>
    </Notice>
  );
}
