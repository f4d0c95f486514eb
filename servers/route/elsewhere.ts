import type { Peer } from '../../common/net/peers.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { cluster } from '../../common/pdu/commands.js';
import type { Frame } from '../../common/pdu/header.js';
import type { IM } from '../../common/pdu/pb.js';
import { fromRouteServers } from './commands.js';
import type { RouteContext } from './context.js';
import { pcChanges, pcsGone, settleDoubles } from './handlers/buddy.js';
import { tellDisturbances } from './handlers/server.js';

/** A msg server that has lost its link to us has told another route server by then, or is dead. */
const MOVE_MS = 2_000;
/** Several who ask at once get one answer. */
const GATHER_MS = 200;

/**
 * Who is online on the msg servers of other route servers, and those that are on their way from one to another: what
 * every route server tells the others of its own, so that each can say of everybody where he is.
 */
export class Elsewhere {
  readonly #ctx: RouteContext;
  /** Life of a route server → name of a msg server → what stands for that in `presence`. */
  readonly #servers = new Map<string, Map<string, Peer>>();
  /** Msg servers that had a link to us a moment ago. */
  readonly #moving = new Map<Peer, NodeJS.Timeout>();
  /** Who it is that speaks, for the handlers. */
  readonly #routes = new Map<string, Peer>();
  #answer: NodeJS.Timeout | undefined;
  #question: NodeJS.Timeout | undefined;

  constructor(ctx: RouteContext) {
    this.#ctx = ctx;
  }

  /** A frame of another route server. @throws ImError for one that cannot be read */
  heard(life: string, frame: Frame): void {
    let route = this.#routes.get(life);
    if (route === undefined) {
      route = standIn('route', life);
      this.#routes.set(life, route);
    }
    fromRouteServers.get(frame.command)?.run(this.#ctx, route, frame);
  }

  /** Whoever is not named any more has left that route server. */
  pulse(told: IM.Cluster.IMRoutePulse, route: Peer): void {
    const servers = this.#servers.get(route.name) ?? new Map<string, Peer>();
    for (const [name, peer] of servers) {
      if (told.msgServerList.includes(name)) continue;
      servers.delete(name);
      pcsGone(this.#ctx, this.#ctx.presence.forget(peer));
    }
  }

  presence(told: IM.Cluster.IMRoutePresence, route: Peer): void {
    const { presence } = this.#ctx;
    const servers = this.#servers.get(route.name) ?? new Map<string, Peer>();
    this.#servers.set(route.name, servers);
    const peer = servers.get(told.msgServer) ?? standIn('msg', told.msgServer);
    servers.set(told.msgServer, peer);
    const userIds = told.sessionList.map(({ userId }) => userId);
    const before = told.whole ? presence.of(peer).map(({ userId }) => userId) : [];
    pcChanges(this.#ctx, new Set([...userIds, ...before]), () => {
      if (told.whole) presence.forget(peer);
      for (const { userId, clientType, count } of told.sessionList) presence.set(peer, userId, clientType, count);
    });
    if (!told.whole) return;
    this.came(told.msgServer);
    settleDoubles(this.#ctx, peer, told.sessionList);
  }

  /** We say of all our msg servers who is there, and what was disturbed lately. */
  asked(): void {
    this.#answer ??= setTimeout(() => {
      this.#answer = undefined;
      for (const peer of this.#ctx.told) this.tellAll(peer);
      tellDisturbances(this.#ctx);
    }, GATHER_MS);
  }

  /** Somebody has come, or something was missed, perhaps a question. */
  unsure(): void {
    this.asked();
    this.#question ??= setTimeout(() => {
      this.#question = undefined;
      this.#ctx.backplane?.say(encodeFrame(cluster.routePresenceAsk, 0, {}));
    }, GATHER_MS);
  }

  /** Tells the others who is online on a msg server of ours. */
  tellAll(peer: Peer): void {
    this.#tell(peer, true, this.#ctx.presence.of(peer));
  }

  tellChange(peer: Peer, userId: number, clientType: IM.BaseDefine.ClientType): void {
    this.#tell(peer, false, [{ userId, clientType, count: this.#ctx.presence.sessions(peer, userId, clientType) }]);
  }

  /** It has lost its link to us: another route server may know more in a moment. */
  left(peer: Peer): void {
    const done = () => {
      this.#moving.delete(peer);
      pcsGone(this.#ctx, this.#ctx.presence.forget(peer));
    };
    this.#moving.set(peer, setTimeout(done, MOVE_MS));
  }

  /** A msg server of this name has said who is online there, here or at another route server. */
  came(name: string): void {
    for (const [peer, timer] of this.#moving) {
      if (peer.name !== name) continue;
      clearTimeout(timer);
      this.#moving.delete(peer);
      pcsGone(this.#ctx, this.#ctx.presence.forget(peer));
    }
    pcsGone(this.#ctx, this.#ctx.remembered?.came(name) ?? []);
  }

  /** That route server is not heard any more. */
  gone(life: string): void {
    for (const peer of this.#servers.get(life)?.values() ?? []) pcsGone(this.#ctx, this.#ctx.presence.forget(peer));
    this.#servers.delete(life);
    this.#routes.delete(life);
  }

  /** What goes out with every pulse: the msg servers that we answer for. */
  ownPulse(): Buffer {
    const names = new Set([...this.#ctx.told, ...this.#moving.keys()].map(({ name }) => name));
    return encodeFrame(cluster.routePulse, 0, { msgServerList: [...names] });
  }

  close(): void {
    clearTimeout(this.#answer);
    clearTimeout(this.#question);
    for (const timer of this.#moving.values()) clearTimeout(timer);
  }

  #tell({ name }: Peer, whole: boolean, sessionList: readonly IM.Cluster.RoutePresence.$Properties[]): void {
    const { backplane } = this.#ctx;
    backplane?.say(encodeFrame(cluster.routePresence, 0, { msgServer: name, whole, sessionList: [...sessionList] }));
  }
}

/** For one that has no link to us. */
export function standIn(role: string, name: string): Peer {
  return { role, name, address: '', gone: false, tell: () => undefined, tellFrame: () => undefined };
}
