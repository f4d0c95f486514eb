import { type ChatMessage, type Client, ConnectionLost } from '../../common/client/client.js';
import { IM } from '../../common/pdu/pb.js';
import type { Account, Connected } from './connecting.js';
import { People } from './people.js';
import type { Terminal } from './terminal.js';
import { contentOf, printable, stamp } from './text.js';

/** What the parts of the terminal client share: the screen, who is who, and the connection of the moment. */
export class Desk {
  readonly terminal: Terminal;
  readonly account: Account;
  readonly people = new People();
  connected: Connected | undefined;
  me = 0;

  constructor(terminal: Terminal, account: Account) {
    this.terminal = terminal;
    this.account = account;
  }

  /** @throws ConnectionLost when there is no connection at the moment */
  get there(): Connected {
    if (this.connected === undefined) throw new ConnectionLost('ended', 'not now, try again in a moment');
    return this.connected;
  }

  /** @throws ConnectionLost when there is no connection at the moment */
  get client(): Client {
    return this.there.client;
  }

  print(...lines: string[]): void {
    this.terminal.print(...lines);
  }

  /** An error may carry text from the server. */
  complain(text: string): void {
    this.print(this.terminal.paint.bad(printable(text)));
  }

  lineOf(message: ChatMessage): string {
    const { dim, name } = this.terminal.paint;
    const time = dim(stamp(message.createTime * 1000, Date.now()));
    const content = contentOf(message);
    if (message.fromUserId === this.me) return `${time} ${name(`you → ${this.people.nameOf(message)}`)}: ${content}`;
    const inGroup = message.sessionType === IM.BaseDefine.SessionType.SESSION_TYPE_GROUP;
    const group = inGroup ? `[${this.people.nameOf(message)}] ` : '';
    return `${time} ${group}${name(this.people.userName(message.fromUserId))}: ${content}`;
  }
}
