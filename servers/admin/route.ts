import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { AdminContext, Caller } from './context.js';
import type { Permission } from './permissions.js';

/**
 * One row of the console's HTTP table: what is asked, who may, what it looks like, who answers.
 *
 *   needs  a permission, or `session` for everybody who is in (also while the password has to be changed), or `public`
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly needs: Permission | 'session' | 'public';
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  readonly bodySizeMax?: number;
  handle(ctx: AdminContext, asked: Asked): Promise<unknown> | unknown;
}

export interface Asked {
  /** The caller; never there for what is public. */
  readonly caller: Caller;
  readonly body: unknown;
  readonly query: unknown;
  /** Numbers in the path, by name. */
  readonly params: Readonly<Record<string, number>>;
  readonly address: string;
  readonly agent: string;
  /** SHA-256 of the session's token. */
  readonly tokenHash: Buffer | undefined;
}

type Typed<Body, Query> = Omit<Asked, 'body' | 'query'> & { readonly body: Body; readonly query: Query };

/** A row whose handler knows the types that its schemas give. */
export function route<Body = undefined, Query = undefined>(row: {
  readonly method: Route['method'];
  readonly path: string;
  readonly needs: Route['needs'];
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  readonly bodySizeMax?: number;
  handle(ctx: AdminContext, asked: Typed<Body, Query>): Promise<unknown> | unknown;
}): Route {
  return row as unknown as Route;
}

/** An answer that is not JSON: it writes the response itself. */
export class Written {
  readonly write: (response: ServerResponse) => void;
  constructor(write: (response: ServerResponse) => void) {
    this.write = write;
  }
}

/** An answer that also sets the session cookie, or with an empty token takes it away. */
export class WithCookie {
  readonly token: string;
  readonly body: unknown;
  constructor(token: string, body: unknown) {
    this.token = token;
    this.body = body;
  }
}
