import type { Problem } from '../api.js';

/** One request to the server whose pages these are. */

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem | { readonly code: 'OFFLINE'; readonly detail?: string; readonly field?: string };
  constructor(problem: ApiError['problem']) {
    super(problem.code);
    this.problem = problem;
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** @param csrf what the session gave; it goes along with whatever changes something. @throws ApiError */
export async function request<T>(method: Method, path: string, body: unknown, csrf: string | undefined): Promise<T> {
  const headers: Record<string, string> = {};
  const isFile = body instanceof Blob;
  if (body !== undefined) headers['content-type'] = isFile ? 'text/csv' : 'application/json';
  if (method !== 'GET' && csrf !== undefined) headers['x-csrf-token'] = csrf;
  const response = await fetch(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: isFile ? body : JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError({ code: 'OFFLINE' });
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const problem = (await response.json().catch(() => ({ code: 'INTERNAL' }))) as Problem;
  throw new ApiError(problem);
}
