import pg from 'pg';
import type { TestCluster } from './cluster.js';

/** Everything in the database but who says every some seconds that it is there, as text that is equal when it is. */
export async function databaseText(cluster: TestCluster): Promise<string> {
  const client = new pg.Client(cluster.databaseUrl);
  await client.connect();
  const tables = await client.query<{ name: string }>(
    `select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables
      where table_schema in ('meta', 'shard') and table_type = 'BASE TABLE' and table_name <> 'key_holder' order by 1`,
  );
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    const { rows } = await client.query<{ text: string | null }>(
      `select string_agg(row::text, e'\\n' order by row::text) as text from ${name} as row`,
    );
    texts.push(`${name}\n${rows[0]!.text ?? ''}`);
  }
  await client.end();
  return texts.join('\n\n');
}
