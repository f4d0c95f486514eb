import { useState } from 'preact/hooks';
import type { AuditRow, AuditVerdict, AuditPage as Rows } from '../../api.js';
import { api } from '../client.js';
import { dateTime, number, t } from '../texts/index.js';
import {
  Button,
  Cell,
  Failure,
  Loading,
  Mark,
  Nothing,
  Notice,
  Page,
  Pager,
  Said,
  Search,
  Select,
} from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad, useSettled } from '../use-load.js';

const KINDS = ['user.', 'department.', 'group.', 'setting.', 'admin.', 'console.', 'session.'] as const;

/** Who changed what, and whether somebody has tampered with it. */
export function AuditPage() {
  const [actor, setActor] = useState('');
  const [action, setAction] = useState('');
  const [subject, setSubject] = useState('');
  const [places, setPlaces] = useState<readonly number[]>([]);
  const wanted = { actor: useSettled(actor.trim(), 250), subject: useSettled(subject.trim(), 250) };
  const before = places.at(-1);
  const list = useLoad(() => {
    const asked = new URLSearchParams();
    if (wanted.actor !== '') asked.set('actor', wanted.actor);
    if (wanted.subject !== '') asked.set('subject', wanted.subject);
    if (action !== '') asked.set('action', action);
    if (before !== undefined) asked.set('before', String(before));
    return api<Rows>('GET', `/api/audit?${asked}`);
  }, [wanted.actor, wanted.subject, action, before]);
  const filtered = (set: (value: string) => void) => (value: string) => {
    setPlaces([]);
    set(value);
  };
  const next = list.data?.next;
  return (
    <Page title={t('audit.title')} about={t('audit.about')} actions={<Verify />}>
      <div class="filters">
        <Search label={t('audit.actor')} value={actor} onValue={filtered(setActor)} />
        <Search label={t('audit.subject')} value={subject} onValue={filtered(setSubject)} />
        <Select
          bare
          label={t('audit.action')}
          value={action}
          choices={[
            { value: '', label: t('audit.allActions') },
            ...KINDS.map((value) => ({ value, label: `${value}*` })),
          ]}
          onValue={filtered(setAction)}
        />
      </div>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      <section class="sheet" aria-busy={list.loading}>
        {list.data === undefined ? (
          list.error === undefined && <Loading />
        ) : list.data.rows.length === 0 ? (
          <Nothing text={t('audit.none')} icon="audit" />
        ) : (
          <table class="cards">
            <thead>
              <tr>
                <th class="number">{t('audit.number')}</th>
                <th>{t('audit.when')}</th>
                <th>{t('audit.who')}</th>
                <th>{t('audit.action')}</th>
                <th>{t('audit.subject')}</th>
                <th>{t('audit.change')}</th>
              </tr>
            </thead>
            <tbody>
              {list.data.rows.map((row) => (
                <Row key={row.id} row={row} />
              ))}
            </tbody>
          </table>
        )}
      </section>
      <Pager
        back={places.length === 0 ? undefined : () => setPlaces(places.slice(0, -1))}
        next={next === undefined ? undefined : () => setPlaces([...places, next])}
      />
    </Page>
  );
}

function Row({ row }: { row: AuditRow }) {
  return (
    <tr>
      <Cell label={t('audit.number')} class="number">
        {row.id}
      </Cell>
      <Cell label={t('audit.when')}>{dateTime(row.atMs)}</Cell>
      <Cell label={t('audit.who')}>
        <div>
          <Said text={row.actor.name} />
          <span class="soft small-text">
            {row.actor.kind} {row.actor.address}
          </span>
        </div>
      </Cell>
      <Cell label={t('audit.action')}>
        <Mark kind="accent">{row.action}</Mark>
      </Cell>
      <Cell label={t('audit.subject')}>
        <code>{row.subject}</code>
      </Cell>
      <Cell label={t('audit.change')}>
        <Changes row={row} />
      </Cell>
    </tr>
  );
}

const SHOWN_MAX = 8;

function Changes({ row: { before, after } }: { row: AuditRow }) {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  if (keys.length === 0) return <span class="soft">–</span>;
  return (
    <ul class="change-list">
      {keys.slice(0, SHOWN_MAX).map((key) => (
        <li key={key}>
          <span class="soft">{key}</span> {before?.[key] !== undefined && <del>{textOf(before[key])}</del>}{' '}
          <ins>{after?.[key] === undefined ? '' : textOf(after[key])}</ins>
        </li>
      ))}
    </ul>
  );
}

const TEXT_MAX = 120;

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

/** Goes through the whole chain, some way with each question. */
function Verify() {
  const [verdict, setVerdict] = useState<AuditVerdict | undefined>(undefined);
  const action = useAction();
  const verify = () =>
    action.run(async () => {
      let now: AuditVerdict = { checkedId: 0, done: false };
      while (!now.done) {
        now = await api<AuditVerdict>('GET', `/api/audit/verify?after=${now.checkedId}`);
        setVerdict(now);
      }
    });
  return (
    <>
      {action.error && <Failure error={action.error} />}
      {verdict !== undefined && (
        <Notice {...(verdict.brokenId === undefined ? {} : { kind: 'bad' as const })}>
          {verdict.brokenId === undefined
            ? t('audit.whole', { count: number(verdict.checkedId) })
            : t('audit.broken', { id: number(verdict.brokenId) })}
        </Notice>
      )}
      <Button icon="admins" busy={action.busy} onClick={() => void verify()}>
        {t('audit.verify')}
      </Button>
    </>
  );
}
