import { signal } from '@preact/signals';
import type { SessionInfo } from '../api.js';
import { type Permission, may as roleMay } from '../permissions.js';
import { ApiError, type Method, request } from './request.js';

export { ApiError } from './request.js';

/** Speaks to the console's server. */

/** Undefined: not known yet; null: nobody is logged in. */
export const session = signal<SessionInfo | null | undefined>(undefined);
/** Somebody was logged in and is not any more: asked for the password over whatever is open. */
export const expired = signal(false);

let comeBack: { readonly promise: Promise<void>; readonly done: () => void } | undefined;

export function may(permission: Permission): boolean {
  const role = session.value?.admin.role;
  return role !== undefined && roleMay(role, permission);
}

/**
 * Asks. When the session is over in the middle of something, waits until somebody has logged in again and asks once more:
 * no form loses what was typed. @throws ApiError
 */
export async function api<T>(method: Method, path: string, body?: unknown): Promise<T> {
  for (;;) {
    try {
      return await ask<T>(method, path, body);
    } catch (error) {
      const wasIn = session.value !== null && session.value !== undefined;
      if (!(error instanceof ApiError) || error.problem.code !== 'NO_SESSION' || !wasIn) throw error;
      expired.value = true;
      comeBack ??= newComeBack();
      await comeBack.promise;
    }
  }
}

function ask<T>(method: Method, path: string, body: unknown): Promise<T> {
  return request<T>(method, path, body, session.value?.csrf);
}

/** @throws ApiError, CODE_NEEDED among others */
export async function logIn(name: string, password: string, code: string): Promise<void> {
  await ask('POST', '/api/login', { name, password, code });
  await readSession();
}

/** Looks who is logged in here. */
export async function readSession(): Promise<void> {
  const before = session.value;
  const now = await ask<SessionInfo>('GET', '/api/session', undefined).catch((error: ApiError) => {
    if (error.problem.code === 'NO_SESSION') return null;
    throw error;
  });
  // Somebody else: nothing of what the one before had open is theirs.
  if (before && now && before.admin.id !== now.admin.id) location.reload();
  session.value = now;
  if (now === null) return;
  expired.value = false;
  comeBack?.done();
  comeBack = undefined;
}

export async function logOut(): Promise<void> {
  await ask('POST', '/api/logout', {}).catch(() => undefined);
  location.assign('/');
}

function newComeBack(): { readonly promise: Promise<void>; readonly done: () => void } {
  let done = () => {};
  const promise = new Promise<void>((resolve) => {
    done = resolve;
  });
  return { promise, done };
}
