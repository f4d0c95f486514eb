/**
 * The terminal client: a conversation partner, a prompt, and what is said.
 *
 *   terminal   lines in and out                 people    who is who
 *   inbox      shows every message once         outbox    keeps ours until they are delivered
 *   connecting finds a server, and why not      listings  the commands that only look
 *   files      what comes and goes as a file
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import { type CommandName, helpText, parseCount, parseLine } from './command.js';
import { type Account, type Connected, connectTo, explained, isFinal, pauseMs } from './connecting.js';
import { Desk } from './desk.js';
import { Files } from './files.js';
import { Inbox } from './inbox.js';
import { listGroups, listPeople, listSessions, listUnread, showStatus } from './listings.js';
import { Outbox } from './outbox.js';
import { type Conversation, keyOf, withGroup, withUser } from './people.js';
import type { Terminal } from './terminal.js';
import { counted, printable, shortened } from './text.js';

const { ClientType, GroupModifyType, KickReasonType } = IM.BaseDefine;

export const EXIT = { ok: 0, failed: 1, kicked: 2, undelivered: 3 } as const;

const HISTORY_USUAL = 20;
const HISTORY_MAX = 1_000;
/** How long the last messages may take to be acknowledged before we leave. */
const LAST_ACKS_MS_MAX = 5_000;
/** How long --to and a line of a script wait for a lost connection to come back. */
const OFFLINE_MS_MAX = 10_000;
/** A try that fails is told once it looks like more than a restart. */
const FAILURES_TOLD = 3;

export class Chat {
  readonly #terminal: Terminal;
  readonly #desk: Desk;
  readonly #outbox: Outbox;
  readonly #files: Files;
  #inbox!: Inbox; // from the first login on
  #partner: Conversation | undefined;
  /** Resolves when the connection that was lost is there again. */
  #online: Promise<void> = Promise.resolve();
  #ending = false;
  readonly #end: (code: number) => void;
  readonly #ended: Promise<number>;

  constructor(terminal: Terminal, account: Account) {
    this.#terminal = terminal;
    this.#desk = new Desk(terminal, account);
    this.#outbox = new Outbox(this.#desk, (to, msgId) => void this.#inbox.shown(to, msgId));
    this.#files = new Files(this.#desk);
    let end: (code: number) => void;
    this.#ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#end = (code) => {
      this.#ending = true;
      end(code);
    };
  }

  /** Talks until the end of input, /quit, or a kick. @returns the exit code */
  async run(partner: string | undefined): Promise<number> {
    try {
      this.#use(await connectTo(this.#desk.account));
    } catch (error) {
      this.#desk.complain(explained(error, this.#desk.account));
      return EXIT.failed;
    }
    this.#talk(partner).then(this.#end, (error: unknown) => {
      this.#desk.complain(`a fault of this client: ${(error as Error).stack}`);
      this.#end(EXIT.failed);
    });
    const code = await this.#ended;
    const client = this.#desk.connected?.client;
    // Nobody else has its token: the device would be left in the list without anybody behind it.
    if (this.#desk.account.signedIn !== undefined) await client?.logout().catch(() => undefined);
    client?.close();
    return code;
  }

  async #talk(partner: string | undefined): Promise<number> {
    const { client, address } = this.#desk.there;
    const { bold, dim } = this.#terminal.paint;
    const name = this.#desk.people.fullName(client.userInfo);
    this.#desk.print(`you are ${bold(name)} on ${address} ${dim('(/help lists what you can type)')}`);
    await this.#inbox.catchUp(client, (unread) => listUnread(this.#desk, unread));
    this.#showPrompt();
    if (partner !== undefined) {
      await this.#connection();
      await this.#command('to', partner);
      // A script must not go on talking to nobody; a person sees what is wrong.
      if (this.#partner === undefined && !this.#terminal.interactive) return EXIT.failed;
    }
    for (;;) {
      const line = await this.#terminal.nextLine();
      if (line === undefined || this.#ending) break;
      if (!this.#terminal.interactive) await this.#connection(); // a script cannot see that it had better wait
      if ((await this.#entered(line)) === 'quit') break;
    }
    return this.#lastWords();
  }

  async #lastWords(): Promise<number> {
    await Promise.race([this.#outbox.settled().then(() => this.#inbox.idle), delay(LAST_ACKS_MS_MAX)]);
    const lost = this.#outbox.open + this.#outbox.failed;
    if (lost > 0) this.#desk.complain(`${counted(lost, 'message')} not delivered`);
    return lost > 0 ? EXIT.undelivered : EXIT.ok;
  }

  // ---------------------------------------------------------------------------------------------------- connection

  /** Waits for a lost connection to come back, for a while. */
  async #connection(): Promise<void> {
    await Promise.race([this.#online, delay(OFFLINE_MS_MAX, undefined, { ref: false })]);
  }

  #use(connected: Connected): void {
    const { client } = connected;
    this.#desk.connected = connected;
    this.#desk.me = client.userId;
    this.#desk.people.users.set(client.userId, client.userInfo);
    this.#inbox ??= new Inbox(this.#desk, client.serverTime, (message) => this.#outbox.arrivedAfterAll(message));
    client.on('message', (message) => void this.#inbox.received(message));
    client.on('frame', (frame) => this.#outbox.lateAck(client, frame));
    client.on('groupChange', (change) => void this.#groupChanged(client, change));
    client.on('file', (notice) => void this.#files.offered(client, notice));
    client.on('kicked', (reason) => this.#kicked(reason));
    client.on('closed', (reason) => this.#lost(client, reason));
  }

  #lost(client: Client, reason: string): void {
    if (this.#ending || this.#desk.connected?.client !== client) return;
    this.#desk.connected = undefined;
    this.#desk.complain(`the connection is lost (${reason}), connecting again …`);
    this.#showPrompt();
    this.#online = this.#reconnect(client.returnMs);
  }

  async #reconnect(returnMs: number): Promise<void> {
    for (let failures = 0; !this.#ending; failures++) {
      await delay(pauseMs(failures, Math.random(), returnMs));
      try {
        return await this.#back(await connectTo(this.#desk.account));
      } catch (error) {
        if (isFinal(error) || failures === FAILURES_TOLD) this.#desk.complain(explained(error, this.#desk.account));
        if (isFinal(error)) this.#end(EXIT.failed);
      }
    }
  }

  async #back(connected: Connected): Promise<void> {
    if (this.#ending) return connected.client.close();
    this.#use(connected);
    this.#desk.print(this.#terminal.paint.good(`connected again, to ${connected.address}`));
    this.#showPrompt();
    await this.#inbox.catchUp(connected.client, () => undefined);
  }

  #kicked(reason: IM.BaseDefine.KickReasonType): void {
    const { user, clientType } = this.#desk.account;
    const device =
      clientType === ClientType.CLIENT_TYPE_WINDOWS || clientType === ClientType.CLIENT_TYPE_MAC ? 'PC' : 'phone';
    const byPhone = reason === KickReasonType.KICK_REASON_MOBILE_KICK;
    const why = byPhone ? 'your phone ended this session' : `${user} has logged in on another ${device}`;
    this.#desk.complain(`signed out: ${why}`);
    this.#end(EXIT.kicked);
  }

  async #groupChanged(client: Client, change: IM.Group.IMGroupChangeMemberNotify): Promise<void> {
    const { people, me } = this.#desk;
    const { groupId, chgUserIdList: who } = change;
    people.groups.delete(groupId); // asked for anew: its members are others now
    await people.meet(client, [withGroup(groupId)], who).catch(() => undefined);
    const names = who.map((userId) => (userId === me ? 'you' : people.userName(userId))).join(', ');
    const came = change.changeType === GroupModifyType.GROUP_MODIFY_TYPE_ADD;
    this.#desk.print(this.#terminal.paint.dim(`[${people.groupName(groupId)}] ${came ? 'joined' : 'left'}: ${names}`));
  }

  // --------------------------------------------------------------------------------------------------------- lines

  async #entered(line: string): Promise<'quit' | undefined> {
    const typed = parseLine(line);
    if (typed.kind === 'text') await this.#said(typed.text);
    else if (typed.kind === 'unknown') {
      const maybe = typed.matches.length === 0 ? '' : `, but ${typed.matches.map((name) => `/${name}`).join(' and ')}`;
      this.#desk.print(`there is no /${printable(typed.word)}${maybe}; /help lists what there is`);
    } else if (typed.kind === 'command') {
      if (typed.name === 'quit') return 'quit';
      await this.#command(typed.name, typed.rest);
    }
    return undefined;
  }

  async #command(name: Exclude<CommandName, 'quit'>, rest: string): Promise<void> {
    try {
      await this.#commands[name](rest);
      this.#terminal.partners = this.#desk.people.partners;
    } catch (error) {
      this.#desk.complain(`/${name}: ${(error as Error).message}`);
    }
  }

  readonly #commands: Readonly<Record<Exclude<CommandName, 'quit'>, (rest: string) => unknown>> = {
    help: () => this.#desk.print(...helpText()),
    who: (filter) => listPeople(this.#desk, filter),
    to: (name) => this.#to(name),
    history: (count) => this.#history(count),
    unread: async () => listUnread(this.#desk, (await this.#desk.client.unread()).list),
    sessions: () => listSessions(this.#desk),
    groups: () => listGroups(this.#desk),
    send: (path) => this.#send(path),
    files: () => this.#files.list(),
    accept: (text) => this.#meanwhile('accept', this.#files.accept(text)),
    refuse: (number) => this.#files.refuse(number),
    retry: () => this.#retry(),
    status: () => showStatus(this.#desk, this.#outbox, this.#partner),
  };

  async #said(text: string): Promise<void> {
    if (this.#partner === undefined) return this.#desk.print(NOBODY_YET);
    const saying = this.#outbox.say(this.#partner, text);
    if (!this.#terminal.interactive) await saying; // at the server's pace, and in the order of the script
  }

  async #send(path: string): Promise<void> {
    if (this.#partner === undefined) return this.#desk.print(NOBODY_YET);
    if (path.trim() === '') return this.#desk.print('/send takes the path of a file');
    await this.#meanwhile('send', this.#files.send(this.#partner, path.trim()));
  }

  /** A person types on while a file is on its way; a script waits for it. */
  async #meanwhile(name: CommandName, work: Promise<void>): Promise<void> {
    if (!this.#terminal.interactive) return work;
    work.catch((error: unknown) => this.#desk.complain(`/${name}: ${(error as Error).message}`));
  }

  async #retry(): Promise<void> {
    await this.#inbox.idle; // what was missed may hold some of them: they need no second try
    if (this.#outbox.failed === 0) return this.#desk.print('nothing is waiting to be sent again');
    const sending = this.#outbox.retry();
    if (!this.#terminal.interactive) await sending;
  }

  async #history(text: string): Promise<void> {
    const count = parseCount(text, HISTORY_USUAL, HISTORY_MAX);
    if (count === undefined) return this.#desk.print(`/history takes a number from 1 to ${HISTORY_MAX}`);
    if (this.#partner === undefined) return this.#desk.print(NOBODY_YET);
    await this.#inbox.history(this.#partner, count);
  }

  async #to(query: string): Promise<void> {
    const { people } = this.#desk;
    if (query.trim() === '') return this.#desk.print(this.#partner ? people.nameOf(this.#partner) : NOBODY_YET);
    if (people.find(query).candidates.length === 0) await people.load(this.#desk.client); // somebody new, perhaps
    const { found, candidates } = people.find(query);
    const asked = printable(query);
    if (found !== undefined) this.#talkTo(found, found.name);
    else if (candidates.length === 0) this.#desk.print(`nobody is called ${asked}; /who and /groups list who is there`);
    else this.#desk.print(shortened(`${asked} may be ${candidates.map(({ name }) => name).join(', or ')}`, 500));
  }

  #talkTo({ sessionType, sessionId }: Conversation, name: string): void {
    const partner = { sessionType, sessionId };
    if (keyOf(partner) === keyOf(withUser(this.#desk.me))) return this.#desk.print('that is you');
    this.#partner = partner;
    this.#desk.print(`talking to ${this.#terminal.paint.name(name)}`);
    this.#showPrompt();
  }

  #showPrompt(): void {
    const partner = this.#partner === undefined ? '' : this.#desk.people.nameOf(this.#partner);
    this.#terminal.setPrompt(`${partner}${this.#desk.connected === undefined ? ' (offline)' : ''}> `);
  }
}

const NOBODY_YET = 'to nobody yet: /to NAME or /to #GROUP chooses, /who and /groups list who is there';
