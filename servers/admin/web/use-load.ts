import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './client.js';

/** Something that is asked of the server, and how that stands. */
export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** Resolves when there is an answer, or an error to be seen. */
  reload(): Promise<void>;
  /** What the server has said elsewhere, so that it need not be asked. */
  set(data: T): void;
}

/** Asks anew when `deps` change; an answer that was overtaken by a later question is dropped. */
export function useLoad<T>(ask: () => Promise<T>, deps: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: ApiError; loading: boolean }>({ loading: true });
  const turn = useRef(0);
  const newest = useRef<Promise<void>>(Promise.resolve());
  const reload = useCallback(() => {
    const mine = ++turn.current;
    setState((before) => ({ ...before, loading: true }));
    const settle = (answered: () => void): Promise<void> | undefined => {
      if (mine === turn.current) answered();
      else if (newest.current !== asked) return newest.current;
      return undefined;
    };
    const asked: Promise<void> = ask().then(
      (data) => settle(() => setState({ data, loading: false })),
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        return settle(() => setState((before) => ({ ...before, error, loading: false })));
      },
    );
    newest.current = asked;
    return asked;
  }, deps);
  useEffect(() => void reload(), [reload]);
  const set = useCallback((data: T) => {
    turn.current++;
    setState({ data, loading: false });
  }, []);
  return { data: state.data, error: state.error, loading: state.loading, reload, set };
}

/** The value, once it has stayed the same for so long. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
