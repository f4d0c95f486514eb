/** How a tool begins and ends: what goes wrong is one line on stderr and an exit code. */
export async function run(title: string, work: () => Promise<number>, failure = 1): Promise<void> {
  let code: number;
  try {
    code = await work();
  } catch (error) {
    process.stderr.write(`${title}: ${reasonOf(error)}\n`);
    code = failure;
  }
  // Connections that are still in the middle of something are not waited for; what was printed is.
  process.stdout.write('', () => process.exit(code));
}

/** Aborts at the first of these signals, so that what was begun can be cleared away; at the second the process ends. */
export function endedBy(...signals: readonly NodeJS.Signals[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(1);
      controller.abort(new Error(`ended by ${signal}`));
    });
  }
  return controller.signal;
}

function reasonOf(error: unknown): string {
  const { message, code, name, cause } = error as { message?: string; code?: string; name?: string; cause?: unknown };
  if (name === 'AbortError' && cause !== undefined) return reasonOf(cause); // who ended it
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; '); // one per address that was tried
  if (message === undefined || message === '') return code ?? String(error);
  return name === 'TypeError' || name === 'AssertionError' ? ((error as Error).stack ?? message) : message;
}
