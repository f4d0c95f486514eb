import assert from 'node:assert/strict';
import { HISTORY_PAGE_MAX } from '../../common/limits.js';
import type { Link } from '../../common/net/link.js';
import { type Ask, type Command, decodeBody, encodeFrame } from '../../common/pdu/command.js';
import { buddy, cluster, directory, file, group, login, message, switchService } from '../../common/pdu/commands.js';
import { type Frame, withSeq } from '../../common/pdu/header.js';
import { IM } from '../../common/pdu/pb.js';
import { commandTable, hear } from '../../common/server/command-table.js';
import type { Capability } from './capabilities.js';
import type { MsgContext } from './context.js';
import * as buddies from './handlers/buddy.js';
import { directoryChanged } from './handlers/directory.js';
import * as files from './handlers/file.js';
import * as groups from './handlers/group.js';
import * as logins from './handlers/login.js';
import * as messages from './handlers/message.js';
import { turnOf } from './pace.js';
import { inParts } from './parts.js';
import type { Session } from './session.js';

/** One command of clients. `frame` is only valid until the first await. @throws ImError BAD_REQUEST at once. */
export interface ClientRow {
  readonly command: Command<never, unknown>;
  run(ctx: MsgContext, session: Session, frame: Frame): Promise<void> | void;
}

/** Without an answer, or the handler sends it. */
function client<In, Out>(
  command: Command<In, Out>,
  handle: (ctx: MsgContext, said: Out, session: Session, seq: number) => Promise<void> | void,
): ClientRow {
  return { command, run: (ctx, session, frame) => handle(ctx, decodeBody(command, frame.body), session, frame.seq) };
}

/**
 * Answered here; undefined: no answer. What needs no waiting is answered at once, so in the order of the asking. `needs`
 * is what the session must have been granted.
 */
function here<In, Out, ReplyIn, ReplyOut>(
  ask: Ask<In, Out, ReplyIn, ReplyOut>,
  handle: (ctx: MsgContext, asked: Out, session: Session) => Promise<ReplyIn> | ReplyIn | undefined,
  needs?: Capability,
): ClientRow {
  return client(ask, (ctx, asked, session, seq) => {
    if (needs !== undefined && !session.may(needs)) return;
    const reply = handle(ctx, asked, session);
    if (reply instanceof Promise) return reply.then((it) => session.send(encodeFrame(ask.reply, seq, it)));
    if (reply !== undefined) session.send(encodeFrame(ask.reply, seq, reply));
  });
}

/**
 * Answered by db-proxy: the request goes there with the session's own user id in it, whatever the client wrote, and
 * the answer's bytes come back to the client as they are. `asking` may complete the request, `answered` hears of the
 * answer, `parts` may replace it by several frames, `needs` is what the session must have been granted, `limit` has it wait
 * for its turn.
 */
function proxied<In extends { userId: number }, Out extends In, ReplyIn, ReplyOut>(
  ask: Ask<In, Out, ReplyIn, ReplyOut>,
  options: {
    needs?: Capability;
    limit?: (ctx: MsgContext, session: Session, asked: Out) => Promise<void> | undefined;
    asking?: (session: Session, asked: Out) => void;
    answered?: (ctx: MsgContext, session: Session, reply: Frame, asked: Out) => Promise<void> | void;
    parts?: (session: Session, reply: Frame) => Buffer[] | undefined;
  } = {},
): ClientRow {
  return client(ask, async (ctx, asked, session, seq) => {
    if (options.needs !== undefined && !session.may(options.needs)) return;
    const turn = options.limit?.(ctx, session, asked);
    if (turn !== undefined) await turn;
    asked.userId = session.userId;
    options.asking?.(session, asked);
    const reply = await ctx.dbProxies.askBytes(ask, ask.codec.encode(asked).finish(), session.userId);
    const [first, ...further] = options.parts?.(session, reply) ?? [reply.bytes];
    session.send(answering(first!, seq));
    for (const part of further) session.send(part);
    await options.answered?.(ctx, session, reply, asked);
  });
}

/** The bytes of a link's frame as an answer to a client: with the client's seq, without the link's id. */
function answering(frame: Buffer, seq: number): Buffer {
  const bytes = withSeq(frame, seq);
  bytes.writeUInt16BE(0, 14);
  return bytes;
}

/** What changed in the directory: db-proxy knows how each kind of client asks for it. */
function withClientType(session: Session, asked: { clientType?: IM.BaseDefine.ClientType | undefined }): void {
  asked.clientType = session.clientType;
}

function directoryCall(ctx: MsgContext, session: Session): Promise<void> | undefined {
  return turnOf(ctx, session, 'directory.calls');
}

/** As many as it may get. */
function historyRows(ctx: MsgContext, session: Session, asked: number): Promise<void> | undefined {
  return turnOf(ctx, session, 'history.rows', Math.min(asked, HISTORY_PAGE_MAX));
}

const { UserInfo, DepartInfo, UnreadInfo, GroupInfo } = IM.BaseDefine;
const removeSession = proxied(buddy.removeSession, { answered: buddies.sessionRemoved });

export const fromClients: ReadonlyMap<number, ClientRow> = tableOf([
  client(login.enter, logins.enter),
  client(login.leave, logins.leave),
  here(login.kickPc, logins.kickPc),
  client(login.deviceToken, logins.deviceToken),
  proxied(login.setPushShield),
  proxied(login.getPushShield),
  proxied(login.devices, { needs: 'token1', asking: logins.asksForDevices }),
  proxied(login.removeDevice, { needs: 'token1' }),

  proxied(buddy.allUsers, {
    limit: directoryCall,
    asking: withClientType,
    parts: inParts(buddy.allUsers.reply, 'userList', UserInfo),
  }),
  proxied(buddy.usersInfo, {
    limit: directoryCall,
    parts: inParts(buddy.usersInfo.reply, 'userInfoList', UserInfo),
  }),
  proxied(buddy.departments, {
    limit: directoryCall,
    asking: withClientType,
    parts: inParts(buddy.departments.reply, 'deptList', DepartInfo),
  }),
  proxied(buddy.recentSessions, { answered: buddies.removedMeanwhile }),
  removeSession,
  // iOS sends the request under the number of the answer.
  { ...removeSession, command: { ...removeSession.command, id: buddy.removeSession.reply.id } },
  here(buddy.usersStatus, buddies.usersStatus),
  proxied(buddy.changeSignature, { answered: buddies.signatureChanged }),
  proxied(buddy.changeAvatar, { answered: buddies.avatarChanged }),

  client(message.data, messages.send),
  client(message.ack, messages.received),
  client(message.readAck, messages.read),
  here(message.time, messages.time),
  proxied(message.unreadCount, { parts: inParts(message.unreadCount.reply, 'unreadinfoList', UnreadInfo) }),
  proxied(message.list, { limit: (ctx, session, { msgCnt }) => historyRows(ctx, session, msgCnt) }),
  proxied(message.latestId),
  proxied(message.byId, { limit: (ctx, session, { msgIdList }) => historyRows(ctx, session, msgIdList.length) }),
  proxied(message.sync, { needs: 'sync1' }),

  proxied(group.normalList, { limit: directoryCall }),
  proxied(group.info, { limit: directoryCall, parts: inParts(group.info.reply, 'groupInfoList', GroupInfo) }),
  proxied(group.create, { answered: groups.created }),
  proxied(group.changeMember, { answered: groups.changed }),
  proxied(group.shield),

  client(file.request, files.request),
  here(file.hasOffline, files.hasOffline),
  client(file.addOffline, files.addOffline),
  client(file.delOffline, files.delOffline),
  here(file.token, files.token, 'file1'),

  client(switchService.p2p, messages.p2p),
]);

function tableOf(rows: readonly ClientRow[]): ReadonlyMap<number, ClientRow> {
  const table = new Map(rows.map((row) => [row.command.id, row]));
  assert.equal(table.size, rows.length, 'two rows claim one command id');
  return table;
}

const disturbed = hear<MsgContext, Link, IM.Cluster.IMDisturbed.$Properties, IM.Cluster.IMDisturbed>(
  cluster.disturbed,
  (ctx, told) => ctx.reconcile.since(told.sinceMs),
);

export const fromRoutes = commandTable<MsgContext, Link>([
  hear(cluster.publish, messages.deliver),
  disturbed,
  hear(cluster.kickOlder, logins.kickedElsewhere),
  hear(cluster.groupMembersChanged, groups.membersChanged),
]);

export const fromDbProxies = commandTable<MsgContext, Link>([hear(directory.changed, directoryChanged), disturbed]);
