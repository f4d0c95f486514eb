import type { Head, Held, Hidden, PhaseState, Stretch } from '../../servers/db-proxy/storage/import.js';
import type { Target } from './context.js';
import type { DirectorySink } from './directory.js';

/** What a dry run writes to: remembers which conversations there would be, and nothing else. */
export class DryTarget implements Target {
  readonly startedS: number;
  readonly #conversations = new Set<bigint>();

  constructor(nowS: number) {
    this.startedS = nowS;
  }

  async phase(): Promise<PhaseState | undefined> {
    return undefined;
  }
  async save(): Promise<void> {}
  async heads(): Promise<Map<bigint, Head>> {
    return new Map();
  }
  async write(stretches: readonly Stretch[]): Promise<void> {
    for (const { conversationId } of stretches) this.#conversations.add(conversationId);
  }
  async groupReads(): Promise<void> {}
  async hide(entries: readonly Hidden[]): Promise<Hidden[]> {
    return entries.filter(({ conversationId }) => this.#conversations.has(conversationId));
  }
  async held(): Promise<Map<bigint, Held>> {
    return new Map();
  }
  async totals(): Promise<{ conversations: number; messages: number; hidden: number }> {
    return { conversations: 0, messages: 0, hidden: 0 };
  }
}

export const drySink: DirectorySink = {
  addDepartments: async () => undefined,
  addUsers: async () => undefined,
  addGroups: async () => undefined,
  addMembers: async () => undefined,
  addTokens: async () => undefined,
};
