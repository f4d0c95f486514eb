import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { AdminContext, Caller } from './context.js';
import type { Permission } from './permissions.js';

/**
 * One row of the console's HTTP table: what is asked, who may, what it looks like, who answers.
 *
 *   needs  a permission, or `session` for everybody who is in (also while the password has to be changed), or `public`;
 *          `person`: who is signed in on his own page, and no account of the console
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly needs: Permission | 'session' | 'person' | 'public';
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  readonly bodySizeMax?: number;
  handle(ctx: AdminContext, asked: Asked): Promise<unknown> | unknown;
}

export interface Asked {
  /** The caller; never there for what is public or a person's. */
  readonly caller: Caller;
  readonly body: unknown;
  readonly query: unknown;
  /** Numbers in the path, by name. */
  readonly params: Readonly<Record<string, number>>;
  readonly address: string;
  readonly agent: string;
  /** SHA-256 of the session's token. */
  readonly tokenHash: Buffer | undefined;
  /** What the browser has brought back from the provider, sealed. */
  readonly journey: string | undefined;
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

export type SessionKind = 'console' | 'person';

/** An answer that also sets the session cookie, or with an empty token takes it away. */
export class WithCookie {
  readonly token: string;
  readonly body: unknown;
  readonly kind: SessionKind;
  constructor(token: string, body: unknown, kind: SessionKind = 'console') {
    this.token = token;
    this.body = body;
    this.kind = kind;
  }
}

/** To another page, with cookies on the way; an empty one is taken away. */
export class Redirect {
  readonly url: string;
  readonly cookies: { readonly journey?: string; readonly person?: string };
  constructor(url: string, cookies: Redirect['cookies']) {
    this.url = url;
    this.cookies = cookies;
  }
}
