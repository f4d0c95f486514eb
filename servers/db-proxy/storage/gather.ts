/**
 * One question for what many ask at once: while a question is out, what is asked waits and goes together in the next.
 * As with storing there is no timer: a question that comes alone goes at once, ten thousand log-ins make a few hundred
 * statements. A question only ever joins one that has not been sent, so an answer is never older than its question.
 */
export class Gather<Key, Answer> {
  readonly #ask: (keys: readonly Key[]) => Promise<readonly Answer[]>;
  #waiting: Waiting<Key, Answer>[] = [];
  #out = 0;
  #starting = false;

  /** @param ask one answer for each key, in their order; a key may be there twice */
  constructor(ask: (keys: readonly Key[]) => Promise<readonly Answer[]>) {
    this.#ask = ask;
  }

  get(key: Key): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      this.#start();
    });
  }

  /** Whatever else this turn brings joins. */
  #start(): void {
    if (this.#starting || this.#out === OUT_MAX) return;
    this.#starting = true;
    setImmediate(() => {
      this.#starting = false;
      if (this.#waiting.length > 0) void this.#send(this.#waiting.splice(0, KEYS_MAX));
    });
  }

  async #send(together: readonly Waiting<Key, Answer>[]): Promise<void> {
    this.#out++;
    try {
      const answers = await this.#ask(together.map(({ key }) => key));
      for (const [i, { resolve }] of together.entries()) resolve(answers[i]!);
    } catch (error) {
      for (const { reject } of together) reject(error as Error);
    } finally {
      this.#out--;
      if (this.#waiting.length > 0) this.#start();
    }
  }
}

interface Waiting<Key, Answer> {
  readonly key: Key;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Questions out at a time: a second one, so that a slow one does not hold up all. */
const OUT_MAX = 2;
const KEYS_MAX = 500;
