import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ImError } from '../../../common/errors.js';
import type { FileTokens } from '../../../common/file-token.js';
import type { Range } from '../blobs/sealed-reader.js';
import type { FileContext } from '../context.js';
import type { AllowedTypes } from './describe.js';
import { safeFileName } from './names.js';

/**
 * Uploading what is here already, without its bytes. Who knows a digest does not get the content for that: he has to
 * show that he has all of it.
 *
 *   POST /instant        {sha256, size}                       → {challenge, nonce, ranges}
 *   POST /instant/proof  {challenge, proof, file_name}        → {path}, or 404: then it has to be uploaded
 *
 * proof is hex of HMAC-SHA256(nonce, the bytes of these ranges one after the other). Whether there is such a file the
 * first answer does not tell, and the second one only to who has it.
 */
const RANGES = 16;
const RANGE_SIZE = 4_096;
const PROVE_MS_MAX = 120_000;

const asked = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
});
const proven = z.object({
  challenge: z.string().max(500),
  proof: z.string().regex(/^[0-9a-f]{64}$/),
  file_name: z.string().max(4_000).default(''),
});
type Challenge = z.infer<typeof asked> & { readonly userId: number; readonly nonce: string; readonly untilMs: number };

export function addInstant(
  app: FastifyInstance,
  { blobs, rates }: FileContext,
  tokens: FileTokens,
  types: AllowedTypes,
): void {
  const userOf = ({ headers }: FastifyRequest): number => {
    const userId = tokens.uploader(headers.authorization?.replace(/^Bearer /, '') ?? '', Date.now());
    if (userId === undefined) throw new ImError('NOT_ALLOWED', 'a token is needed to upload, and this is none');
    return userId;
  };
  app.post('/instant', async (request) => {
    const userId = userOf(request);
    rates.count('uploads.count', `user ${userId}`);
    const { sha256, size } = parsed(asked, request.body);
    const challenge = {
      userId,
      sha256,
      size,
      nonce: randomBytes(32).toString('hex'),
      untilMs: Date.now() + PROVE_MS_MAX,
    };
    return { challenge: signed(tokens, challenge), nonce: challenge.nonce, ranges: rangesOf(tokens, challenge) };
  });
  app.post('/instant/proof', async (request, reply) => {
    const userId = userOf(request);
    const { challenge: words, proof, file_name: fileName } = parsed(proven, request.body);
    const challenge = opened(tokens, words);
    if (challenge === undefined || challenge.userId !== userId || challenge.untilMs < Date.now())
      throw new ImError('BAD_REQUEST', 'this challenge is too old, or not one of ours');
    const blob = await blobs.withContent(challenge.sha256);
    if (blob === undefined || blob.size !== challenge.size) throw new ImError('NO_SUCH_FILE', 'no such content');
    const right = createHmac('sha256', Buffer.from(challenge.nonce, 'hex'));
    for (const range of rangesOf(tokens, challenge))
      for await (const piece of blobs.open(blob, range)) right.update(piece as Buffer);
    if (!timingSafeEqual(right.digest(), Buffer.from(proof, 'hex'))) throw new ImError('NO_SUCH_FILE', 'not proven');
    const name = `f/${randomBytes(16).toString('hex')}`;
    const mediaType = await types.of(await blobs.head(blob));
    await blobs.refer(blob, { kind: 'store', name, userId, fileName: safeFileName(fileName), mediaType });
    return reply.code(201).send({ path: name });
  });
}

/** All of a small file; of a larger one places that nobody knows beforehand. */
function rangesOf(tokens: FileTokens, { size, nonce }: Challenge): Range[] {
  if (size <= RANGES * RANGE_SIZE) return [{ start: 0, end: size }];
  return Array.from({ length: RANGES }, (_, i) => {
    const random = Buffer.from(tokens.sign(`range ${nonce} ${i}`), 'base64url');
    const start = Number(random.readBigUInt64BE() % BigInt(size - RANGE_SIZE));
    return { start, end: start + RANGE_SIZE };
  });
}

function signed(tokens: FileTokens, challenge: Challenge): string {
  const words = Buffer.from(JSON.stringify(challenge)).toString('base64url');
  return `${words}.${tokens.sign(`challenge ${words}`)}`;
}

function opened(tokens: FileTokens, text: string): Challenge | undefined {
  const [words = '', mac = ''] = text.split('.');
  if (!tokens.isSigned(`challenge ${words}`, mac)) return undefined;
  return JSON.parse(Buffer.from(words, 'base64url').toString()) as Challenge;
}

function parsed<T>(shape: z.ZodType<T>, body: unknown): T {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  throw new ImError(
    'BAD_REQUEST',
    result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
  );
}
