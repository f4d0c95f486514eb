import { create as contentDisposition } from 'content-disposition';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Blob, FileEntry } from '../blobs/register.js';
import type { Range } from '../blobs/sealed-reader.js';
import type { BlobStore } from '../blobs/store.js';

/** What a browser may show in a page of ours. Whatever can carry a script (html, svg, xml, pdf) is only ever saved. */
const SHOWN = /^(image\/(png|jpeg|gif|webp|bmp|avif)|audio\/[\w.+-]+|video\/(mp4|webm|ogg))$/;
const SCRIPTABLE = /html|svg|xml|javascript|^text\//;

/** Answers GET and HEAD with a file: ranges, conditions, and headers that keep a browser from running it. */
export function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  blobs: BlobStore,
  { blob, file }: { readonly blob: Blob; readonly file: FileEntry },
): FastifyReply {
  const etag = `"${blob.sha256.slice(0, 32)}"`;
  reply.headers({
    'accept-ranges': 'bytes',
    // The name stands for this content for ever, and is a secret between those who have it.
    'cache-control': 'private, max-age=31536000, immutable',
    etag,
    'content-type': SCRIPTABLE.test(file.mediaType) ? 'application/octet-stream' : file.mediaType,
    'content-disposition': contentDisposition(file.fileName, {
      type: SHOWN.test(file.mediaType) ? 'inline' : 'attachment',
    }),
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
  });
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
  const range = rangeOf(request, etag, blob.size);
  if (range === 'unsatisfiable')
    return reply.code(416).header('content-range', `bytes */${blob.size}`).header('content-length', 0).send();
  const { start, end } = range ?? { start: 0, end: blob.size };
  if (range !== undefined) reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${blob.size}`);
  reply.header('content-length', end - start);
  if (request.method === 'HEAD') return reply.send();
  return reply.send(blobs.open(blob, { start, end }));
}

function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag);
}

/** One range; several of them, or something else than bytes, are answered with all of it, as RFC 9110 allows. */
function rangeOf({ headers }: FastifyRequest, etag: string, size: number): Range | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1);
  return start < end ? { start, end } : 'unsatisfiable';
}
