import { ImError } from '../../../common/errors.js';
import { FILE_NAME_LENGTH_MAX, SWEEP_OBJECTS_MAX } from '../../../common/limits.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { DbProxyContext } from '../context.js';
import type { Blob, File, NewFile } from '../storage/blobs.js';

const ID_SIZE = 16;
const SHA256_SIZE = 32;
const KIND = /^[a-z]{1,16}$/;
const KEY_LENGTH_MAX = 256;
const MEDIA_TYPE_LENGTH_MAX = 127;

export async function begin(
  ctx: DbProxyContext,
  asked: IM.Blob.IMUploadBeginReq,
): Promise<IM.Blob.IMUploadBeginRsp.$Properties> {
  const { sizeMax, holder, userId, userBytesMax, totalBytesMax } = asked;
  const detail = asked.detail && Buffer.from(asked.detail);
  const id = sized(asked.uploadId, ID_SIZE, 'upload_id');
  const fileKey = await ctx.blobs.begin({ id, sizeMax, holder, userId, detail, userBytesMax, totalBytesMax });
  return { fileKey };
}

export async function claim(
  ctx: DbProxyContext,
  asked: IM.Blob.IMUploadClaimReq,
): Promise<IM.Blob.IMUploadClaimRsp.$Properties> {
  return ctx.blobs.claim(sized(asked.uploadId, ID_SIZE, 'upload_id'), asked.holder);
}

export async function finish(
  ctx: DbProxyContext,
  asked: IM.Blob.IMUploadFinishReq,
): Promise<IM.Blob.IMUploadFinishRsp.$Properties> {
  const id = sized(asked.uploadId, ID_SIZE, 'upload_id');
  const sha256 = sized(asked.sha256, SHA256_SIZE, 'sha256');
  return { blob: blobInfo(await ctx.blobs.finish(id, asked.holder, sha256, asked.size, newFile(asked.file))) };
}

export async function drop(
  ctx: DbProxyContext,
  { uploadId, kind, name }: IM.Blob.IMBlobDropReq,
): Promise<IM.Blob.IMBlobDropRsp.$Properties> {
  if (uploadId !== undefined) return { found: await ctx.blobs.dropUpload(sized(uploadId, ID_SIZE, 'upload_id')) };
  if (kind === undefined || name === undefined) throw new ImError('BAD_REQUEST', 'neither upload_id nor kind and name');
  return { found: await ctx.blobs.dropFile(kind, name) };
}

export async function find(
  ctx: DbProxyContext,
  { kind, name, sha256 }: IM.Blob.IMBlobFindReq,
): Promise<IM.Blob.IMBlobFindRsp.$Properties> {
  if (sha256 !== undefined) {
    const blob = await ctx.blobs.byContent(sized(sha256, SHA256_SIZE, 'sha256'));
    return { blob: blob && blobInfo(blob) };
  }
  if (kind === undefined || name === undefined) throw new ImError('BAD_REQUEST', 'neither sha256 nor kind and name');
  if (name.length > KEY_LENGTH_MAX || name.includes('\0')) return {};
  const found = await ctx.blobs.byName(kind, name);
  return found === undefined ? {} : { blob: blobInfo(found.blob), file: fileEntry(found.file) };
}

export async function refer(
  ctx: DbProxyContext,
  { blobId, file, userBytesMax }: IM.Blob.IMBlobReferReq,
): Promise<IM.Blob.IMBlobReferRsp.$Properties> {
  const blob = await ctx.blobs.refer(sized(blobId, ID_SIZE, 'blob_id'), newFile(file), { userBytesMax });
  return { blob: blobInfo(blob) };
}

export async function sweep(
  ctx: DbProxyContext,
  asked: IM.Blob.IMBlobSweepReq,
): Promise<IM.Blob.IMBlobSweepRsp.$Properties> {
  const { removed, seen, uploadAgeMs, graceMs, limit } = asked;
  if (removed.length > SWEEP_OBJECTS_MAX || seen.length > SWEEP_OBJECTS_MAX || limit > SWEEP_OBJECTS_MAX)
    throw new ImError('BAD_REQUEST', `more than ${SWEEP_OBJECTS_MAX} objects at once`);
  await ctx.blobs.forget(removed.map((id) => sized(id, ID_SIZE, 'removed')));
  return {
    unknown: await ctx.blobs.unknownOf(seen.map((id) => sized(id, ID_SIZE, 'seen'))),
    remove: asked.collect ? await ctx.blobs.collect({ uploadAgeMs, graceMs, limit }) : [],
  };
}

function newFile(entry: IM.Blob.FileEntry): NewFile {
  const { kind, name, userId, fileName, mediaType, expiresMs, madeOf } = entry;
  if (!KIND.test(kind)) throw new ImError('BAD_REQUEST', `kind ${JSON.stringify(kind)}`);
  requireText('name', name, KEY_LENGTH_MAX);
  requireText('file_name', fileName, FILE_NAME_LENGTH_MAX);
  requireText('media_type', mediaType, MEDIA_TYPE_LENGTH_MAX);
  return { kind, name, userId, fileName, mediaType, expiresMs, madeOf: madeOf && sized(madeOf, ID_SIZE, 'made_of') };
}

function blobInfo(blob: Blob): IM.Blob.BlobInfo.$Properties {
  return { id: blob.id, sha256: blob.sha256, size: blob.size, fileKey: blob.fileKey };
}

function fileEntry(file: File): IM.Blob.FileEntry.$Properties {
  return { ...file };
}

/** A copy, as the frame's bytes do not outlive it. */
function sized(bytes: Uint8Array, size: number, field: string): Buffer {
  if (bytes.length !== size) throw new ImError('BAD_REQUEST', `${field} has ${bytes.length} bytes, not ${size}`);
  return Buffer.from(bytes);
}

/** Counted as PostgreSQL counts: in characters, not in halves of them. */
function requireText(field: string, text: string, lengthMax: number): void {
  if (text.includes('\0') || [...text].length > lengthMax)
    throw new ImError('BAD_REQUEST', `${field} has a NUL or more than ${lengthMax} characters`);
}
