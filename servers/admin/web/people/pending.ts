/** What a client asked for when it opened this page; kept while the browser is at the provider. */
export interface Pending {
  readonly challenge: string;
  readonly redirect?: string;
  readonly state?: string;
  readonly device?: string;
}

/** What went wrong on the way to the provider and back stands in the address. */
export const problemBefore = new URLSearchParams(location.search).get('problem');

const KEY = 'sign-in';
const DEVICE_LENGTH_MAX = 64;

/** Takes it from the address, where nobody has to see it any longer, or from before. */
export function takePending(): Pending | undefined {
  const asked = new URLSearchParams(location.search);
  const challenge = asked.get('challenge');
  if (challenge !== null) {
    const pending = {
      challenge,
      redirect: asked.get('redirect') ?? undefined,
      state: asked.get('state') ?? undefined,
      device: asked.get('device')?.slice(0, DEVICE_LENGTH_MAX) ?? undefined,
    };
    sessionStorage.setItem(KEY, JSON.stringify(pending));
  }
  history.replaceState(null, '', location.pathname);
  const kept = sessionStorage.getItem(KEY);
  return kept === null ? undefined : (JSON.parse(kept) as Pending);
}

export function dropPending(): void {
  sessionStorage.removeItem(KEY);
}
