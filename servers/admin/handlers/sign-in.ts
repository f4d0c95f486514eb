import { z } from 'zod';
import { DIRECTORY_PASSWORD_LENGTH_MAX, USER_NAME_LENGTH_MAX } from '../../../common/limits.js';
import { person } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import type { ProblemCode, SignInWays } from '../api.js';
import type { AdminContext } from '../context.js';
import type { Claims } from '../oidc.js';
import { NotSignedIn, ProblemError, problemOf } from '../problem.js';
import { Redirect, route, WithCookie } from '../route.js';

const { EnterResult } = IM.Person;

const PROBLEMS: Readonly<Record<Exclude<IM.Person.EnterResult, 0>, ProblemCode>> = {
  [EnterResult.ENTER_RESULT_WRONG]: 'WRONG_PASSWORD',
  [EnterResult.ENTER_RESULT_LOCKED]: 'LOCKED',
  [EnterResult.ENTER_RESULT_LEFT]: 'DISABLED',
  [EnterResult.ENTER_RESULT_UNKNOWN]: 'UNKNOWN_HERE',
  [EnterResult.ENTER_RESULT_NAME_TAKEN]: 'NAME_TAKEN',
  [EnterResult.ENTER_RESULT_NO_NAME]: 'NO_NAME',
};

/** How people come in with the company's account. */
export const signInRoutes = [
  route({
    method: 'GET',
    path: '/api/sign-in',
    needs: 'public',
    async handle(ctx): Promise<SignInWays> {
      const { ldap } = await ctx.dbProxies.ask(person.ways, {});
      return { oidc: ctx.oidc !== undefined, ldap };
    },
  }),
  route({
    method: 'GET',
    path: '/sign-in/start',
    needs: 'public',
    async handle(ctx) {
      if (ctx.oidc === undefined) throw new ProblemError('NOT_FOUND');
      return orBack(async () => {
        const { url, journey } = await ctx.oidc!.begin();
        return new Redirect(url, { journey: await ctx.journeys.seal(journey) });
      });
    },
  }),
  route({
    method: 'GET',
    path: '/sign-in/callback',
    needs: 'public',
    // Each once: what is said twice is said to confuse.
    query: z.record(z.string(), z.string()),
    async handle(ctx, { query, journey: sealed, address }) {
      if (ctx.oidc === undefined) throw new ProblemError('NOT_FOUND');
      return orBack(async () => {
        const journey = await ctx.journeys.open(sealed);
        if (journey === undefined) throw new ProblemError('NOT_SIGNED_IN');
        const claims = await ctx.oidc!.finish(`?${new URLSearchParams(query)}`, journey).catch((error: unknown) => {
          if (!(error instanceof NotSignedIn)) throw error;
          ctx.log.warn({ error: error.message, address }, 'a sign-in was refused');
          throw new ProblemError('NOT_SIGNED_IN');
        });
        const token = await enter(ctx, { claims: claimsOf(ctx, claims), address });
        return new Redirect('/sign-in', { journey: '', person: token });
      });
    },
  }),
  route({
    method: 'POST',
    path: '/api/sign-in/ldap',
    needs: 'public',
    body: z.strictObject({
      name: z.string().trim().min(1).max(USER_NAME_LENGTH_MAX),
      password: z.string().min(1).max(DIRECTORY_PASSWORD_LENGTH_MAX),
    }),
    async handle(ctx, { body, address }) {
      return new WithCookie(await enter(ctx, { ...body, address }), {}, 'person');
    },
  }),
];

/** @returns the token of the session. @throws ProblemError */
async function enter(
  ctx: AdminContext,
  asked: Omit<IM.Person.IMPersonEnterReq.$Properties, 'lifetimeMs'>,
): Promise<string> {
  const { result, token } = await ctx.dbProxies.ask(person.enter, { ...asked, lifetimeMs: ctx.personSessionMs });
  if (result !== EnterResult.ENTER_RESULT_OK) throw new ProblemError(PROBLEMS[result]);
  return Buffer.from(token!).toString('base64url');
}

/** A browser that was sent here by somebody else sees a page and no JSON. */
async function orBack(work: () => Promise<Redirect>): Promise<Redirect> {
  return work().catch((error: unknown) => {
    const { status, problem } = problemOf(error);
    if (status === 500) throw error;
    return new Redirect(`/sign-in?problem=${problem.code}`, { journey: '' });
  });
}

function claimsOf({ oidc, claimNames }: AdminContext, claims: Claims): IM.Person.Claims.$Properties {
  const text = (name: string) => {
    const value = name === '' ? undefined : claims[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    source: oidc!.issuer,
    subject: claims.sub,
    name: text(claimNames.name) ?? '',
    nick: text(claimNames.nick),
    email: text(claimNames.email),
    // Of another claim than the standard one nobody says whether it is verified.
    emailVerified: claimNames.email === 'email' && claims.email_verified === true,
    department: text(claimNames.department),
  };
}
