import { encodeFrame } from '../../common/pdu/command.js';
import { buddy } from '../../common/pdu/commands.js';
import type { Sessions } from './sessions.js';

/** A busy administration is heard of once in so long. */
const TELL_MS = 1_000;

/** Tells the sessions that asked for it (dir1) that the directory has news; what it is, they ask for themselves. */
export class DirectoryNews {
  readonly #sessions: Sessions;
  #usersStamp = 0;
  #departmentsStamp = 0;
  #timer: NodeJS.Timeout | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Stamps of the newest changes; 0: nothing new there. */
  add(usersStamp: number, departmentsStamp: number): void {
    if (usersStamp === 0 && departmentsStamp === 0) return;
    this.#usersStamp = Math.max(this.#usersStamp, usersStamp);
    this.#departmentsStamp = Math.max(this.#departmentsStamp, departmentsStamp);
    const waitMs = Math.max(0, this.#toldMs + TELL_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#tell(), waitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#toldMs = performance.now();
    const frame = encodeFrame(buddy.directoryNotify, 0, {
      latestUsersTime: this.#usersStamp === 0 ? undefined : this.#usersStamp,
      latestDepartmentsTime: this.#departmentsStamp === 0 ? undefined : this.#departmentsStamp,
    });
    for (const session of this.#sessions) if (session.may('dir1')) session.send(frame);
    this.#usersStamp = 0;
    this.#departmentsStamp = 0;
  }
}
