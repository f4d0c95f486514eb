import type { ComponentChildren } from 'preact';
import type { TraceFound, TraceHop, TraceServer } from '../../api.js';
import { bytes, clock, dateTime, number, t } from '../texts/index.js';
import { Cell, Mark, Said } from '../ui/parts.js';

/** Who takes part in a stage, and which of their rows belong to it. */
const STAGES = {
  accepted: { kinds: ['accepted', 'refused'], roles: ['msg', 'http-msg', 'admin'] },
  stored: { kinds: ['stored'], roles: ['db-proxy'] },
  relayed: { kinds: ['relayed'], roles: ['route'] },
  delivered: { kinds: ['delivered'], roles: ['msg'] },
  effects: { kinds: ['settled', 'pushed', 'told'], roles: ['db-proxy', 'push', 'http-msg'] },
  read: { kinds: ['read'], roles: ['db-proxy'] },
} as const;
type Stage = keyof typeof STAGES;

/** What happened to a message, stage by stage, and what is no longer known of it. */
export function Found({ found }: { found: TraceFound }) {
  const { stored, hops, servers } = found;
  const nickOf = new Map(stored?.readers.map((reader) => [reader.userId, reader.nick]));
  const name = (userId: number) => nickOf.get(userId) ?? String(userId);
  const sentMs = hops[0]?.atMs ?? stored?.createTimeMs ?? 0;
  const of = (stage: Stage) => hops.filter((hop) => (STAGES[stage].kinds as readonly string[]).includes(hop.kind));
  const readers = stored?.readers ?? [];
  const read = readers.filter((each) => each.readId >= (stored?.msgId ?? 0) && each.userId !== stored?.senderId);
  const others = readers.filter((each) => each.readId < (stored?.msgId ?? 0));
  const stage = (of: readonly TraceHop[], which: Stage, more?: ComponentChildren) => (
    <li>
      <h3>{t(`trace.${which}`)}</h3>
      {more}
      {of.map((hop) => (
        <HopLine key={`${hop.server} ${hop.atMs} ${hop.kind} ${hop.name}`} hop={hop} sinceMs={sentMs} name={name} />
      ))}
      <Forgotten servers={servers} stage={which} atMs={sentMs} isEmpty={of.length === 0} />
    </li>
  );
  return (
    <section class="sheet padded stack">
      <dl class="facts">
        <dt>msg_id</dt>
        <dd>
          {stored === undefined ? (
            <Mark kind="bad">{t('trace.notStored')}</Mark>
          ) : (
            <>
              {stored.msgId} <span class="soft">/ {stored.head}</span>
            </>
          )}
        </dd>
        <dt>send_id</dt>
        <dd>
          <code>{stored?.sendId ?? hops.find((hop) => hop.sendId !== undefined)?.sendId ?? '–'}</code>
        </dd>
        {stored !== undefined && (
          <>
            <dt>{t('trace.sender')}</dt>
            <dd>
              <Said text={name(stored.senderId)} />
            </dd>
            <dt>{t('trace.size')}</dt>
            <dd>{bytes(stored.size)}</dd>
          </>
        )}
      </dl>
      <ol class="steps">
        {stage(of('accepted'), 'accepted')}
        {stage(
          of('stored'),
          'stored',
          stored && (
            <p class="soft small-text">
              {dateTime(stored.createTimeMs)},{' '}
              {t('trace.where', { shard: stored.shard, bucket: stored.bucket, key: stored.keyId })}
            </p>
          ),
        )}
        {stage(of('relayed'), 'relayed')}
        {stage(of('delivered'), 'delivered')}
        {stage(
          of('effects'),
          'effects',
          <p class="actions">
            {stored?.effects.map((effect) => (
              <Mark key={effect.consumer} kind={effect.waiting ? 'warn' : 'good'}>
                {effect.consumer}: {t(effect.waiting ? 'trace.waiting' : 'trace.done')}
              </Mark>
            ))}
          </p>,
        )}
        {stage(
          of('read'),
          'read',
          <>
            <Readers title={t('trace.readBy', { count: number(read.length) })} readers={read} />
            {others.length > 0 && (
              <Readers title={t('trace.unread', { count: number(others.length) })} readers={others} />
            )}
          </>,
        )}
      </ol>
      <Servers servers={servers} />
    </section>
  );
}

/** `+` is since the first thing that is known of the message; what is in brackets passed within one server. */
function HopLine({ hop, sinceMs, name }: { hop: TraceHop; sinceMs: number; name(userId: number): string }) {
  return (
    <p class="hop">
      <code class="soft">+{number(hop.atMs - sinceMs, 2)} ms</code> <b>{hop.server}</b> {wordsOf(hop, name)}{' '}
      <span class="soft small-text">{clock(hop.atMs)}</span>
    </p>
  );
}

function wordsOf(hop: TraceHop, name: (userId: number) => string): string {
  const ms = (step: number, from = 0) => number((hop.steps[step] ?? 0) - from, 2);
  const [first = 0, second = 0, third = 0] = hop.steps.map((each) => each ?? 0);
  const { count } = hop;
  switch (hop.kind) {
    case 'accepted':
      return t('trace.hop.accepted', {
        wait: ms(0),
        hook: ms(1, first),
        store: ms(2, second),
        tell: ms(3, third),
        count,
      });
    case 'refused':
      return t('trace.hop.refused', { code: hop.name, ms: ms(0) });
    case 'stored':
      return t(count === 0 ? 'trace.hop.repeated' : 'trace.hop.stored', { queue: ms(0), commit: ms(1, first), count });
    case 'relayed':
      return t('trace.hop.relayed', { from: hop.name, to: hop.receivers?.join(', ') || '–' });
    case 'delivered':
      return t(hop.name === 'missed' ? 'trace.hop.missed' : 'trace.hop.delivered', { count, ms: ms(0) });
    case 'settled':
      return t('trace.hop.settled', { name: hop.name });
    case 'pushed':
      return t('trace.hop.pushed', { result: hop.name, count, ms: ms(0) });
    case 'told':
      return t('trace.hop.told', { result: hop.name, ms: ms(0) });
    case 'read':
      return t('trace.hop.read', { name: name(count) });
  }
}

/** What could have been said by servers that no longer know, or cannot be asked; else that there was nothing. */
function Forgotten(asked: { servers: readonly TraceServer[]; stage: Stage; atMs: number; isEmpty: boolean }) {
  const { servers, stage, atMs, isEmpty } = asked;
  const roles: readonly string[] = STAGES[stage].roles;
  const unsure = servers.filter(
    ({ role, sinceMs, uncertainMs = 0 }) =>
      (roles.includes(role) || role === '') && (sinceMs === undefined || sinceMs - uncertainMs > atMs),
  );
  if (unsure.length > 0)
    return (
      <p class="soft small-text">
        {t('trace.forgotten')} {unsure.map((each) => `${each.name} (${sinceOf(each)})`).join(', ')}
      </p>
    );
  if (servers.length === 0) return <p class="soft small-text">{t('trace.unwatched')}</p>;
  return isEmpty ? <p class="soft small-text">{t('trace.none')}</p> : null;
}

function sinceOf({ sinceMs }: TraceServer): string {
  return sinceMs === undefined ? t('trace.silent') : t('trace.since', { time: dateTime(sinceMs) });
}

function Readers({ title, readers }: { title: string; readers: readonly Reader[] }) {
  return (
    <div class="actions">
      <span>{title}</span>
      {readers.map((reader) => (
        <Mark key={reader.userId} kind={reader.online ? 'accent' : 'good'}>
          <Said text={reader.nick} /> {reader.online ? t('users.isOnline') : ''}
        </Mark>
      ))}
    </div>
  );
}
type Reader = NonNullable<TraceFound['stored']>['readers'][number];

function Servers({ servers }: { servers: readonly TraceServer[] }) {
  if (servers.length === 0) return null;
  return (
    <details>
      <summary>{t('trace.clocks')}</summary>
      <p class="soft small-text">{t('trace.clocksAbout')}</p>
      <table class="cards">
        <tbody>
          {servers.map((server) => (
            <tr key={server.name}>
              <Cell label="">{server.name}</Cell>
              <Cell label="">{sinceOf(server)}</Cell>
              <Cell label="" class="tight">
                {server.offsetMs === undefined || server.uncertainMs === undefined
                  ? ''
                  : `${number(server.offsetMs, 1)} ms ± ${number(server.uncertainMs, 1)} ms`}
              </Cell>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
