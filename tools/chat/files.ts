import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Client } from '../../common/client/client.js';
import { type FileOffer, offerOf, offlineFiles, receiveFile, refuseFile, sendFile } from '../../common/client/files.js';
import { IM } from '../../common/pdu/pb.js';
import type { Desk } from './desk.js';
import { type Conversation, withUser } from './people.js';
import { printable, sizeText } from './text.js';

/** Offers that are remembered; the oldest goes, and is found again by /files when it is kept for us. */
const OFFERS_MAX = 100;

/** Files that others send us, by the numbers we give them, and those that we send. */
export class Files {
  readonly #desk: Desk;
  readonly #offers = new Map<number, FileOffer>();
  #lastNumber = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Somebody sends a file. One that is still being uploaded is told of when it is there. */
  async offered(client: Client, notice: IM.File.IMFileNotify): Promise<void> {
    const offer = offerOf(notice);
    if (!offer.ready) return;
    await this.#desk.people.meet(client, [withUser(offer.fromUserId)]).catch(() => undefined);
    const number = this.#remember(offer);
    this.#desk.print(`${this.#lineOf(offer)}: /accept ${number} fetches it, /refuse ${number} does not`);
  }

  /** Everything that waits to be fetched. */
  async list(): Promise<void> {
    const { client, people } = this.#desk;
    const kept = await offlineFiles(client);
    await people.meet(
      client,
      kept.map(({ fromUserId }) => withUser(fromUserId)),
    );
    for (const offer of kept) this.#remember(offer);
    const stillKept = new Set(kept.map(({ taskId }) => taskId));
    for (const [number, { online, taskId }] of this.#offers)
      if (!online && !stillKept.has(taskId)) this.#offers.delete(number);
    if (this.#offers.size === 0) return this.#desk.print('no files wait for you');
    for (const [number, offer] of this.#offers) this.#desk.print(`  ${number}  ${this.#lineOf(offer)}`);
  }

  /** Sends a file. Resolves when its receiver has it, or when it is kept for him. */
  async send(to: Conversation, path: string): Promise<void> {
    const { client, people, terminal } = this.#desk;
    if (to.sessionType !== IM.BaseDefine.SessionType.SESSION_TYPE_SINGLE)
      return this.#desk.print('files go to people, not to groups');
    const name = people.nameOf(to);
    const { size } = await stat(path);
    const what = `${printable(basename(path))} (${sizeText(size)})`;
    this.#desk.print(terminal.paint.dim(`sending ${what} to ${name} …`));
    const { online } = await sendFile(client, to.sessionId, path);
    this.#desk.print(terminal.paint.good(`✓ ${name} ${online ? 'has' : 'will find'} ${what}`));
  }

  /** `/accept N [FOLDER]`. A file of the same name is not written over. */
  async accept(text: string): Promise<void> {
    const [, digits = '', folder = '.'] = /^(\d+)(?:\s+(.+))?$/.exec(text.trim()) ?? [];
    const offer = this.#offerOf(digits);
    if (offer === undefined)
      return this.#desk.print('/accept takes the number of a file, and a folder; /files lists them');
    const path = join(resolve(folder), offer.name);
    await receiveFile(this.#desk.client, offer, path);
    this.#offers.delete(Number(digits));
    this.#desk.print(this.#desk.terminal.paint.good(`✓ ${printable(path)} (${sizeText(offer.size)})`));
  }

  async refuse(digits: string): Promise<void> {
    const offer = this.#offerOf(digits.trim());
    if (offer === undefined) return this.#desk.print('/refuse takes the number of a file; /files lists them');
    await refuseFile(this.#desk.client, offer);
    this.#offers.delete(Number(digits));
    this.#desk.print(`refused: ${printable(offer.name)}`);
  }

  #offerOf(digits: string): FileOffer | undefined {
    return this.#offers.get(Number(digits));
  }

  #remember(offer: FileOffer): number {
    for (const [number, each] of this.#offers) if (each.taskId === offer.taskId) return number;
    this.#offers.set(++this.#lastNumber, offer);
    const [oldest] = this.#offers.keys();
    if (this.#offers.size > OFFERS_MAX) this.#offers.delete(oldest!);
    return this.#lastNumber;
  }

  #lineOf({ fromUserId, name, size, online }: FileOffer): string {
    const { people, terminal } = this.#desk;
    const how = online ? 'sends you' : 'has sent you';
    return `${terminal.paint.name(people.userName(fromUserId))} ${how} ${printable(name)} (${sizeText(size)})`;
  }
}
