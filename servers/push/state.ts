import type { IM } from '../../common/pdu/pb.js';
import type { VendorName } from './vendors.js';

const REASONS_MAX = 200;

/** How pushes went since this server was started, for people: by vendor, result and the vendor's word. */
export class Tally {
  readonly sinceMs = Date.now();
  readonly #counts = new Map<string, { vendor: VendorName; result: string; reason: string; count: number }>();

  add(vendor: VendorName, result: string, reason: string): void {
    const key = `${vendor} ${result} ${reason}`;
    const there = this.#counts.get(key);
    if (there !== undefined) there.count++;
    // Reasons are words of others: whatever they write, there are so many.
    else if (this.#counts.size < REASONS_MAX) this.#counts.set(key, { vendor, result, reason, count: 1 });
    else if (reason !== '') this.add(vendor, result, '');
  }

  of(vendor: VendorName): IM.Push.PushCount.$Properties[] {
    return [...this.#counts.values()].filter((each) => each.vendor === vendor);
  }
}
