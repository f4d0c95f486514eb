import type { LinkGroup } from '../../../common/net/link-group.js';
import { blob } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { FileKey } from './chunks.js';

/** A file at rest. Ids and digests are hex. */
export interface Blob {
  readonly id: string;
  /** Of the plain content. */
  readonly sha256: string;
  readonly size: number;
  readonly key: FileKey;
}

/** A name under which a blob is known. */
export interface FileEntry {
  /** Whose names these are: store, transfer, picture. */
  readonly kind: string;
  readonly name: string;
  readonly userId?: number | undefined;
  readonly fileName: string;
  readonly mediaType: string;
  readonly expiresMs?: number | undefined;
  readonly createdMs?: number | undefined;
  /** The id of the blob that this is a picture of. */
  readonly madeOf?: string | undefined;
}

export interface UploadRecord {
  readonly key: FileKey;
  readonly sizeMax: number;
  readonly userId: number | undefined;
  readonly detail: Buffer | undefined;
  readonly createdMs: number;
}

export interface Quotas {
  readonly userBytesMax?: number | undefined;
  readonly totalBytesMax?: number | undefined;
}

export interface NewUpload {
  readonly id: string;
  readonly sizeMax: number;
  readonly userId?: number | undefined;
  readonly detail?: Buffer | undefined;
}

/** What the db-proxies know about files: which there are, by which names, and their keys. Throws what they answer. */
export class Register {
  readonly #dbProxies: LinkGroup;
  readonly #holder: string;
  readonly #quotas: () => Quotas;

  /** @param holder the name of this server, unique in the cluster: uploads are its for as long as it says so */
  constructor(dbProxies: LinkGroup, holder: string, quotas: () => Quotas) {
    this.#dbProxies = dbProxies;
    this.#holder = holder;
    this.#quotas = quotas;
  }

  async begin({ id, ...upload }: NewUpload): Promise<void> {
    await this.#dbProxies.ask(blob.begin, {
      ...upload,
      ...this.#quotas(),
      uploadId: Buffer.from(id, 'hex'),
      holder: this.#holder,
    });
  }

  /** @throws ImError NO_SUCH_UPLOAD, UPLOAD_IN_USE */
  async claim(id: string): Promise<UploadRecord> {
    const uploadId = Buffer.from(id, 'hex');
    const { fileKey, detail, ...record } = await this.#dbProxies.ask(blob.claim, { uploadId, holder: this.#holder });
    return {
      userId: record.userId,
      sizeMax: record.sizeMax,
      createdMs: record.createdMs,
      key: { id: uploadId, key: Buffer.from(fileKey) },
      detail: detail && Buffer.from(detail),
    };
  }

  async finish(id: string, sha256: string, size: number, file: FileEntry): Promise<Blob> {
    const answer = await this.#dbProxies.ask(blob.finish, {
      uploadId: Buffer.from(id, 'hex'),
      holder: this.#holder,
      sha256: Buffer.from(sha256, 'hex'),
      size,
      file: entryOf(file),
    });
    return blobOf(answer.blob);
  }

  async dropUpload(id: string): Promise<boolean> {
    return (await this.#dbProxies.ask(blob.drop, { uploadId: Buffer.from(id, 'hex') })).found;
  }

  async dropFile(kind: string, name: string): Promise<boolean> {
    return (await this.#dbProxies.ask(blob.drop, { kind, name })).found;
  }

  async byName(kind: string, name: string): Promise<{ readonly blob: Blob; readonly file: FileEntry } | undefined> {
    const { blob: found, file } = await this.#dbProxies.ask(blob.find, { kind, name });
    if (found === undefined || file === undefined) return undefined;
    return { blob: blobOf(found), file: { ...file, madeOf: undefined } };
  }

  async byContent(sha256: string): Promise<Blob | undefined> {
    const { blob: found } = await this.#dbProxies.ask(blob.find, { sha256: Buffer.from(sha256, 'hex') });
    return found && blobOf(found);
  }

  /** @throws ImError NO_SUCH_FILE when the blob is gone meanwhile, QUOTA_EXCEEDED */
  async refer(to: Blob, file: FileEntry): Promise<void> {
    const { userBytesMax } = this.#quotas();
    await this.#dbProxies.ask(blob.refer, { blobId: to.key.id, file: entryOf(file), userBytesMax });
  }

  /** These objects are gone. */
  async removed(ids: readonly string[]): Promise<void> {
    await this.#sweep({ removed: ids.map((id) => Buffer.from(id, 'hex')), limit: 0, collect: false });
  }

  /** Those of these objects that are nobody's. */
  async unknownOf(ids: readonly string[]): Promise<string[]> {
    const seen = ids.map((id) => Buffer.from(id, 'hex'));
    const { unknown } = await this.#sweep({ seen, limit: 0, collect: false });
    return unknown.map((id) => Buffer.from(id).toString('hex'));
  }

  /** Objects that are to be removed. */
  async collect(sweep: { uploadAgeMs: number; graceMs: number; limit: number }): Promise<string[]> {
    const { remove } = await this.#sweep({ ...sweep, collect: true });
    return remove.map((id) => Buffer.from(id).toString('hex'));
  }

  #sweep(asked: Partial<IM.Blob.IMBlobSweepReq.$Properties> & { limit: number; collect: boolean }) {
    return this.#dbProxies.ask(blob.sweep, { uploadAgeMs: 0, graceMs: 0, ...asked });
  }
}

function blobOf({ id, sha256, size, fileKey }: IM.Blob.BlobInfo): Blob {
  const idBytes = Buffer.from(id);
  return {
    id: idBytes.toString('hex'),
    sha256: Buffer.from(sha256).toString('hex'),
    size,
    key: { id: idBytes, key: Buffer.from(fileKey) },
  };
}

function entryOf({ madeOf, ...file }: FileEntry): IM.Blob.FileEntry.$Properties {
  return { ...file, madeOf: madeOf === undefined ? undefined : Buffer.from(madeOf, 'hex') };
}
