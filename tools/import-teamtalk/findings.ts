/**
 * What an import has to tell: how much was brought over, what was changed on the way and what was left out. A closed
 * list, each entry one line of the report.
 *
 * Findings are collected in tallies, a portion of the source each, and added up when the portion is stored; the sum is
 * kept with the progress, so that an import that was cut off and went on tells the same as one that was not.
 */
const catalogue = {
  // people
  'department-id': 'departments left out: an id that cannot be kept',
  'department-name': 'department names changed',
  'department-parent': 'departments below one that does not exist, kept as they are',
  'user-id': 'users left out: an id of 0 or of 2^30 (1073741824) and more',
  'user-name': 'login names changed',
  'user-name-taken': 'login names changed: somebody else has the same',
  'user-text': 'other texts of users changed',
  'user-left': 'users who have left: kept, they cannot log in',
  'user-can-log-in': 'users with status 1, 2 or 4: the original refused their logins, here they can log in',
  'user-status': 'users with an unknown status: taken as having left',
  'user-password': 'users without a usable password: they cannot log in until they get a new one',
  'user-department': 'users in a department that does not exist, kept as they are',
  // groups
  'group-id': 'groups left out: an id that cannot be kept',
  'group-text': 'names and avatars of groups changed',
  'group-type': 'groups of an unknown type: taken as fixed',
  'group-deleted': 'groups that were deleted: kept as deleted',
  'group-creator': 'groups made by somebody unknown: taken as made by the administration',
  'group-large': 'groups with more members than a client may bring together, kept as they are',
  'member-left': 'membership rows left out: the user has left the group',
  'member-double': 'membership rows left out: another row says the same',
  'member-unknown': 'membership rows left out: the user is not brought over',
  'member-orphan': 'membership rows left out: there is no such group',
  'member-only-redis': 'members by Redis only: brought over, as Redis decided in the original',
  'member-only-rows': 'membership rows left out: not a member by Redis, which decided in the original',
  'group-not-in-redis': 'groups without members in Redis: members taken from the table',
  // conversations
  'pair-self': 'relations of users with themselves, left out',
  'pair-unknown': 'pairs left out: one of the two is not brought over',
  'pair-merged': 'conversations put together from several relation ids',
  'relation-removed': 'relations marked as removed, brought over',
  'conversation-renumbered': 'conversations with new message numbers',
  'message-renumbered': 'messages under a new number',
  'orphan-owner': 'relation or group ids of messages in the wrong table or without their relation or group',
  // messages
  'conversation-long': 'conversations of a million messages and more: iOS clients number unsent ones from there',
  'message-deleted': 'messages left out: deleted',
  'message-orphan': 'messages left out: in the wrong table, or without their relation or group',
  'message-pair': 'messages left out: between users of whom one is not brought over, or with oneself',
  'message-group': 'messages left out: their group is not brought over',
  'message-sender-unknown': 'messages left out: the sender is not brought over',
  'message-sender-foreign': 'messages left out: the sender is neither of the two',
  'message-empty': 'messages left out: empty',
  'message-large': 'messages left out: too large',
  'message-type': 'messages left out: an unknown type',
  'message-type-other': 'messages with a type of the other kind of conversation, put right',
  'message-garbled': 'texts that cannot be decrypted, kept as they are',
  'message-future': 'messages from the future, set to the time of the import',
  // voice
  'voice-stored': 'voice messages brought over with their sound',
  'voice-text': 'voice messages kept as the text [语音]: no voice store was given',
  'voice-no-row': 'voice messages kept as the text [语音]: IMAudio has no row for them',
  'voice-missing': 'voice messages kept as the text [语音]: the voice store does not have them',
  'voice-size': 'voice messages kept as the text [语音]: empty or too large',
  // lists and read positions
  'session-removed': 'conversations removed from the lists of users',
  'session-nothing': 'removed conversations without messages or without their user, left out',
  'session-type': 'session rows of an unknown type, left out',
  'unread-kept': 'conversations with unread messages, by the counters in Redis',
  'read-all': 'all messages count as read: the unread counters are in Redis, and none was given',
  // the rest
  'token-stored': 'device tokens of phones',
  'token-refused': 'device tokens left out: unreadable, or another user has the same',
  'shield-kept': 'members who silenced a group',
  'redis-value': 'values in Redis that could not be read, taken as missing',
  'table-left': 'rows of tables that are not brought over',
  'index-missing': 'message tables without an index by relation or group: reading them takes long',
} as const;

export type Kind = keyof typeof catalogue;

export function sentenceOf(kind: Kind): string {
  return catalogue[kind];
}

export const KINDS = Object.keys(catalogue) as Kind[];

/** What happened to the rows of a table, or of anything else that is counted on both sides. */
export interface Moved {
  stored: number;
  leftOut: number;
}

export interface TallyState {
  readonly counts: Readonly<Partial<Record<Kind, number>>>;
  readonly examples: Readonly<Partial<Record<Kind, readonly string[]>>>;
  readonly tables: Readonly<Record<string, Moved>>;
}

/** In the report; all of them are told to the listener. One more is kept, to tell that there are more. */
export const EXAMPLES_MAX = 5;

/** Told of each finding that has something to say beyond its number. */
export type Listener = (kind: Kind, what: string) => void;

export class Tally {
  readonly #counts = new Map<Kind, number>();
  readonly #examples = new Map<Kind, string[]>();
  readonly #tables = new Map<string, Moved>();
  readonly #listener: Listener;

  constructor(listener: Listener = () => undefined) {
    this.#listener = listener;
  }

  static of(state: TallyState | undefined): Tally {
    const tally = new Tally();
    if (state === undefined) return tally;
    for (const kind of KINDS) {
      if (state.counts[kind] !== undefined) tally.#counts.set(kind, state.counts[kind]);
      if (state.examples[kind] !== undefined) tally.#examples.set(kind, [...state.examples[kind]]);
    }
    for (const [table, moved] of Object.entries(state.tables)) tally.#tables.set(table, { ...moved });
    return tally;
  }

  /** `what` names the one it is about. */
  add(kind: Kind, what?: string, count = 1): void {
    if (count === 0) return;
    this.#counts.set(kind, this.count(kind) + count);
    if (what === undefined) return;
    this.#listener(kind, what);
    this.#example(kind, what);
  }

  /** Rows that are stored now. */
  stored(table: string, rows = 1): void {
    this.#moved(table).stored += rows;
  }

  /** Rows that are not, for a reason of the catalogue. */
  leftOut(table: string, kind: Kind, what?: string, rows = 1): void {
    if (rows === 0) return;
    this.#moved(table).leftOut += rows;
    this.add(kind, what, rows);
  }

  count(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  examples(kind: Kind): readonly string[] {
    return this.#examples.get(kind) ?? [];
  }

  table(name: string): Readonly<Moved> {
    return this.#tables.get(name) ?? { stored: 0, leftOut: 0 };
  }

  get tables(): readonly string[] {
    return [...this.#tables.keys()];
  }

  join(other: Tally): void {
    for (const [kind, count] of other.#counts) this.#counts.set(kind, this.count(kind) + count);
    for (const [kind, examples] of other.#examples) for (const what of examples) this.#example(kind, what);
    for (const [table, { stored, leftOut }] of other.#tables) {
      const moved = this.#moved(table);
      moved.stored += stored;
      moved.leftOut += leftOut;
    }
  }

  get state(): TallyState {
    return {
      counts: Object.fromEntries(this.#counts),
      examples: Object.fromEntries(this.#examples),
      tables: Object.fromEntries(this.#tables),
    };
  }

  #example(kind: Kind, what: string): void {
    const examples = this.#examples.get(kind);
    if (examples === undefined) this.#examples.set(kind, [what]);
    else if (examples.length <= EXAMPLES_MAX) examples.push(what);
  }

  #moved(table: string): Moved {
    let moved = this.#tables.get(table);
    if (moved === undefined) {
      moved = { stored: 0, leftOut: 0 };
      this.#tables.set(table, moved);
    }
    return moved;
  }
}
