import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ErrorCode, ImError } from '../../../common/errors.js';
import type { Logger } from '../../../common/log.js';

/** What goes wrong, as RFC 9457 has it, with a code for programs and what was wrong where. */
export const problemSchema = z
  .object({
    type: z.literal('about:blank'),
    title: z.string().describe('the status in words'),
    status: z.number().int(),
    code: z.string().describe('what went wrong, for programs'),
    detail: z.string().describe('what went wrong, for people'),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .describe('each field that is wrong'),
  })
  .meta({ id: 'Problem' });

export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[] | undefined;

  constructor(status: number, code: string, detail: string, errors?: Problem['errors']) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  BAD_REQUEST: 400,
  NOT_ALLOWED: 403,
  NOT_A_MEMBER: 403,
  NO_SUCH_USER: 404,
  NO_SUCH_GROUP: 404,
  NO_SUCH_DEPARTMENT: 404,
  SEND_ID_REUSED: 409,
  NAME_TAKEN: 409,
  CONFLICT: 409,
  NOT_EMPTY: 409,
  TOO_FAST: 429,
  BUSY: 503,
  NO_LINK: 503,
  STORE_UNAVAILABLE: 503,
  TIMEOUT: 504,
  INTERNAL: 500,
};
const RETRY_AFTER_S = 1;

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // A fault of ours says nothing about itself to others.
  if (error instanceof ImError && error.code !== 'INTERNAL')
    return new Problem(STATUS[error.code] ?? 500, error.code, error.detail);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validationContext ?? 'request';
    const errors = error.validation.map((each) => ({
      field: `${where}${each.instancePath.replace(/\//g, '.')}`,
      message: each.message ?? 'is wrong',
    }));
    return new Problem(400, 'BAD_REQUEST', errors.map((each) => `${each.field}: ${each.message}`).join('; '), errors);
  }
  const { statusCode, code, message } = error as FastifyError;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem(statusCode, statusCode === 413 ? 'TOO_LARGE' : (code ?? 'BAD_REQUEST'), message);
  return new Problem(500, 'INTERNAL', 'a fault of ours; the log of this server has it');
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, code, message: detail, errors } = problem;
  if (status === 503) reply.header('retry-after', RETRY_AFTER_S);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  const title = STATUS_CODES[status] ?? 'Error';
  const body = { type: 'about:blank', title, status, code, detail, ...(errors && { errors }) };
  // As text: the schema of the good answer is not its own.
  return reply.code(status).type('application/problem+json').serializer(JSON.stringify).send(body);
}

export function answerErrors(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      log.error({ error, method: request.method, path: request.routeOptions.url }, 'request failed');
    void sendProblem(reply, problem);
  };
}
