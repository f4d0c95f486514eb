import { createHash } from 'node:crypto';
import { ImError } from '../../common/errors.js';
import type { Hops } from '../../common/hops.js';
import { Bucket, Buckets } from '../../common/live/bucket.js';
import type { Limits } from '../../common/live/limits.js';
import type { Logger } from '../../common/log.js';
import type { LinkGroup } from '../../common/net/link-group.js';
import { outbox, push } from '../../common/pdu/commands.js';
import type { IM } from '../../common/pdu/pb.js';
import type { Manners } from './manners.js';
import { type Manner, noticeOf } from './notice.js';
import type { About, Outcome, Push } from './providers/provider.js';
import type { PushSettings } from './settings.js';
import type { VendorName, Vendors } from './vendors.js';

const CONSUMER = 'push';
/** Messages of one claim, and messages under way at most. */
const CLAIM = 200;
const OPEN_MAX = 2_000;
const IDLE_MS = 250;
const FAILED_MS = 1_000;
/** Pauses before a message is taken up again: doubled each time. */
const AGAIN_MS_MIN = 1_000;
const AGAIN_MS_MAX = 300_000;
/** Read notices that wait to be looked at; one more is forgotten, and its push stays until the app is opened. */
const READS_MAX = 10_000;
const NEWEST_MAX = 50_000;
const ATTEMPTS_MAX = 50_000;

export interface PushCounters {
  /** @param result sent, gone, later, refused, expired */
  settled(vendor: VendorName, kind: Push['kind'], result: string, reason: string): void;
}

interface Sending {
  readonly target: IM.Push.PushTarget;
  readonly vendor: VendorName;
  readonly outcome: Outcome;
}

/**
 * Works the outbox off: claims messages, asks which phones are to be told, leaves out those that are connected, sends,
 * and notes down what was told. Nothing is remembered here, so this process may die at any moment: what it had not
 * settled is claimed anew, and who was told of a message before is not told again. A push that went out in the moment
 * of dying goes out twice, under the same collapse id.
 */
export class Pusher {
  readonly #dbProxies: LinkGroup;
  readonly #routes: LinkGroup;
  readonly #vendors: Vendors;
  readonly #manners: Manners;
  readonly #limits: Limits<'push'>;
  /** What each phone may still get now. */
  readonly #paces = new Buckets<string>(() => new Bucket());
  readonly #settings: PushSettings;
  readonly #counters: PushCounters;
  readonly #hops: Hops;
  readonly #log: Logger;
  /** Messages under way. */
  readonly #underWay = new Set<string>();
  /** Phone and conversation with pushes under way → the end of the last one. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** What each phone was told of here lately, and how far its user has read since. */
  readonly #told = new Newest();
  readonly #read = new Newest();
  /** Messages that are to be taken up again → how often they were. */
  readonly #attempts = new Map<string, number>();
  #reads = 0;
  #closed = false;
  readonly #running: Promise<void>;

  constructor(
    links: { dbProxies: LinkGroup; routes: LinkGroup },
    vendors: Vendors,
    { manners, limits }: { manners: Manners; limits: Limits<'push'> },
    settings: PushSettings,
    counters: PushCounters,
    hops: Hops,
    log: Logger,
  ) {
    this.#dbProxies = links.dbProxies;
    this.#routes = links.routes;
    this.#vendors = vendors;
    this.#manners = manners;
    this.#limits = limits;
    this.#settings = settings;
    this.#counters = counters;
    this.#hops = hops;
    this.#log = log;
    this.#running = this.#run();
  }

  /** Messages under way. */
  get open(): number {
    return this.#underWay.size;
  }

  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    await this.#running;
    const deadline = performance.now() + drainMs;
    while (this.open > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Somebody has read up to there: what his phone shows of it goes. */
  async readMoved({ userId, read }: IM.Push.IMReadMoved): Promise<void> {
    if (this.#closed) return;
    this.#read.add(phoneKey(userId, read.conversationId), read.msgId);
    await this.#withdraw(userId, read);
  }

  async #withdraw(userId: number, read: IM.Push.PushPlace.$Properties): Promise<void> {
    if (this.#reads >= READS_MAX) return;
    this.#reads++;
    try {
      const { target, sessionType } = await this.#dbProxies.ask(push.withdraw, { userId, read }, userId);
      if (target != null && sessionType != null) {
        const about = { sessionType, sessionId: target.sessionId, fromUserId: 0, msgId: read.msgId, msgType: 0 };
        await this.#send(target, 'withdraw', { title: '', body: '' }, about, Date.now());
      }
    } catch (error) {
      if (!(error instanceof ImError)) throw error; // it stays on the phone until the app is opened
    } finally {
      this.#reads--;
    }
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const claimed = this.open >= OPEN_MAX ? 0 : await this.#claim();
      if (claimed === 0) await pause(IDLE_MS);
      else if (claimed === undefined) await pause(FAILED_MS);
    }
  }

  /** @returns how many, or undefined when they could not be asked for. */
  async #claim(): Promise<number | undefined> {
    try {
      const asked = { consumer: CONSUMER, limit: CLAIM, leaseMs: this.#settings.claimLeaseMs };
      const { effectList } = await this.#dbProxies.ask(outbox.claim, asked);
      // A claim may run out while a slow vendor is still at it: that is no reason to begin it twice.
      const fresh = effectList
        .map(({ conversationId, msgId }) => ({ conversationId, msgId }))
        .filter((place) => !this.#underWay.has(keyOf(place)));
      for (let from = 0; from < fresh.length; from += CLAIM) {
        const places = fresh.slice(from, from + CLAIM);
        for (const place of places) this.#underWay.add(keyOf(place));
        void this.#work(places)
          .catch((error: Error) => this.#log.warn({ error: error.message }, 'pushes wait to be claimed anew'))
          .finally(() => {
            for (const place of places) this.#underWay.delete(keyOf(place));
          });
      }
      return fresh.length;
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      if (error.code === 'INTERNAL') this.#log.error({ error }, 'pushes cannot be claimed');
      return undefined;
    }
  }

  async #work(places: readonly IM.Push.PushPlace.$Properties[]): Promise<void> {
    const manner = this.#manners.now;
    const { pushList } = await this.#dbProxies.ask(push.plan, { placeList: places, withText: manner.text === 'full' });
    const userIds = [...new Set(pushList.flatMap(({ targetList }) => targetList.map((each) => each.userId)))];
    const online = await this.#online(userIds);
    const told = new Set(pushList.map(({ place }) => keyOf(place)));
    await this.#done(places.filter((place) => !told.has(keyOf(place))));
    const inOrder = pushList.sort((a, b) => a.place.msgId - b.place.msgId);
    await Promise.all(inOrder.map((planned) => this.#tell(planned, manner, online)));
  }

  /** On each phone one after the other, as a later message of a conversation replaces an earlier one there. */
  #inTurn<T>(phone: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(phone) ?? Promise.resolve()).then(work);
    const ended = turn.catch(() => undefined); // his own caller hears of it
    this.#turns.set(phone, ended);
    void ended.then(() => {
      if (this.#turns.get(phone) === ended) this.#turns.delete(phone);
    });
    return turn;
  }

  async #online(userIdList: readonly number[]): Promise<Online> {
    if (userIdList.length === 0) return new Map();
    const { onlineList } = await this.#routes.ask(push.online, { userIdList });
    return new Map(onlineList.map((each) => [each.userId, each]));
  }

  /** One message, to all phones that it is for. Each vendor's are settled by themselves: none waits for a slow one. */
  async #tell(planned: IM.Push.PlannedPush, manner: Manner, online: Online): Promise<void> {
    const { place, createTimeMs } = planned;
    if (createTimeMs + this.#settings.expiryMs < Date.now()) {
      this.#attempts.delete(keyOf(place));
      this.#counters.settled('none', 'ring', 'expired', '');
      return this.#done([place]);
    }
    const begunMs = performance.now();
    const notice = noticeOf(planned, manner);
    const byVendor = new Map<VendorName, Promise<Sending | undefined>[]>();
    for (const target of planned.targetList) {
      const { vendor } = this.#vendors.of(target.clientType, target.token);
      const sending = this.#inTurn(phoneKey(target.userId, place.conversationId), () =>
        this.#tellPhone(planned, target, notice, manner, online),
      );
      const there = byVendor.get(vendor);
      if (there === undefined) byVendor.set(vendor, [sending]);
      else there.push(sending);
    }
    const settled = [...byVendor.values()].map(async (sendings) =>
      this.#settle(place, await Promise.all(sendings), begunMs),
    );
    await this.#end(place, (await Promise.all(settled)).flat());
  }

  /** Undefined: it need not be told. Looked at only now, as the phone may have waited for its turn. */
  async #tellPhone(
    { place, createTimeMs, fromUserId, sessionType, msgType }: IM.Push.PlannedPush,
    target: IM.Push.PushTarget,
    notice: { title: string; body: string },
    manner: Manner,
    online: Online,
  ): Promise<Sending | undefined> {
    const key = phoneKey(target.userId, place.conversationId);
    if (Math.max(this.#told.of(key), this.#read.of(key)) >= place.msgId) return undefined;
    const here = online.get(target.userId);
    const kind = here?.pc === true && manner.whilePcOnline !== 'ring' ? 'badge' : 'ring';
    if (here?.mobile === true || (kind === 'badge' && manner.whilePcOnline === 'nothing')) return undefined;
    const about = { sessionType, sessionId: target.sessionId, fromUserId, msgId: place.msgId, msgType };
    const sending = await this.#send(target, kind, notice, manner.text === 'none' ? undefined : about, createTimeMs);
    if (sending.outcome.result === 'sent') this.#told.add(key, place.msgId);
    return sending;
  }

  async #send(
    target: IM.Push.PushTarget,
    kind: Push['kind'],
    notice: { title: string; body: string },
    about: About | undefined,
    createTimeMs: number,
  ): Promise<Sending> {
    const { vendor, token } = this.#vendors.of(target.clientType, target.token);
    const collapseId = collapseIdOf(target);
    const id = uuidOf(`${token} ${kind} ${collapseId} ${about?.msgId ?? createTimeMs}`);
    const expiresMs = createTimeMs + this.#settings.expiryMs;
    const outcome =
      this.#tooMany(target.token, kind) ??
      (await this.#vendors.send(vendor, {
        ...{ id, token, kind, ...notice, badge: target.badge, collapseId, about, expiresMs },
      }));
    const reason = 'reason' in outcome ? outcome.reason : '';
    this.#counters.settled(vendor, kind, outcome.result, reason);
    if (outcome.result === 'refused' && vendor !== 'none')
      this.#log.warn({ vendor, reason, push: id }, 'a push was refused');
    return { target, vendor, outcome };
  }

  /** A phone that has had as many as it may gets the rest later. What takes something back always goes. */
  #tooMany(token: string, kind: Push['kind']): Outcome | undefined {
    const nowMs = performance.now();
    const waitMs = this.#paces.of(token).take(this.#limits.rate('push.device'), nowMs);
    if (waitMs <= 0 || kind === 'withdraw') return undefined;
    this.#limits.hit('push.device');
    return { result: 'later', reason: 'too many for one phone', afterMs: waitMs };
  }

  /** Who was told is told no more. @returns the pauses that vendors wish for before the others are told, ms */
  async #settle(
    place: IM.Push.PushPlace.$Properties,
    sendings: readonly (Sending | undefined)[],
    begunMs: number,
  ): Promise<number[]> {
    const all = sendings.filter((each) => each !== undefined);
    for (const result of new Set(all.map(({ outcome }) => outcome.result))) {
      const phones = all.filter(({ outcome }) => outcome.result === result).length;
      this.#hops.pushed(BigInt(place.conversationId), place.msgId, begunMs, result, phones);
    }
    const sent = all.filter(({ outcome }) => outcome.result === 'sent');
    const gone = all.filter(({ outcome }) => outcome.result === 'gone');
    if (sent.length + gone.length > 0)
      await this.#dbProxies.ask(push.settle, {
        shownList: sent.map(({ target }) => ({ userId: target.userId, place })),
        invalidTokenList: gone.map(({ target }) => target.token),
      });
    // Read while it was on its way: only now it is known that there is something to take back.
    for (const { target } of sent) {
      const msgId = this.#read.of(phoneKey(target.userId, place.conversationId));
      if (msgId >= place.msgId) void this.#withdraw(target.userId, { conversationId: place.conversationId, msgId });
    }
    return all.flatMap(({ outcome }) => (outcome.result === 'later' ? [outcome.afterMs ?? 0] : []));
  }

  /** All have been told, or some are to be told later, if their vendor may yet take it. */
  async #end(place: IM.Push.PushPlace.$Properties, later: readonly number[]): Promise<void> {
    const key = keyOf(place);
    if (later.length === 0) {
      this.#attempts.delete(key);
      return this.#done([place]);
    }
    const attempts = this.#attempts.get(key) ?? 0;
    if (this.#attempts.size < ATTEMPTS_MAX) this.#attempts.set(key, attempts + 1);
    const pauseMs = Math.min(AGAIN_MS_MAX, Math.max(AGAIN_MS_MIN * 2 ** attempts, ...later));
    const delayMs = Math.round(pauseMs * (0.75 + Math.random() / 2));
    await this.#dbProxies.ask(outbox.postpone, { consumer: CONSUMER, placeList: [place], delayMs });
  }

  async #done(effectList: readonly IM.Push.PushPlace.$Properties[]): Promise<void> {
    if (effectList.length > 0) await this.#dbProxies.ask(outbox.done, { consumer: CONSUMER, effectList });
  }
}

type Online = ReadonlyMap<number, IM.Push.OnlineUser>;

/** The newest message of each phone and conversation, those of lately. */
class Newest {
  readonly #msgIds = new Map<string, number>();

  /** 0: none that is known. */
  of(key: string): number {
    return this.#msgIds.get(key) ?? 0;
  }

  add(key: string, msgId: number): void {
    const newest = Math.max(msgId, this.of(key));
    this.#msgIds.delete(key); // to the end: the first ones are those of long ago
    this.#msgIds.set(key, newest);
    if (this.#msgIds.size > NEWEST_MAX) this.#msgIds.delete(this.#msgIds.keys().next().value!);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function keyOf({ conversationId, msgId }: IM.Push.PushPlace.$Properties): string {
  return `${conversationId}:${msgId}`;
}

function phoneKey(userId: number, conversationId: string): string {
  return `${userId} ${conversationId}`;
}

/** Nobody else's business which users or groups these are: vendors see it. */
function collapseIdOf({ userId, sessionId, token }: IM.Push.PushTarget): string {
  return createHash('sha256').update(`${token} ${userId} ${sessionId}`).digest('base64url').slice(0, 24);
}

/** The same for the same push, as a UUID of version 8. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
