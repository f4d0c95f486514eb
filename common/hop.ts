/** What happens to a message at a server. */
export const HOP_KINDS = [
  'accepted',
  'refused',
  'stored',
  'settled',
  'read',
  'relayed',
  'delivered',
  'pushed',
  'told',
] as const;
export type HopKind = (typeof HOP_KINDS)[number];

/** One row, as JSON. */
export interface Hop {
  readonly kind: HopKind;
  /** By the clock of this server. */
  readonly atMs: number;
  /** Ms since then; null: the step was not taken. */
  readonly steps: readonly (number | null)[];
  readonly conversationId: string;
  readonly msgId: number;
  /** In hex, where it is known. */
  readonly sendId?: string;
  readonly count: number;
  readonly name: string;
  /** Of what was passed on: to which servers. */
  readonly receivers?: readonly string[];
}

/** What a server answers about a message. */
export interface HopsAnswer {
  readonly server: string;
  readonly role: string;
  /** Its clock at this moment. */
  readonly nowMs: number;
  /** Nothing from before is known here any more. */
  readonly sinceMs: number;
  readonly hops: readonly Hop[];
}
