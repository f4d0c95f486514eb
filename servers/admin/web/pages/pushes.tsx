import { useState } from 'preact/hooks';
import type { Person, PushServerInfo, PushTested, Versioned } from '../../api.js';
import { api, may } from '../client.js';
import { ago, dateTime, has, type Key, number, t } from '../texts/index.js';
import { say } from '../ui/ask.js';
import { Button, Cell, Failure, Loading, Mark, Nothing, Page, Said, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { type Loaded, useLoad } from '../use-load.js';
import { PersonPicker } from './groups.js';

const CHOICES = {
  'push.text': ['full', 'sender', 'none'],
  'push.language': ['zh', 'en'],
  'push.whilePcOnline': ['badge', 'ring', 'nothing'],
} as const;
/** In place of a value: as each server is set up. */
const OWN = '';
const HOURS = Array.from({ length: 24 }, (_, hour) => ({
  value: String(hour),
  label: `${String(hour).padStart(2, '0')}:00`,
}));

interface Night {
  readonly from: number;
  readonly to: number;
  readonly timeZone?: string;
}

/** How phones are told: in which manner, by which vendors, and whether it arrives. */
export function PushesPage() {
  const settings = useLoad(() => api<Versioned[]>('GET', '/api/settings'), []);
  const servers = useLoad(() => api<PushServerInfo[]>('GET', '/api/pushes'), []);
  const error = settings.error ?? servers.error;
  return (
    <Page title={t('pushes.title')} about={t('pushes.about')}>
      {error && <Failure error={error} retry={settings.error ? settings.reload : servers.reload} />}
      {settings.data === undefined ? error === undefined && <Loading /> : <Manner settings={settings} />}
      {servers.data !== undefined && <Servers servers={servers.data} />}
      {may('push.test') && servers.data !== undefined && servers.data.length > 0 && (
        <TestPush tested={servers.reload} />
      )}
    </Page>
  );
}

function Manner({ settings }: { settings: Loaded<Versioned[]> }) {
  const action = useAction();
  const of = (name: string) => settings.data!.find((each) => each.name === name)!;
  const change = (name: string, value: unknown) =>
    action.run(async () => {
      const { version } = of(name);
      if (value === OWN) await api('POST', '/api/settings/reset', { name, version });
      else await api('PUT', '/api/settings', { name, version, value });
      say(t('limits.saved'));
      await settings.reload();
    });
  const writable = may('settings.change');
  const { value: night, version } = of('push.quietHours') as Versioned<Night>;
  return (
    <section class="sheet">
      <header>
        <h2>{t('pushes.manner')}</h2>
        <p class="soft small-text">{t('pushes.mannerAbout')}</p>
      </header>
      {action.error && <Failure error={action.error} />}
      <div class="padded-inside form">
        <div class="two">
          {Object.entries(CHOICES).map(([name, values]) => (
            <Select
              key={name}
              label={t(name as Key)}
              value={(of(name).value as string | undefined) ?? OWN}
              choices={[
                { value: OWN, label: t('pushes.own') },
                ...values.map((value) => ({ value: value as string, label: t(`${name}.${value}` as Key) })),
              ]}
              disabled={!writable || action.busy}
              onValue={(value) => void change(name, value)}
            />
          ))}
        </div>
        <QuietHours
          key={version}
          night={night}
          isSet={version > 0}
          writable={writable && !action.busy}
          save={(value) => void change('push.quietHours', value)}
        />
      </div>
    </section>
  );
}

function QuietHours({
  night,
  isSet,
  writable,
  save,
}: {
  night: Night;
  isSet: boolean;
  writable: boolean;
  save(value: Night | typeof OWN): void;
}) {
  const [from, setFrom] = useState(String(night.from));
  const [to, setTo] = useState(String(night.to));
  const [zone, setZone] = useState(night.timeZone ?? '');
  const changed = from !== String(night.from) || to !== String(night.to) || zone.trim() !== (night.timeZone ?? '');
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const timeZone = zone.trim();
        save({ from: Number(from), to: Number(to), ...(timeZone === '' ? {} : { timeZone }) });
      }}
    >
      <div class="two">
        <Select
          label={t('pushes.nightFrom')}
          hint={t('pushes.nightHint')}
          value={from}
          choices={HOURS}
          disabled={!writable}
          onValue={setFrom}
        />
        <Select label={t('pushes.nightTo')} value={to} choices={HOURS} disabled={!writable} onValue={setTo} />
        <TextField
          label={t('pushes.zone')}
          hint={t('pushes.zoneHint')}
          value={zone}
          onValue={setZone}
          maxLength={64}
          disabled={!writable}
          autoComplete="off"
        />
      </div>
      {writable && (
        <div class="actions">
          <Button kind="main" type="submit" disabled={!changed}>
            {t('save')}
          </Button>
          {isSet && <Button onClick={() => save(OWN)}>{t('limits.reset')}</Button>}
        </div>
      )}
    </form>
  );
}

function Servers({ servers }: { servers: readonly PushServerInfo[] }) {
  if (servers.length === 0)
    return (
      <section class="sheet">
        <Nothing text={t('pushes.noServers')} icon="announce" />
      </section>
    );
  return (
    <>
      {servers.map((server) => (
        <section class="sheet" key={server.name}>
          <header>
            <h2>{t('pushes.server', { name: server.name })}</h2>
            <p class="soft small-text">
              {[
                t('pushes.since', { date: dateTime(server.sinceMs) }),
                t(`push.text.${server.text}` as Key),
                t(`push.language.${server.language}` as Key),
                t(`push.whilePcOnline.${server.whilePcOnline}` as Key),
              ].join(' · ')}
            </p>
          </header>
          <table class="cards">
            <thead>
              <tr>
                <th>{t('pushes.vendor')}</th>
                <th>{t('pushes.reaches')}</th>
                <th class="number">{t('pushes.sent')}</th>
                <th class="number">{t('pushes.waiting')}</th>
                <th>{t('pushes.failed')}</th>
              </tr>
            </thead>
            <tbody>
              {server.vendors.map((vendor) => (
                <Vendor key={vendor.vendor} of={vendor} />
              ))}
            </tbody>
          </table>
        </section>
      ))}
    </>
  );
}

function vendorName(vendor: string): string {
  return has(`pushes.vendor.${vendor}`) ? t(`pushes.vendor.${vendor}` as Key) : vendor;
}

function Vendor({ of: { vendor, ios, android, waiting, counts } }: { of: PushServerInfo['vendors'][number] }) {
  const sent = counts.reduce((sum, each) => (each.result === 'sent' ? sum + each.count : sum), 0);
  const failed = counts.filter(({ result }) => result !== 'sent').sort((a, b) => b.count - a.count);
  const reaches = [...(ios ? ['iOS'] : []), ...(android ? ['Android'] : [])].join(', ');
  return (
    <tr>
      <Cell label="">{vendorName(vendor)}</Cell>
      <Cell label={t('pushes.reaches')}>{reaches === '' ? t('pushes.byToken') : reaches}</Cell>
      <Cell label={t('pushes.sent')} class="number">
        {number(sent)}
      </Cell>
      <Cell label={t('pushes.waiting')} class="number">
        {number(waiting)}
      </Cell>
      <Cell label={t('pushes.failed')}>
        {failed.length === 0 ? (
          '–'
        ) : (
          <ul class="plain">
            {failed.map(({ result, reason, count }) => (
              <li key={`${result} ${reason}`}>
                {number(count)} × {resultWords(result)} <Said text={reason} />
              </li>
            ))}
          </ul>
        )}
      </Cell>
    </tr>
  );
}

function resultWords(result: string): string {
  return has(`pushes.result.${result}`) ? t(`pushes.result.${result}` as Key) : result;
}

function TestPush({ tested }: { tested(): void }) {
  const [person, setPerson] = useState<Person | undefined>(undefined);
  const [body, setBody] = useState(t('pushes.testBody'));
  const [answers, setAnswers] = useState<readonly PushTested[] | undefined>(undefined);
  const action = useAction();
  const send = () =>
    action.run(async () => {
      setAnswers(undefined);
      setAnswers(await api<PushTested[]>('POST', '/api/pushes/test', { userId: person!.userId, body }));
      tested();
    });
  return (
    <section class="sheet">
      <header>
        <h2>{t('pushes.test')}</h2>
        <p class="soft small-text">{t('pushes.testAbout')}</p>
      </header>
      <form
        class="padded-inside form"
        onSubmit={(event) => {
          event.preventDefault();
          if (person !== undefined) void send();
        }}
      >
        {action.error && <Failure error={action.error} />}
        {person === undefined ? (
          <PersonPicker taken={[]} pick={setPerson} />
        ) : (
          <div class="actions">
            <Said text={`${person.nick} (${person.name})`} />
            <Button
              small
              onClick={() => {
                setPerson(undefined);
                setAnswers(undefined);
              }}
            >
              {t('pushes.other')}
            </Button>
          </div>
        )}
        <TextField
          label={t('pushes.body')}
          value={body}
          onValue={setBody}
          maxLength={200}
          required
          autoComplete="off"
        />
        <div class="actions">
          <Button kind="main" type="submit" busy={action.busy} disabled={person === undefined || body.trim() === ''}>
            {t('pushes.send')}
          </Button>
        </div>
      </form>
      {answers !== undefined && <Answers answers={answers} />}
    </section>
  );
}

function Answers({ answers }: { answers: readonly PushTested[] }) {
  if (answers.length === 0) return <Nothing text={t('pushes.noPhone')} />;
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>{t('pushes.phone')}</th>
          <th>{t('pushes.vendor')}</th>
          <th>{t('pushes.answer')}</th>
          <th class="number">{t('pushes.took')}</th>
        </tr>
      </thead>
      <tbody>
        {answers.map(({ clientType, token, updatedMs, vendor, result, reason, tookMs }) => (
          <tr key={token}>
            <Cell label={t('pushes.phone')}>
              <div>
                {clientType === 17 ? 'iOS' : 'Android'} <code class="soft">{token}</code>
                <span class="soft small-text"> {ago(updatedMs)}</span>
              </div>
            </Cell>
            <Cell label={t('pushes.vendor')}>{vendorName(vendor)}</Cell>
            <Cell label={t('pushes.answer')}>
              <span class="actions">
                <Mark kind={result === 'sent' ? 'good' : 'bad'}>{resultWords(result)}</Mark>
                <Said text={reason} />
              </span>
            </Cell>
            <Cell label={t('pushes.took')} class="number">
              {number(tookMs)} ms
            </Cell>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
