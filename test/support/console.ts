import type { Role } from '../../common/roles.js';
import type { AdminInfo, Problem, SessionInfo } from '../../servers/admin/api.js';
import { NEW_OWNER } from '../../servers/db-proxy/storage/admins.js';
import type { Storage, TestCluster } from './cluster.js';

export const ADMIN_PASSWORD = 'long enough for a test';

/** An account of the console, ready for use. */
export async function addAdmin(storage: Storage, name: string, role: Role, password = ADMIN_PASSWORD): Promise<number> {
  const made = await storage.admins.change({ tool: 'test' }, { ...NEW_OWNER, name, role });
  if (made.result !== 'ok') throw new Error(made.result);
  const { id } = made.admin;
  const address = '127.0.0.9';
  const changed = { adminId: id, sessionId: '', oldPassword: made.password!, newPassword: password, address };
  await storage.adminLogins.changePassword(changed);
  return id;
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T & Problem;
  readonly headers: Headers;
}

/** A browser as the server sees it: one cookie, and the token that pages send back. */
export class Browser {
  readonly url: string;
  cookie = '';
  csrf = '';

  constructor(url: string) {
    this.url = url;
  }

  static async loggedIn(cluster: TestCluster, name: string, password = ADMIN_PASSWORD): Promise<Browser> {
    const browser = new Browser(cluster.consoleUrl);
    const { status, body } = await browser.logIn(name, password);
    if (status !== 200) throw new Error(`log-in: ${status} ${body.code}`);
    return browser;
  }

  async logIn(name: string, password: string, code = ''): Promise<Answer<object>> {
    const answer = await this.ask<object>('POST', '/api/login', { name, password, code });
    if (answer.status === 200) {
      this.cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!;
      this.csrf = (await this.ask<SessionInfo>('GET', '/api/session')).body.csrf;
    }
    return answer;
  }

  async ask<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.cookie === '' ? {} : { cookie: this.cookie }),
        ...(this.csrf === '' ? {} : { 'x-csrf-token': this.csrf }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return {
      status: response.status,
      body: (isJson ? JSON.parse(text) : text) as T & Problem,
      headers: response.headers,
    };
  }

  async me(): Promise<AdminInfo> {
    return (await this.ask<SessionInfo>('GET', '/api/session')).body.admin;
  }
}
