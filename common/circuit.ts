/** After something could not be reached, nobody waits for it again for so long. */
const PAUSE_MS = 5_000;

/** Thrown without trying. */
export class CircuitOpen extends Error {
  override readonly name = 'CircuitOpen';
}

/**
 * Fails at once where waiting would be in vain: after an outage nothing is tried for five seconds, then one caller tries
 * while the others go on to fail.
 */
export class Circuit {
  #openUntilMs = 0;
  #why = '';
  #trying = false;

  /**
   * @param isOutage whether an error means that it could not be reached, and not that it said no
   * @throws CircuitOpen, or what the work throws
   */
  async run<T>(work: () => Promise<T>, isOutage: (error: unknown) => boolean): Promise<T> {
    const open = this.#openUntilMs > 0;
    if (open && (this.#trying || performance.now() < this.#openUntilMs)) throw new CircuitOpen(this.#why);
    this.#trying = open;
    try {
      const result = await work();
      this.#openUntilMs = 0;
      return result;
    } catch (error) {
      if (isOutage(error)) {
        this.#openUntilMs = performance.now() + PAUSE_MS;
        this.#why = (error as Error).message;
      } else this.#openUntilMs = 0;
      throw error;
    } finally {
      if (open) this.#trying = false;
    }
  }
}
