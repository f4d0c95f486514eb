import { type DataKeys, UnopenableError } from './data-keys.js';
import type { Queryable } from './tool-client.js';

interface KeyRow {
  readonly id: Buffer;
  readonly key_id: number;
  readonly file_key: Buffer;
}

const ROWS = 500;

/**
 * Brings the keys of all files of a bucket under its current data key; the files themselves stay as they are. Those that
 * cannot be opened are left.
 */
export async function resealFileKeys(meta: Queryable, keys: DataKeys, bucket: number): Promise<void> {
  for (const table of ['meta.blob', 'meta.upload'] as const) {
    for (let after: Buffer = Buffer.from([bucket]); ; ) {
      const { rows } = await meta.query<KeyRow>(
        `select id, key_id, file_key from ${table}
          where id > $1 and ($2::bytea is null or id < $2) order by id limit ${ROWS}`,
        [after, bucket === 255 ? null : Buffer.from([bucket + 1])],
      );
      if (rows.length === 0) break;
      await keys.know(rows);
      const old = rows.filter((row) => row.key_id !== keys.currentId(bucket));
      const fresh = old.flatMap((row) => {
        const sealed = resealed(keys, row);
        return sealed === undefined ? [] : [{ id: row.id, was: row.key_id, ...sealed }];
      });
      await meta.query(
        `update ${table} b set key_id = n.key_id, file_key = n.file_key
           from unnest($1::bytea[], $2::int[], $3::int[], $4::bytea[]) as n (id, was, key_id, file_key)
          where b.id = n.id and b.key_id = n.was`,
        [
          fresh.map((each) => each.id),
          fresh.map((each) => each.was),
          fresh.map((each) => each.keyId),
          fresh.map((each) => each.sealed),
        ],
      );
      after = rows.at(-1)!.id;
    }
  }
}

function resealed(keys: DataKeys, { id, key_id, file_key }: KeyRow) {
  try {
    return keys.sealFileKey(id, keys.openFileKey(key_id, id, file_key));
  } catch (error) {
    if (error instanceof UnopenableError) return undefined;
    throw error;
  }
}
