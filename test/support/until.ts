/**
 * Waits for a condition, looked at every few ms: less often the longer it takes, as looking costs the servers that are
 * waited for their CPU. @throws after the deadline, naming what did not come.
 */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const startedMs = performance.now();
  while (!(await condition())) {
    const waitedMs = performance.now() - startedMs;
    if (waitedMs > ms) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(waitedMs / 50, 5), 50)));
  }
}
