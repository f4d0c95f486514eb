import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import type { Page } from 'playwright-core';
import { listening } from './http.js';
import type { Teardown } from './postgres.js';

/** What the provider says of somebody; by the name that is typed at its page. */
export type Accounts = Record<string, Readonly<Record<string, unknown>>>;

export const CLIENT = { oidcClientId: 'console', oidcClientSecret: 'a secret of the tests: long enough' } as const;

/**
 * A real OpenID Connect provider on loopback, with pages of its own, where any password is right. It insists on PKCE.
 * @param publicUrl of the console that it lets people go back to
 */
export async function testProvider(t: Teardown, publicUrl: string, accounts: Accounts): Promise<{ issuer: string }> {
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listening(t, server)}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.oidcClientId,
        client_secret: CLIENT.oidcClientSecret,
        redirect_uris: [`${publicUrl}/sign-in/callback`],
      },
    ],
    pkce: { required: () => true },
    cookies: { keys: ['of the tests only'] },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'department', 'groups'],
      email: ['email', 'email_verified'],
    },
    findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ ...accounts[id], sub: id }) }),
    features: { devInteractions: { enabled: true } },
  });
  server.on('request', provider.callback());
  return { issuer };
}

/** On the provider's pages: says who it is, and yes to what is asked. */
export async function passProvider(page: Page, account: string): Promise<void> {
  await page.fill('input[name=login]', account);
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.getByRole('button', { name: 'Continue' }).click();
}
