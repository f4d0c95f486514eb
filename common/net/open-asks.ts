const CAPACITY_MIN = 64;

/**
 * The questions of a link that have no answer yet, each under a 32-bit id that is not 0, given in turn.
 *
 * Not a Map: one that something is put into and taken out of all the time makes a table anew every few dozen times, and V8
 * lets each table that is no longer used hold on to the next one. Once one of them is old, all later ones and what was in
 * them get old, and the old generation is full in seconds; to collect it holds up everybody for 30 to 60 ms.
 */
export class OpenAsks<T> {
  /** At id % length; a power of two, and at most half full. */
  #asks: (T | undefined)[] = new Array<T | undefined>(CAPACITY_MIN).fill(undefined);
  #ids = new Uint32Array(CAPACITY_MIN);
  #lastId = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns its id */
  add(ask: T): number {
    if (this.#size * 2 === this.#asks.length) this.#grow();
    let id = this.#lastId;
    do id = (id + 1) >>> 0;
    while (id === 0 || this.#asks[this.#at(id)] !== undefined);
    this.#lastId = id;
    this.#put(id, ask);
    this.#size++;
    return id;
  }

  /** Undefined: there is none of that id, or no longer. */
  take(id: number): T | undefined {
    const at = this.#at(id);
    const ask = this.#asks[at];
    if (ask === undefined || this.#ids[at] !== id) return undefined;
    this.#asks[at] = undefined;
    this.#size--;
    return ask;
  }

  oldestFirst(): { readonly id: number; readonly ask: T }[] {
    const open: { readonly id: number; readonly ask: T }[] = [];
    for (const [at, ask] of this.#asks.entries()) if (ask !== undefined) open.push({ id: this.#ids[at]!, ask });
    const age = (id: number) => (this.#lastId - id) >>> 0; // ids begin again after 2^32
    return open.sort((a, b) => age(b.id) - age(a.id));
  }

  #at(id: number): number {
    return id & (this.#asks.length - 1);
  }

  #put(id: number, ask: T): void {
    const at = this.#at(id);
    this.#asks[at] = ask;
    this.#ids[at] = id;
  }

  #grow(): void {
    const [asks, ids] = [this.#asks, this.#ids];
    this.#asks = new Array<T | undefined>(asks.length * 2).fill(undefined);
    this.#ids = new Uint32Array(asks.length * 2);
    for (const [at, ask] of asks.entries()) if (ask !== undefined) this.#put(ids[at]!, ask);
  }
}
