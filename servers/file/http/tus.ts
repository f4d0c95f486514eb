import type { Readable } from 'node:stream';
import { DataStore, Server, Upload } from '@tus/server';
import type { FastifyInstance } from 'fastify';
import { ImError } from '../../../common/errors.js';
import type { FileTokens } from '../../../common/file-token.js';
import { type BlobStore, freshId } from '../blobs/store.js';
import type { FileContext } from '../context.js';
import type { AllowedTypes } from './describe.js';
import { countQuota, httpError } from './errors.js';
import { safeFileName } from './names.js';

/**
 * Resumable uploads by tus 1.0, under /uploads, for clients that their msg server has given a token. What is finished is
 * found under f/<upload>, so a client that has lost the last answer knows where to look; Content-Location says it too.
 *
 * Uploads are called <user>-<id>: whose it is can be told before anything is looked up.
 */
const PATH = '/uploads';
const NAME = /^(\d{1,10})-([0-9a-f]{32})$/;
const METADATA_SIZE_MAX = 4_096;

export function addTus(app: FastifyInstance, ctx: FileContext, tokens: FileTokens, types: AllowedTypes): void {
  const { blobs, limits, rates } = ctx;
  const userOf = (authorization: string | null): number => {
    const userId = tokens.uploader(authorization?.replace(/^Bearer /, '') ?? '', Date.now());
    if (userId === undefined) throw new ImError('NOT_ALLOWED', 'a token is needed to upload, and this is none');
    return userId;
  };
  const tus = new Server({
    path: PATH,
    datastore: new TusStore(blobs),
    maxSize: () => limits.size('file.upload'),
    relativeLocation: true,
    namingFunction: (request) => `${userOf(request.headers.get('authorization'))}-${freshId()}`,
    async onIncomingRequest(request, id) {
      if (request.method === 'OPTIONS') return;
      const userId = userOf(request.headers.get('authorization'));
      if (request.method === 'POST') rates.count('uploads.count', `user ${userId}`);
      if (!id.startsWith(`${userId}-`)) throw new ImError('NO_SUCH_UPLOAD', 'of somebody else');
    },
    async onUploadFinish(_request, { id, metadata }) {
      const { userId, upload } = partsOf(id);
      const path = `f/${upload}`;
      await blobs.finish(upload, async (head) => ({
        kind: 'store',
        name: path,
        userId,
        fileName: safeFileName(metadata?.filename ?? ''),
        mediaType: await types.of(head),
      }));
      return { headers: { 'Content-Location': `/${path}` } };
    },
    onResponseError(_request, error) {
      // What tus itself says is what its clients know.
      if ('status_code' in error && error.status_code !== undefined) {
        if (error.status_code === 413) limits.hit('file.upload');
        return undefined;
      }
      const { status, code, message } = httpError(error);
      if (code === 'QUOTA_EXCEEDED') countQuota(ctx, error as ImError);
      return { status_code: status, body: `${message}\n` };
    },
  });
  // Bodies are read by tus.
  app.addContentTypeParser('application/offset+octet-stream', (_request, _payload, done) => done(null));
  app.all(PATH, (request, reply) => {
    reply.hijack();
    return tus.handle(request.raw, reply.raw);
  });
  app.all(`${PATH}/*`, (request, reply) => {
    reply.hijack();
    return tus.handle(request.raw, reply.raw);
  });
}

function partsOf(name: string): { readonly userId: number; readonly upload: string } {
  const [, userId, upload] = NAME.exec(name) ?? [];
  if (upload === undefined) throw new ImError('NO_SUCH_UPLOAD', 'no name of an upload');
  return { userId: Number(userId), upload };
}

class TusStore extends DataStore {
  readonly #blobs: BlobStore;

  constructor(blobs: BlobStore) {
    super();
    this.#blobs = blobs;
    this.extensions = ['creation', 'creation-with-upload', 'termination'];
  }

  override async create(upload: Upload): Promise<Upload> {
    const { userId, upload: id } = partsOf(upload.id);
    const detail = Buffer.from(JSON.stringify(upload.metadata ?? {}));
    if (detail.length > METADATA_SIZE_MAX)
      throw new ImError('BAD_REQUEST', `Upload-Metadata may have ${METADATA_SIZE_MAX} bytes at most`);
    await this.#blobs.begin({ id, sizeMax: upload.size!, userId, detail });
    return upload;
  }

  override async getUpload(name: string): Promise<Upload> {
    const { userId, upload: id } = partsOf(name);
    try {
      const state = await this.#blobs.state(id);
      if (state.userId !== userId) throw new ImError('NO_SUCH_UPLOAD', 'of somebody else');
      const metadata = JSON.parse(state.detail?.toString() ?? '{}') as Record<string, string | null>;
      const creation_date = new Date(state.createdMs).toISOString();
      return new Upload({ id: name, size: state.sizeMax, offset: state.offset, metadata, creation_date });
    } catch (error) {
      const finished =
        error instanceof ImError && error.code === 'NO_SUCH_UPLOAD' ? await this.#finished(id) : undefined;
      if (finished?.file.userId !== userId) throw error;
      const { size } = finished.blob;
      return new Upload({ id: name, size, offset: size, metadata: {} });
    }
  }

  override write(source: Readable, name: string, offset: number): Promise<number> {
    // Not closed by us when we fail: tus would take that for the client's doing and say so, in place of the reason.
    const pieces: AsyncIterable<Uint8Array> = source.iterator({ destroyOnReturn: false });
    return this.#blobs.append(partsOf(name).upload, offset, pieces);
  }

  override async remove(name: string): Promise<void> {
    await this.#blobs.abort(partsOf(name).upload);
  }

  #finished(id: string) {
    return this.#blobs.find('store', `f/${id}`);
  }
}
