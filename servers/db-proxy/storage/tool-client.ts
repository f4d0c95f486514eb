import type pg from 'pg';
import { newClient } from './database.js';

/** What may be asked things: a client, a pool, a client of a pool. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

/** A connection of a tool: what it asks may take hours, so nothing is given up for its duration. */
export async function connectTool(url: string, name: string): Promise<pg.Client> {
  const client = newClient(url, `teamtalk ${name}`, { statement_timeout: 0, query_timeout: 0 });
  client.on('error', () => undefined); // the statement that is under way fails, and says so
  await client.connect();
  // Whatever the database or the role has as its own.
  await client.query('set statement_timeout = 0; set idle_in_transaction_session_timeout = 0');
  return client;
}

/** Ends all of them, whatever state they are in. */
export async function disconnect(clients: Iterable<pg.Client>): Promise<void> {
  await Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
}
