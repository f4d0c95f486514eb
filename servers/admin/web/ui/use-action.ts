import { useCallback, useState } from 'preact/hooks';
import { ApiError } from '../client.js';

/** Something a button does: whether it is under way, and what went wrong with it. */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>(undefined);
  const run = useCallback(async (work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
      setError(fault);
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, run, setError };
}
