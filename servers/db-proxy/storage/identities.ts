import type pg from 'pg';
import type { Actor, Audit } from './audit.js';
import { inTransaction, isUniqueViolation } from './database.js';
import { created, insert, type PersonChanged, type PersonFields, unchanged, updatePerson } from './people.js';
import { LEFT } from './users.js';

/** Somebody as a directory of the company describes him. */
export interface DirectoryPerson {
  /** `ldap`, or the issuer of OpenID Connect. */
  readonly source: string;
  /** What never changes of him there. */
  readonly subject: string;
  /** What he logs in with here. */
  readonly name: string;
  readonly nick: string | undefined;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  /** Its name. */
  readonly department: string | undefined;
}

export type Met =
  | { readonly ok: true; readonly userId: number; readonly changed: PersonChanged | undefined }
  | { readonly ok: false; readonly why: 'left' | 'unknown' | 'name-taken' };

export interface IdentitySettings {
  readonly directoryCreate: boolean;
  readonly directoryMatch: 'none' | 'name' | 'email';
}

/**
 * Who of the company's directory is whom here. Known by what never changes there; a name or an e-mail is looked at once, at
 * the first sign-in, and only where the settings say so. As long as the directory says that he belongs to the company he
 * gets in, by whatever he proves himself with; see Users.enter.
 */
export class Identities {
  readonly #meta: pg.Pool;
  readonly #audit: Audit;
  readonly #settings: IdentitySettings;

  constructor(meta: pg.Pool, audit: Audit, settings: IdentitySettings) {
    this.#meta = meta;
    this.#audit = audit;
    this.#settings = settings;
  }

  /** The directory has just vouched for him. `fields`: what it says of him, ready to be kept. */
  async meet(actor: Actor, person: DirectoryPerson, fields: Partial<PersonFields>): Promise<Met> {
    const run = () => inTransaction(this.#meta, (client) => this.#meet(client, actor, person, fields));
    return run().catch((error: unknown) => {
      if (isUniqueViolation(error)) return run(); // the same person twice at once; now he is known
      throw error;
    });
  }

  async #meet(
    client: pg.PoolClient,
    actor: Actor,
    person: DirectoryPerson,
    fields: Partial<PersonFields>,
  ): Promise<Met> {
    const { source, subject } = person;
    const { rows } = await client.query<{ user_id: number; status: number }>(
      `select i.user_id, u.status from meta.identity i join meta.users u on u.id = i.user_id
        where i.source = $1 and i.subject = $2 for update`,
      [source, subject],
    );
    const known = rows[0];
    if (known?.status === LEFT) return { ok: false, why: 'left' };
    const { name, ...others } = fields;
    if (known !== undefined) {
      await client.query(
        'update meta.identity set vouched = now(), asked = now(), gone = false where source = $1 and subject = $2',
        [source, subject],
      );
      // His name here stays as it is: others know him by it, and it may be somebody else's by now.
      return {
        ok: true,
        userId: known.user_id,
        changed: await updatePerson(client, this.#audit, actor, known.user_id, others),
      };
    }
    const { found, taken } = await this.#match(client, person, name ?? '');
    if (found?.status === LEFT) return { ok: false, why: 'left' };
    if (found !== undefined) {
      await this.#link(client, person, found.id);
      await this.#audit.record(client, actor, [
        { action: 'user.link', subject: `user:${found.id}`, after: { source, subject } },
      ]);
      return { ok: true, userId: found.id, changed: undefined };
    }
    if (taken) return { ok: false, why: 'name-taken' };
    if (!this.#settings.directoryCreate) return { ok: false, why: 'unknown' };
    const [made] = await insert(client, [{ fields }]);
    await this.#link(client, person, made!.userId);
    await this.#audit.record(client, actor, [created(made!)]);
    return { ok: true, userId: made!.userId, changed: unchanged(made!) };
  }

  /** Who is here already and is meant. Somebody of this directory is never taken for another one of it. */
  async #match(
    client: pg.PoolClient,
    { source, email, emailVerified }: DirectoryPerson,
    name: string,
  ): Promise<{ found: { id: number; status: number } | undefined; taken: boolean }> {
    const by = this.#settings.directoryMatch;
    const { rows } = await client.query<{ id: number; status: number; name: string; email: string }>(
      `select u.id, u.status, u.name, u.email from meta.users u
        where (u.name = $1 or ($2 <> '' and lower(u.email) = lower($2)))
          and not exists (select from meta.identity i where i.user_id = u.id and i.source = $3)
        order by u.id limit 3 for update`,
      [name, by === 'email' && emailVerified ? (email ?? '') : '', source],
    );
    const matching = rows.filter((row) =>
      by === 'name'
        ? row.name === name
        : by === 'email' && row.email !== '' && row.email.toLowerCase() === email?.toLowerCase(),
    );
    const [found] = matching.length === 1 ? matching : [];
    const { rowCount } = await client.query('select 1 from meta.users where name = $1', [name]);
    return { found, taken: rowCount === 1 };
  }

  async #link(client: pg.PoolClient, { source, subject }: DirectoryPerson, userId: number): Promise<void> {
    await client.query('insert into meta.identity (source, subject, user_id) values ($1, $2, $3)', [
      source,
      subject,
      userId,
    ]);
  }

  /**
   * Some whom the directory has not been asked about for so long, taken in turns with other db-proxies: what is taken
   * counts as asked. Those who have left here are nobody's concern.
   */
  async due(source: string, olderMs: number, max: number): Promise<string[]> {
    const { rows } = await this.#meta.query<{ subject: string }>(
      `update meta.identity i set asked = now() from (
         select d.source, d.subject from meta.identity d join meta.users u on u.id = d.user_id
          where d.source = $1 and d.asked < now() - $2 * interval '1 millisecond' and u.status <> ${LEFT}
          order by d.asked limit $3 for update of d skip locked) due
        where i.source = due.source and i.subject = due.subject returning i.subject`,
      [source, olderMs, max],
    );
    return rows.map((row) => row.subject);
  }

  /** What the directory said of them. @returns the users whom it knows no longer, and knew before */
  async answered(source: string, subjects: readonly string[], known: ReadonlySet<string>): Promise<number[]> {
    return inTransaction(this.#meta, async (client) => {
      const { rows } = await client.query<{ user_id: number; gone: boolean }>(
        `update meta.identity i set gone = not a.known, vouched = case when a.known then now() else i.vouched end
           from unnest($2::text[], $3::bool[]) as a (subject, known), meta.identity before
          where i.source = $1 and i.subject = a.subject and before.source = i.source and before.subject = i.subject
            and (a.known or not i.gone)
         returning i.user_id, i.gone, before.gone as was_gone`,
        [source, subjects, subjects.map((each) => known.has(each))],
      );
      const changed = (rows as { user_id: number; gone: boolean; was_gone: boolean }[]).filter(
        (row) => row.gone !== row.was_gone,
      );
      await this.#audit.record(
        client,
        { kind: 'directory', name: source, address: '' },
        changed.map((row) => ({
          action: row.gone ? 'user.directory-gone' : 'user.directory-back',
          subject: `user:${row.user_id}`,
        })),
      );
      return changed.filter((row) => row.gone).map((row) => row.user_id);
    });
  }
}
