import { z } from 'zod';
import { APP_PASSWORD_NAME_LENGTH_MAX, DEVICE_ID_LENGTH_MAX } from '../../../common/limits.js';
import { person } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { CodeMade, MyPage } from '../api.js';
import type { AdminContext } from '../context.js';
import { csrfOf } from '../http.js';
import { ProblemError } from '../problem.js';
import { type Asked, route, WithCookie } from '../route.js';

const REDIRECT_LENGTH_MAX = 512;
const STATE_LENGTH_MAX = 128;

/** What people do on their own page, each to himself: whose it is is known from the session, in db-proxy. */
export const meRoutes = [
  route({
    method: 'GET',
    path: '/api/me',
    needs: 'person',
    handle: (ctx, asked) => page(ctx, asked),
  }),
  route({
    method: 'POST',
    path: '/api/me/code',
    needs: 'person',
    body: z.strictObject({
      challenge: z.string().regex(/^[\w-]{43}$/),
      redirect: z.string().max(REDIRECT_LENGTH_MAX).optional(),
      state: z.string().max(STATE_LENGTH_MAX).optional(),
    }),
    async handle(ctx, asked): Promise<CodeMade> {
      const { challenge, redirect, state } = asked.body;
      if (redirect !== undefined && !ctx.mayRedirect(redirect))
        throw new ProblemError('BAD_REQUEST', { field: 'redirect', detail: 'that is no address of a client' });
      const { code } = await ask(ctx, asked, { challenge: Buffer.from(challenge, 'base64url') });
      if (redirect === undefined) return { code: code! };
      const location = new URL(redirect);
      location.searchParams.set('code', code!);
      if (state !== undefined) location.searchParams.set('state', state);
      return { code: code!, location: location.href };
    },
  }),
  route({
    method: 'POST',
    path: '/api/me/app-passwords',
    needs: 'person',
    body: z.strictObject({ name: z.string().trim().min(1).max(APP_PASSWORD_NAME_LENGTH_MAX) }),
    handle: (ctx, asked) => page(ctx, asked, { newAppPassword: asked.body.name }),
  }),
  route({
    method: 'POST',
    path: '/api/me/app-passwords/remove',
    needs: 'person',
    body: z.strictObject({ id: z.number().int().min(1).max(0x7fffffff) }),
    handle: (ctx, asked) => page(ctx, asked, { removeAppPassword: asked.body.id }),
  }),
  route({
    method: 'POST',
    path: '/api/me/devices/remove',
    needs: 'person',
    body: z.strictObject({ deviceId: z.string().min(1).max(DEVICE_ID_LENGTH_MAX) }),
    handle: (ctx, asked) => page(ctx, asked, { removeDevice: asked.body.deviceId }),
  }),
  route({
    method: 'POST',
    path: '/api/me/sign-out',
    needs: 'person',
    async handle(ctx, { tokenHash, address }) {
      await ctx.dbProxies.ask(person.page, { tokenHash: tokenHash!, address, signOut: true });
      return new WithCookie('', {}, 'person');
    },
  }),
];

type Change = Omit<IM.Person.IMPersonPageReq.$Properties, 'tokenHash' | 'address'>;
type Who = Pick<Asked, 'tokenHash' | 'address'>;

/** @throws ProblemError NO_SESSION */
async function ask(ctx: AdminContext, { tokenHash, address }: Who, change: Change): Promise<IM.Person.IMPersonPageRsp> {
  const answer = await ctx.dbProxies.ask(person.page, { tokenHash: tokenHash!, address, ...change });
  if (answer.name === undefined) throw new ProblemError('NO_SESSION');
  return answer;
}

async function page(ctx: AdminContext, asked: Who, change: Change = {}): Promise<MyPage> {
  const { name, nick, source, deviceList, appPasswordList, appPassword } = await ask(ctx, asked, change);
  return {
    name: name!,
    nick: nick!,
    source: source!,
    csrf: csrfOf(asked.tokenHash!),
    devices: deviceList,
    appPasswords: appPasswordList,
    ...(appPassword === undefined ? {} : { appPassword }),
  };
}
