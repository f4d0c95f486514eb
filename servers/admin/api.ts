/** What crosses between the console's pages and its server, as JSON. Types only: both sides import them. */
import type { ErrorCode } from '../../common/errors.js';
import type { Hop } from '../../common/hop.js';
import type { Role } from '../../common/roles.js';

/** Every answer that is not 2xx. */
export interface Problem {
  readonly code: ProblemCode;
  /** What exactly, in English, for what no page has words for. */
  readonly detail?: string;
  /** The field of the request it is about. */
  readonly field?: string;
  /** With CONFLICT: how it is now. */
  readonly current?: unknown;
  readonly retryAfterMs?: number;
}

export type ProblemCode =
  | ErrorCode
  /** Nobody is logged in, or no longer. */
  | 'NO_SESSION'
  /** The request does not come from our own page. */
  | 'FOREIGN'
  | 'WRONG_PASSWORD'
  | 'WRONG_CODE'
  | 'CODE_NEEDED'
  | 'LOCKED'
  /** The password has to be changed first. */
  | 'CHANGE_PASSWORD'
  | 'LAST_OWNER'
  /** The provider did not vouch for anybody, or not so that it can be believed. */
  | 'NOT_SIGNED_IN'
  /** Somebody of the company's directory, and here disabled, nobody, or without a name that can be used. */
  | 'DISABLED'
  | 'UNKNOWN_HERE'
  | 'NO_NAME'
  | 'TOO_LARGE'
  | 'NOT_FOUND';

export interface SessionInfo {
  readonly admin: AdminInfo;
  readonly sessionId: string;
  /** To be sent back in the x-csrf-token header with everything that changes something. */
  readonly csrf: string;
  readonly passwordLengthMin: number;
}

export interface AdminInfo {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  readonly mustChange: boolean;
  readonly totp: boolean;
  readonly version: number;
  readonly createdMs: number;
  readonly lastSeenMs?: number;
}

export interface OwnSession {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  readonly createdMs: number;
  readonly usedMs: number;
}

export interface ServerFigures {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  readonly up: boolean;
  /** What it lacks to do its work, in its own words. */
  readonly problem?: string;
  readonly memoryBytes?: number;
  readonly cpuShare?: number;
  readonly startedMs?: number;
}

/** One look at all servers. */
export interface Figures {
  readonly atMs: number;
  readonly servers: readonly ServerFigures[];
  readonly sessions: number;
  readonly sessionsByClient: Readonly<Record<string, number>>;
  readonly messagesPerSecond: number;
  readonly loginsPerSecond: number;
  readonly unackedPerSecond: number;
  /** Of the acknowledgements since the look before; undefined: there were none. */
  readonly ackP50Ms?: number;
  readonly ackP99Ms?: number;
  /** Messages that wait for their commit. */
  readonly appendWaiting: number;
  /** Questions of msg servers without an answer so far. */
  readonly asksOpen: number;
}

export interface MsgServerInfo {
  readonly name: string;
  readonly place: string;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly draining: boolean;
}

export interface Person {
  readonly userId: number;
  readonly name: string;
  readonly nick: string;
  readonly domain: string;
  readonly sex: number;
  readonly phone: string;
  readonly email: string;
  readonly avatar: string;
  readonly departmentId: number;
  /** 0 in service, 1 on trial, 2 regular, 3 left, 4 intern. */
  readonly status: number;
  readonly signInfo: string;
  readonly version: number;
  readonly createdS: number;
  /** The company's directory that he comes from: `ldap`, or the issuer of OpenID Connect. */
  readonly source?: string;
}

export interface PeoplePage {
  readonly people: readonly Person[];
  readonly next: string | undefined;
  readonly total: number;
  /** Of these people, who has a session. */
  readonly online: readonly number[];
}

export interface UserSession {
  readonly userId: number;
  readonly server: string;
  readonly clientType: number;
}

/** A device that logs in by a token. */
export interface UserDevice {
  readonly deviceId: string;
  readonly deviceName: string;
  readonly clientType: number;
  readonly createdMs: number;
  readonly usedMs: number;
  readonly expiresMs: number;
}

export interface UserDetails {
  readonly person: Person;
  readonly sessions: readonly UserSession[];
  readonly groups: readonly { readonly groupId: number; readonly name: string }[];
}

export interface Department {
  readonly departmentId: number;
  readonly name: string;
  readonly parentId: number;
  readonly priority: number;
  readonly version: number;
  readonly people: number;
}

export interface Group {
  readonly groupId: number;
  readonly name: string;
  readonly avatar: string;
  readonly creatorId: number;
  readonly groupType: number;
  readonly version: number;
  readonly members: number;
  readonly deleted: boolean;
  readonly createdS: number;
}

export interface GroupPage {
  readonly groups: readonly Group[];
  readonly next: string | undefined;
  readonly total: number;
}

export interface GroupDetails {
  readonly group: Group;
  readonly members: readonly Person[];
}

/** A live setting: version 0 while nobody has set it. */
export interface Versioned<T = unknown> {
  readonly name: string;
  readonly value: T;
  readonly version: number;
}

export interface DiscoveryItem {
  readonly name: string;
  readonly url: string;
  readonly priority: number;
}

export interface AuditRow {
  readonly id: number;
  readonly atMs: number;
  readonly actor: { readonly kind: string; readonly name: string; readonly address: string };
  readonly action: string;
  readonly subject: string;
  readonly before: Readonly<Record<string, unknown>> | undefined;
  readonly after: Readonly<Record<string, unknown>> | undefined;
}

export interface AuditPage {
  readonly rows: readonly AuditRow[];
  readonly next: number | undefined;
}

export interface AuditVerdict {
  /** Whole up to here. */
  readonly checkedId: number;
  readonly done: boolean;
  readonly brokenId?: number | undefined;
}

/** What would happen, or has happened, to each row of a list that was brought in. */
export interface ImportReport {
  readonly encoding: string;
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  /** Those that were refused, the first ones; rows are counted from 1 behind the heading. */
  readonly refusals: readonly {
    readonly row: number;
    readonly name: string;
    readonly code: string;
    readonly detail: string;
  }[];
}

export interface StorageState {
  readonly shards: readonly {
    readonly name: string;
    readonly place: string;
    readonly buckets: readonly number[];
    /** Undefined: it cannot be reached. */
    readonly messages?: number | undefined;
    readonly bytes?: number | undefined;
    readonly problem?: string | undefined;
  }[];
  readonly moves: readonly {
    readonly bucket: number;
    readonly source: string;
    readonly target: string;
    readonly phase: string;
    readonly attended: boolean;
  }[];
  readonly epochs: readonly {
    readonly epoch: number;
    readonly keys: number;
    readonly destroyed: number;
    readonly current: number;
    readonly createdMs: number;
    readonly messages: number;
  }[];
  readonly masterKeys: readonly string[];
  readonly problems: readonly string[];
  readonly resealBuckets: number;
  readonly resealFinished: number;
  readonly job?:
    | {
        readonly target: string;
        readonly total: number;
        readonly done: number;
        readonly running: boolean;
        readonly problem?: string | undefined;
      }
    | undefined;
}

/** What is known of the way of a message. Times are by the clock of the console. */
export interface TraceFound {
  /** Where it is, or where it was meant to go; of a send_id used in several places: each of them, and nothing else. */
  readonly places: readonly TracePlace[];
  /** Undefined: it is not stored. */
  readonly stored: TraceStored | undefined;
  readonly hops: readonly TraceHop[];
  readonly servers: readonly TraceServer[];
}

export interface TracePlace {
  readonly kind: 'single' | 'group';
  /** One of the two; of a group 0. */
  readonly user: number;
  /** The other one, or the group. */
  readonly session: number;
  readonly msgId: number;
}

/** One server's part in it. */
export interface TraceHop extends Hop {
  readonly server: string;
  readonly role: string;
}

export interface TraceServer {
  readonly name: string;
  readonly role: string;
  /** Undefined: it did not answer. */
  readonly sinceMs?: number;
  /** How far its clock is before that of the console, and by how much that may be wrong. */
  readonly offsetMs?: number;
  readonly uncertainMs?: number;
  readonly problem?: string;
}

export interface TraceStored {
  readonly msgId: number;
  readonly senderId: number;
  readonly msgType: number;
  readonly createTimeMs: number;
  /** As it is stored, sealed. */
  readonly size: number;
  readonly keyId: number;
  readonly sendId: string;
  readonly bucket: number;
  readonly shard: string;
  readonly head: number;
  readonly effects: readonly { readonly consumer: string; readonly waiting: boolean }[];
  readonly readers: readonly {
    readonly userId: number;
    readonly nick: string;
    readonly readId: number;
    readonly online: boolean;
  }[];
  readonly readersInAll: number;
}

export interface ApiKeyInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly userId?: number | undefined;
  readonly createdMs: number;
  readonly expiresMs?: number | undefined;
  readonly revokedMs?: number | undefined;
  readonly lastUsedMs?: number | undefined;
}

export interface ApiKeyList {
  readonly keys: readonly ApiKeyInfo[];
  /** All that there are. */
  readonly scopes: readonly string[];
}

export interface WebhookInfo {
  readonly id: string;
  readonly url: string;
  /** Only of conversations that this person is in. */
  readonly userId?: number | undefined;
  /** The API key that made it; empty: the console. */
  readonly keyId: string;
  readonly withBodies: boolean;
  readonly active: boolean;
  readonly createdMs: number;
  readonly waiting?: number | undefined;
  readonly dead?: number | undefined;
  readonly lastError?: string | undefined;
}

/** Messages of one conversation that a webhook did not take. */
export interface DeadLetterInfo {
  readonly id: number;
  /** The two people of the conversation, or its group. */
  readonly userIds?: readonly number[];
  readonly groupId?: number;
  readonly fromMsgId: number;
  readonly toMsgId: number;
  readonly error: string;
  readonly atMs: number;
  readonly replaying: boolean;
}

/** Newest first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetterInfo[];
  readonly next: number | undefined;
}

/** A named limit; see common/live/named-limits.ts. */
export interface LimitInfo {
  readonly name: string;
  readonly server: string;
  readonly at: 'delay' | 'refuse' | 'close';
  readonly unit: 'count' | 'bytes';
  readonly min: number;
  readonly max: number;
  readonly isRate: boolean;
  readonly fixedRefill: boolean;
  /** Of the setting; 0: nobody has set it. */
  readonly version: number;
  readonly set?: { readonly size: number; readonly refillMs?: number | undefined };
  /** What the servers go by: one value, or several while they differ; none when they are not watched. */
  readonly inForce: { readonly sizes: readonly number[]; readonly refillsMs: readonly number[] };
  /** Since the servers were started. Absent: none is watched. */
  readonly hits?: number;
}

export interface PushServerInfo {
  readonly name: string;
  readonly sinceMs: number;
  readonly open: number;
  readonly text: string;
  readonly language: string;
  readonly whilePcOnline: string;
  readonly vendors: readonly {
    readonly vendor: string;
    readonly ios: boolean;
    readonly android: boolean;
    readonly waiting: number;
    readonly counts: readonly { readonly result: string; readonly reason: string; readonly count: number }[];
  }[];
}

export interface PushTested {
  readonly clientType: number;
  readonly token: string;
  readonly updatedMs: number;
  readonly vendor: string;
  readonly result: string;
  readonly reason: string;
  readonly tookMs: number;
}

export interface FileServerInfo {
  readonly name: string;
  readonly driver: string;
  readonly place: string;
  readonly freeBytes?: number | undefined;
  readonly userBytesMax: number;
  readonly totalBytesMax: number;
  readonly scanner: string;
  readonly scanFailure: string;
  readonly scanned: number;
  readonly scanRefused: number;
  readonly scanFailed: number;
  readonly removal?:
    | {
        readonly dryRun: boolean;
        readonly startedMs: number;
        readonly endedMs?: number | undefined;
        readonly removed: number;
        readonly orphans: number;
        readonly problem?: string | undefined;
      }
    | undefined;
}

export interface FilesInfo {
  readonly blobs: number;
  readonly bytes: number;
  readonly uploads: number;
  readonly countedBytes: number;
  readonly kinds: readonly {
    readonly kind: string;
    readonly files: number;
    readonly bytes: number;
    readonly days?: number | undefined;
  }[];
  readonly expiredFiles: number;
  readonly staleUploads: number;
  readonly unreferencedBlobs: number;
  readonly unreferencedBytes: number;
  readonly removing: number;
  readonly owners: readonly {
    readonly userId: number;
    readonly nick: string;
    readonly files: number;
    readonly bytes: number;
  }[];
  readonly servers: readonly FileServerInfo[];
}

/** An export of what people wrote: who wants what of it, and where it stands. */
export interface ExportInfo {
  readonly id: number;
  readonly userIds: readonly number[];
  readonly groupIds: readonly number[];
  readonly withGroups: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reason: string;
  readonly caseNumber: string;
  readonly askedBy: string;
  readonly askedMs: number;
  readonly state: 'asked' | 'approved' | 'refused' | 'running' | 'cancelled' | 'done';
  readonly decidedBy?: string | undefined;
  /** Taken out so far. */
  readonly messages: number;
  readonly bytes?: number | undefined;
  /** Of the file, in hex. */
  readonly sha256?: string | undefined;
  readonly endedMs?: number | undefined;
  /** The caller's own; with a ticket he may have the file now. */
  readonly own: boolean;
  readonly ticket?: string | undefined;
}

/** How far an announcement has come. */
export interface AnnouncementState {
  readonly id: number;
  readonly startedMs: number;
  readonly endedMs?: number | undefined;
  /** Somebody of the console, or a key of the HTTP interface. */
  readonly by: string;
  readonly byKey: boolean;
  readonly fromUserId: number;
  readonly to: 'everybody' | 'department' | 'members' | 'group';
  /** The department or the group. */
  readonly toId?: number | undefined;
  readonly text: string;
  /** As many as there were when it began. */
  readonly receivers: number;
  readonly sent: number;
  readonly failed: number;
  readonly running: boolean;
  /** Who ended it before it was through. */
  readonly stoppedBy?: string | undefined;
}

// ---- the page of people

/** With which accounts of the company one can sign in. */
export interface SignInWays {
  readonly oidc: boolean;
  readonly ldap: boolean;
}

export interface MyPage {
  readonly name: string;
  readonly nick: string;
  readonly source: string;
  readonly csrf: string;
  readonly devices: readonly UserDevice[];
  readonly appPasswords: readonly AppPassword[];
  /** The one just made; it is shown this once. */
  readonly appPassword?: string;
}

export interface AppPassword {
  readonly id: number;
  readonly name: string;
  readonly createdMs: number;
  readonly usedMs?: number | undefined;
}

/** For a client that waits; with an address when it takes it by itself. */
export interface CodeMade {
  readonly code: string;
  readonly location?: string;
}
