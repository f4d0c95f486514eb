import { publishedConversation } from '../../../common/chat/message.js';
import type { Peer } from '../../../common/net/peers.js';
import { encodeFrame } from '../../../common/pdu/command.js';
import { cluster } from '../../../common/pdu/commands.js';
import type { Frame } from '../../../common/pdu/header.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { RouteContext } from '../context.js';

/** A msg server says which subjects it cares about from now on, and which no longer. */
export function interest(
  ctx: RouteContext,
  told: IM.Cluster.IMInterest,
  peer: Peer,
): IM.Cluster.IMInterestRsp.$Properties {
  if (told.sentMs !== undefined) ctx.sure.set(peer, told.sentMs);
  if (told.reset) {
    ctx.told.delete(peer); // until it says who is online there, as it does unless it goes to another route server
    ctx.subjects.forget(peer);
    ctx.presence.forget(peer);
    ctx.elsewhere.tellAll(peer);
  }
  ctx.subjects.remove(peer, told.usersOut, told.groupsOut);
  ctx.subjects.add(peer, told.usersIn, told.groupsIn);
  if (told.unheardSinceMs !== undefined) ctx.cutOff.set(peer, told.unheardSinceMs);
  return {};
}

/**
 * What a msg server has to look for that was cut off. Said in the moment from which on it is told everything: a word that
 * comes between its interest and that would reach it by neither.
 */
export function tellUnheard({ cutOff, disturbances }: RouteContext, peer: Peer): void {
  const unheardSinceMs = cutOff.get(peer);
  const sinceMs = unheardSinceMs === undefined ? undefined : disturbances.since(unheardSinceMs);
  if (sinceMs !== undefined) peer.tell(cluster.disturbed, { sinceMs });
}

/** To every interested msg server once, as the bytes that came; not to the one it came from. */
export function publish(ctx: RouteContext, told: IM.Cluster.IMPublish, from: Peer, frame: Frame): void {
  const receivers = told.everyone === true ? [...ctx.told] : ctx.subjects.interested(told.userIdList, told.groupId);
  passOn(ctx, receivers, from, frame);
  share(ctx, from, frame, told.everyone === true ? undefined : (told.groupId ?? Math.min(...told.userIdList)));
  if (told.msgId !== undefined) ctx.hops.relayed(publishedConversation(told), told.msgId, from, receivers);
}

export function kickOlder(ctx: RouteContext, told: IM.Cluster.IMKickOlder, from: Peer, frame: Frame): void {
  passOn(ctx, ctx.subjects.interested([told.userId]), from, frame);
  share(ctx, from, frame, told.userId);
}

export function groupMembersChanged(
  ctx: RouteContext,
  told: IM.Cluster.IMGroupMembersChanged,
  from: Peer,
  frame: Frame,
): void {
  for (const peer of ctx.subjects.interested(told.joined)) ctx.subjects.add(peer, [], [told.groupId]);
  if (told.passOn !== true) return;
  passOn(ctx, ctx.subjects.interested([...told.joined, ...told.left], told.groupId), from, frame);
  share(ctx, from, frame, told.groupId); // in one order with what is published for the group
}

/** With the other route servers, unless it came from one. `key` keeps an order; see Backplane. */
function share({ backplane }: RouteContext, from: Peer, frame: Frame, key?: number): void {
  if (from.role !== 'route') backplane?.say(frame.bytes, key);
}

function passOn(ctx: RouteContext, receivers: Iterable<Peer>, from: Peer, frame: Frame): void {
  let count = 0;
  for (const peer of receivers) {
    if (peer === from) continue;
    peer.tellFrame(frame.bytes);
    count++;
  }
  ctx.published.inc(count);
}

/** A frame made here, for sessions on our own msg servers: every route server makes it for its own. */
export function publishOurs(ctx: RouteContext, message: IM.Cluster.IMPublish.$Properties): void {
  const receivers = message.everyone === true ? ctx.told : ctx.subjects.interested(message.userIdList ?? []);
  for (const peer of receivers) peer.tell(cluster.publish, message);
}

/** Something may not have been delivered since then: every other msg server looks for what its sessions missed. */
export function disturbed(ctx: RouteContext, told: IM.Cluster.IMDisturbed, from: Peer): void {
  const { disturbances } = ctx;
  const noted = disturbances.note(told.sinceMs, told.heardMs ?? Date.now(), told.id);
  if (noted === undefined) return;
  const { id, sinceMs } = noted;
  const frame = encodeFrame(cluster.disturbed, 0, { sinceMs, id });
  for (const peer of ctx.told) {
    const isNews = told.heardMs === undefined || disturbances.isNews(noted, ctx.cutOff.get(peer));
    if (peer !== from && isNews) peer.tellFrame(frame);
  }
  if (from.role !== 'route') ctx.backplane?.say(frame);
}

/** A route server has just come: it hears what the others know. */
export function tellDisturbances({ disturbances, backplane }: RouteContext): void {
  for (const each of disturbances.all) backplane?.say(encodeFrame(cluster.disturbed, 0, each));
}

/** A msg server is gone, perhaps with messages that it had stored and not yet published. */
export function msgServerGone(ctx: RouteContext, peer: Peer, sinceMs: number): void {
  disturbed(ctx, { sinceMs }, peer);
}

/** What other route servers have said since then may not have come: our own msg servers look for it. */
export function missed(ctx: RouteContext, sinceMs: number): void {
  ctx.disturbances.note(sinceMs, Date.now()); // for one that is only coming
  for (const peer of ctx.told) peer.tell(cluster.disturbed, { sinceMs });
}
