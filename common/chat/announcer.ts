import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { ImError } from '../errors.js';
import type { Logger } from '../log.js';
import type { LinkGroup } from '../net/link-group.js';
import { announcements } from '../pdu/commands.js';
import type { IM } from '../pdu/pb.js';
import { SEND_ID_SIZE } from './message.js';
import type { Sender } from './sender.js';

/** Messages under way at once: the chat of everybody goes before. */
const AT_ONCE = 32;
/** A part is ours for so long; what is not sent by then is handed out again. */
const LEASE_MS = 15_000;
const SENDING_MS_MAX = 10_000;
const IDLE_MS = 2_000;
const AGAIN_MS = 500;

type Outcome = 'sent' | 'failed' | undefined;

/**
 * Sends announcements. They are kept in meta and handed out in parts; any number of servers do this, and each may die
 * at any moment: a part that was not reported is handed out again, and who has the message already does not get it
 * twice, since its send_id follows from the announcement and the person.
 */
export class Announcer {
  readonly #dbProxies: LinkGroup;
  readonly #sender: Sender;
  readonly #log: Logger;
  #wake: (() => void) | undefined;
  #closed = false;
  readonly #running: Promise<void>;

  constructor(dbProxies: LinkGroup, sender: Sender, log: Logger) {
    this.#dbProxies = dbProxies;
    this.#sender = sender;
    this.#log = log;
    this.#running = this.#run();
  }

  /** There is something to do. */
  wake(): void {
    this.#wake?.();
  }

  /** Resolves when what was under way is reported, or after the time: then others go on with it. */
  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    this.wake();
    const late = new AbortController();
    await Promise.race([this.#running, setTimeout(drainMs, undefined, late)]).finally(() => late.abort());
  }

  async #run(): Promise<void> {
    let done: IM.Console.AnnounceDone.$Properties | undefined;
    for (;;) {
      if (this.#closed && done === undefined) return;
      const work = await this.#ask(done);
      done = work === undefined ? undefined : await this.#send(work);
      if (work === undefined && !this.#closed) await this.#pause(IDLE_MS);
    }
  }

  /** Reports and asks. What could not be reported is handed out again, and counted then. */
  async #ask(done: IM.Console.AnnounceDone.$Properties | undefined): Promise<IM.Console.AnnounceWork | undefined> {
    try {
      const { work } = await this.#dbProxies.ask(announcements.work, { done, leaseMs: this.#closed ? 0 : LEASE_MS });
      return work ?? undefined;
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      if (error.code === 'INTERNAL') this.#log.error({ error }, 'announcements cannot be asked for');
      return undefined;
    }
  }

  /** @returns how far it came; undefined: not even the first one is dealt with */
  async #send(work: IM.Console.AnnounceWork): Promise<IM.Console.AnnounceDone.$Properties | undefined> {
    const untilMs = performance.now() + SENDING_MS_MAX;
    const { id, claim, receiverList: receivers } = work;
    const failures = new Map<number, string>();
    const outcomes: Outcome[] = receivers.map(() => undefined);
    const mayGoOn = () => !this.#closed && performance.now() < untilMs;
    while (outcomes.includes(undefined) && mayGoOn()) {
      const waiting = [...outcomes.keys()].filter((at) => outcomes[at] === undefined);
      const lanes = Array.from({ length: AT_ONCE }, async () => {
        for (let at = waiting.shift(); at !== undefined && mayGoOn(); at = waiting.shift())
          outcomes[at] = await this.#tell(work, receivers[at]!, failures);
      });
      await Promise.all(lanes);
      if (outcomes.includes(undefined) && mayGoOn()) await this.#pause(AGAIN_MS);
    }
    const open = outcomes.indexOf(undefined);
    const dealtWith = receivers.slice(0, open < 0 ? receivers.length : open);
    if (dealtWith.length === 0) return undefined;
    const failureList = dealtWith.flatMap((userId) => {
      const code = failures.get(userId);
      return code === undefined ? [] : [{ userId, code }];
    });
    return { id, claim, upTo: dealtWith.at(-1)!, sent: dealtWith.length - failureList.length, failureList };
  }

  /** Undefined: not now, once more. */
  async #tell(work: IM.Console.AnnounceWork, receiver: number, failures: Map<number, string>): Promise<Outcome> {
    const { fromUserId, msgType, msgData, seed } = work;
    const sendId = createHash('sha256').update(seed).update(String(receiver)).digest().subarray(0, SEND_ID_SIZE);
    try {
      await this.#sender.send({ fromUserId, toSessionId: receiver, msgType, msgData, sendId });
      return 'sent';
    } catch (error) {
      if (!(error instanceof ImError)) throw error;
      if (error.retry) return undefined;
      // Stored by an earlier try, before the send hook put in other words.
      if (error.code === 'SEND_ID_REUSED') return 'sent';
      failures.set(receiver, error.code);
      return 'failed';
    }
  }

  async #pause(ms: number): Promise<void> {
    const early = new AbortController();
    this.#wake = () => early.abort();
    await setTimeout(ms, undefined, early).catch(() => undefined);
  }
}
