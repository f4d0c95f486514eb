import type { Ledger } from './ledger.js';
import { cpuBetween, type Usage, usageOf } from './processes.js';

/** The measured part of a run; times are those of the clock that V8's profiles have. */
export interface Measured {
  readonly ledger: Ledger;
  /** CPU seconds by kind of server. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly fromMicros: number;
  readonly toMicros: number;
}

/** @param run calls `begun` when all is ready and warm; what comes before is not counted */
export async function measured(
  pids: Readonly<Record<string, number>>,
  run: (begun: () => void) => Promise<Ledger>,
): Promise<Measured> {
  let before: Usage | undefined;
  let fromMicros = 0;
  const ledger = await run(() => {
    before = usageOf(pids);
    fromMicros = nowMicros();
  });
  const toMicros = nowMicros();
  return { ledger, cpu: cpuBetween(before!, usageOf(pids)), fromMicros, toMicros };
}

function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
