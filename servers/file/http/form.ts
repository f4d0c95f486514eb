import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { ImError } from '../../../common/errors.js';
import type { BlobStore } from '../blobs/store.js';
import type { AllowedTypes } from './describe.js';
import { freshStorePath, safeFileName } from './names.js';

const NAME_LENGTH_MAX = 255;

/**
 * An upload as TeamTalk clients make it: one form with one file, at once. When anything goes wrong on the way, nothing
 * of it stays.
 * @returns the path it has in the store
 */
export async function storeForm(
  request: FastifyRequest,
  blobs: BlobStore,
  types: AllowedTypes,
  sizeMax: number,
): Promise<string> {
  if (!request.isMultipart()) throw new ImError('BAD_REQUEST', 'expected a form with a file (multipart/form-data)');
  const { 'content-length': length } = request.headers;
  // The form around the file is some hundred bytes: what is longer is refused before it is read.
  if (length !== undefined && Number(length) > sizeMax + FORM_SIZE_MAX) throw tooLarge(sizeMax);
  const part = await request.file({ limits: { fileSize: sizeMax + 1, files: 1, fields: 16, parts: 17 } });
  if (part === undefined) throw new ImError('BAD_REQUEST', 'no file in the form');
  const fileName = part.filename ?? '';
  if ([...fileName].length > NAME_LENGTH_MAX || fileName.includes('\0'))
    throw new ImError('BAD_REQUEST', `the name of the file has a NUL or more than ${NAME_LENGTH_MAX} characters`);
  const id = await blobs.begin({ sizeMax });
  try {
    await blobs.append(id, 0, whole(part, sizeMax));
    const path = freshStorePath(fileName);
    await blobs.finish(id, async (head) => ({
      kind: 'store',
      name: path,
      fileName: safeFileName(fileName),
      mediaType: await types.of(head),
    }));
    return path;
  } catch (error) {
    await blobs.abort(id).catch(() => undefined); // by the next sweep then
    throw error;
  }
}

const FORM_SIZE_MAX = 64 * 1024;

async function* whole(part: MultipartFile, sizeMax: number): AsyncIterable<Uint8Array> {
  for await (const piece of part.file) {
    if (part.file.bytesRead > sizeMax) throw tooLarge(sizeMax);
    yield piece as Buffer;
  }
  if (part.file.truncated) throw tooLarge(sizeMax);
}

function tooLarge(sizeMax: number): ImError {
  return new ImError('FILE_TOO_LARGE', `a file may have ${sizeMax} bytes at most`);
}
