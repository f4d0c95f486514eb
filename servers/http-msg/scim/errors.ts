import type { FastifyReply } from 'fastify';
import { problemOf } from '../api/problem.js';

export type ScimType = 'invalidFilter' | 'invalidPath' | 'invalidValue' | 'invalidSyntax' | 'uniqueness' | 'mutability';

/** What goes wrong, as RFC 7644 section 3.12 has it. */
export class ScimError extends Error {
  override readonly name = 'ScimError';
  readonly status: number;
  readonly scimType: ScimType | undefined;

  constructor(status: number, detail: string, scimType?: ScimType) {
    super(detail);
    this.status = status;
    this.scimType = scimType;
  }
}

export function sendScimError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, message: detail, scimType } = error instanceof ScimError ? error : asScim(error);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .type('application/scim+json')
    .send({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: String(status), detail, scimType });
}

function asScim(error: unknown): ScimError {
  const problem = problemOf(error);
  return new ScimError(problem.status, problem.message, problem.code === 'NAME_TAKEN' ? 'uniqueness' : undefined);
}
