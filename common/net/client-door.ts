import { Door, type DoorOptions, type Visitor } from './door.js';
import type { Transport } from './transport.js';
import { WebSocketUpgrades } from './websocket.js';

/** What clients came by, for metrics. */
export const TRANSPORTS = ['plain', 'tls', 'ws', 'wss'] as const;
export type TransportKind = (typeof TRANSPORTS)[number];

/** Requests of HTTP that may begin a WebSocket: GET. */
const LETTER_G = 0x47;

export interface ClientDoorOptions extends Omit<DoorOptions, 'arrived'> {
  /** Clients ask one thing and go: deadline and bound of the door are for all of their stay. */
  readonly stayInDoor?: boolean;
  /** @param sinceMs monotonic ms of the connecting */
  accept(transport: Transport, sinceMs: number, kind: TransportKind): void;
}

/** A port where frames come plain, by WebSocket, or either of them over TLS. */
export function openClientDoor(options: ClientDoorOptions): Promise<Door> {
  const upgrades = new WebSocketUpgrades(options.settings.webSocketOrigins);
  const accept = (visitor: Visitor, transport: Transport, kind: TransportKind) => {
    if (options.stayInDoor !== true) visitor.through();
    options.accept(transport, visitor.sinceMs, kind);
  };
  const arrived = (visitor: Visitor) => {
    const { socket, secure } = visitor;
    if (visitor.first === LETTER_G)
      upgrades.begin(socket, (transport) => accept(visitor, transport, secure ? 'wss' : 'ws'));
    else accept(visitor, socket, secure ? 'tls' : 'plain');
  };
  return Door.open({ ...options, arrived });
}
