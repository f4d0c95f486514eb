import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { complete, parseLine } from './command.js';

export interface Paint {
  dim(text: string): string;
  bold(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  name(text: string): string;
}

/**
 * Lines in, lines out. On a terminal, what is printed goes above the line being typed; otherwise it is plain text
 * without any control codes, for scripts and tests.
 */
export class Terminal {
  readonly interactive: boolean;
  readonly paint: Paint;
  /** The names that Tab completes after /to. */
  partners: readonly string[] = [];
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #readline: Interface;
  readonly #lines: AsyncIterator<string>;
  /** The prompt and what is typed behind it are the last thing on the screen. */
  #prompting = false;
  /** Screen rows of the typed line above its last one, prompt included. */
  #rowsTyped = 0;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    this.#input = input;
    this.#output = output;
    this.interactive = input.isTTY === true && output.isTTY === true;
    this.paint = paintFor(output.isTTY === true && process.env.NO_COLOR === undefined);
    this.#readline = this.interactive ? this.#openInteractive() : createInterface({ input, crlfDelay: Infinity });
    this.#lines = this.#readline[Symbol.asyncIterator](); // from now on, so that no early line is lost
  }

  /** The next line, undefined at the end of input. */
  async nextLine(): Promise<string | undefined> {
    if (this.interactive && !this.#prompting) {
      this.#prompting = true;
      this.#readline.prompt(true);
    }
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  setPrompt(text: string): void {
    this.#readline.setPrompt(text);
    if (this.#prompting) this.#readline.prompt(true);
  }

  print(...lines: string[]): void {
    if (this.#prompting) {
      moveCursor(this.#output, 0, -this.#readline.getCursorPos().rows);
      cursorTo(this.#output, 0);
      clearScreenDown(this.#output);
    }
    for (const line of lines) this.#output.write(`${line}\n`);
    if (this.#prompting) this.#readline.prompt(true);
  }

  close(): void {
    this.#readline.close();
    this.#input.unref?.();
  }

  #openInteractive(): Interface {
    const completer = (line: string) => complete(line, this.partners);
    const readline = createInterface({ input: this.#input, output: this.#output, completer, historySize: 500 });
    // Before readline acts on the key itself: afterwards nobody knows how many rows the line took.
    this.#input.prependListener('keypress', (_text, key?: { name?: string }) => {
      if (key?.name === 'return' || key?.name === 'enter') this.#rowsTyped = this.#rowsOfLine();
    });
    readline.on('line', (line) => this.#entered(line));
    readline.on('SIGINT', () => readline.close());
    readline.on('close', () => {
      if (this.#prompting) this.#output.write('\n');
      this.#prompting = false;
    });
    return readline;
  }

  #rowsOfLine(): number {
    const { line, cursor } = this.#readline;
    const { rows, cols } = this.#readline.getCursorPos();
    return rows + Math.floor((cols + line.length - cursor) / (this.#output.columns || 80));
  }

  /** A command stays on the screen; a message is printed in its proper form by whoever sends it. */
  #entered(line: string): void {
    if (!this.#prompting) return;
    const { kind } = parseLine(line);
    if (kind === 'text' || kind === 'nothing') {
      moveCursor(this.#output, 0, -(this.#rowsTyped + 1));
      cursorTo(this.#output, 0);
      clearScreenDown(this.#output);
    }
    this.#readline.prompt();
  }
}

function paintFor(colors: boolean): Paint {
  const code = (number: number) => (text: string) => (colors ? `\x1b[${number}m${text}\x1b[0m` : text);
  return { dim: code(2), bold: code(1), good: code(32), bad: code(31), name: code(36) };
}
