import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { AndFilter, Client, EqualityFilter, type Filter, FilterParser, OrFilter, ResultCodeError } from 'ldapts';
import { Circuit } from '../../common/circuit.js';
import { ImError } from '../../common/errors.js';
import type { Logger } from '../../common/log.js';
import { SettingsError } from '../../common/settings.js';
import { Turns } from '../../common/turns.js';
import { checkLdap, type LdapSettings, urlsOf } from './ldap-settings.js';
import type { DirectoryPerson } from './storage/identities.js';

export const LDAP = 'ldap';

/** Waiting for their turn at most; more are refused at once. */
const WAITING_MAX = 200;

/** Busy, unavailable: it could not decide. */
const OUT_OF_ORDER: ReadonlySet<number> = new Set([51, 52]);

/** Somebody of the directory, and what proves him. */
export interface LdapPerson extends DirectoryPerson {
  readonly dn: string;
}

/** It answered, and not what we asked for: our account, the base or the filter is wrong. Another server says the same. */
class LdapRefusal extends Error {}

/**
 * The company's directory over LDAP. Each question has a connection of its own and one deadline for all of it; there are
 * few at a time, and while no server answers, questions fail at once. What people type goes into filters as a value and
 * never as text, and an empty password is never sent: many servers take that for a visitor who wants to be nobody, and say yes.
 */
export class Ldap {
  readonly #settings: LdapSettings;
  readonly #log: Logger;
  readonly #filter: Filter;
  readonly #tls: ConnectionOptions;
  readonly #circuit = new Circuit();
  readonly #turns: Turns;
  #asking = 0;

  private constructor(settings: LdapSettings, log: Logger) {
    checkLdap(settings);
    this.#settings = settings;
    this.#log = log;
    this.#filter = FilterParser.parseString(settings.ldapFilter);
    this.#tls = settings.ldapCaFile === '' ? {} : { ca: certificatesIn(settings.ldapCaFile) };
    this.#turns = new Turns(settings.ldapAsksMax);
  }

  /** Undefined: there is none. @throws SettingsError */
  static of(settings: LdapSettings, log: Logger): Ldap | undefined {
    return settings.ldapUrls === '' ? undefined : new Ldap(settings, log);
  }

  /**
   * Whom the name means. Undefined: nobody, or more than one.
   * @throws ImError DIRECTORY_UNAVAILABLE, BUSY
   */
  find(name: string): Promise<LdapPerson | undefined> {
    const named = new EqualityFilter({ attribute: this.#settings.ldapNameAttribute, value: name });
    return this.#asService(async (client) => {
      const [person, another] = await this.#search(client, named, 2);
      return another === undefined ? person : undefined;
    });
  }

  /**
   * Whether it is his password. For nobody a try is made as well: the time does not tell who is in the directory.
   * @throws ImError DIRECTORY_UNAVAILABLE, BUSY
   */
  async proves(person: LdapPerson | undefined, password: string): Promise<boolean> {
    if (password === '') return false;
    const { ldapNameAttribute, ldapBase } = this.#settings;
    const dn = person?.dn ?? `${ldapNameAttribute}=${randomBytes(8).toString('hex')},${ldapBase}`;
    const bound = await this.#ask(async (client) => {
      try {
        await client.bind(dn, password);
        return true;
      } catch (error) {
        // Wrong, locked, expired: a no of the directory to this one, whatever its number.
        if (error instanceof ResultCodeError && !OUT_OF_ORDER.has(error.code)) return false;
        throw error;
      }
    });
    return bound && person !== undefined;
  }

  /**
   * Those of the ids whom the directory still knows. Of one that knows nobody at all that is not believed: our filter is
   * wrong, or our account may not read any more, and everybody would be put out for it.
   * @throws ImError DIRECTORY_UNAVAILABLE
   */
  known(subjects: readonly string[]): Promise<Set<string>> {
    const ids = subjects.map((subject) => new EqualityFilter({ attribute: this.#id, value: this.#valueOf(subject) }));
    return this.#asService(async (client) => {
      const found = await this.#search(client, new OrFilter({ filters: ids }), subjects.length);
      if (found.length === 0 && (await this.#search(client, this.#filter, 1)).length === 0)
        throw new LdapRefusal('nobody under ldapBase matches ldapFilter, or may be read: nobody is put out for that');
      return new Set(found.map((each) => each.subject));
    });
  }

  get #id(): string {
    return this.#settings.ldapIdAttribute;
  }

  async #search(client: Client, which: Filter, max: number): Promise<LdapPerson[]> {
    const { ldapNameAttribute, ldapNickAttribute, ldapEmailAttribute, ldapDepartmentAttribute, ldapBase } =
      this.#settings;
    const texts = [ldapNameAttribute, ldapNickAttribute, ldapEmailAttribute, ldapDepartmentAttribute];
    const { searchEntries } = await client.search(ldapBase, {
      scope: 'sub',
      filter: new AndFilter({ filters: [this.#filter, which] }),
      attributes: [this.#id, ...texts.filter((each) => each !== '')],
      explicitBufferAttributes: [this.#id],
      sizeLimit: max,
    });
    const lowered = searchEntries.map((entry) => ({ dn: entry.dn, values: byLowerName(entry) }));
    return lowered.map(({ dn, values }) => {
      const text = (attribute: string) => textOf(values.get(attribute.toLowerCase()));
      return {
        dn,
        source: LDAP,
        subject: this.#subjectOf(values.get(this.#id.toLowerCase()), dn),
        name: text(ldapNameAttribute) ?? '',
        nick: text(ldapNickAttribute),
        email: text(ldapEmailAttribute),
        emailVerified: true, // the directory is the company's own word
        department: text(ldapDepartmentAttribute),
      };
    });
  }

  /** Of Active Directory's 16 bytes their hex digits; what is text, stays. */
  #subjectOf(value: unknown, dn: string): string {
    const [first] = Array.isArray(value) ? (value as unknown[]) : [value];
    const bytes = typeof first === 'string' ? Buffer.from(first) : (first as Buffer | undefined);
    if (bytes === undefined || bytes.length === 0)
      throw new LdapRefusal(`${dn} has no ${this.#id} (ldapIdAttribute) that may be read`);
    return this.#isBinary ? bytes.toString('hex') : bytes.toString();
  }

  #valueOf(subject: string): Buffer | string {
    return this.#isBinary ? Buffer.from(subject, 'hex') : subject;
  }

  get #isBinary(): boolean {
    return this.#id.toLowerCase() === 'objectguid';
  }

  #asService<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { ldapBindDn, ldapBindPassword } = this.#settings;
    return this.#ask(async (client) => {
      if (ldapBindDn !== '') await client.bind(ldapBindDn, ldapBindPassword);
      return work(client);
    });
  }

  /** @throws ImError BUSY, DIRECTORY_UNAVAILABLE */
  async #ask<T>(work: (client: Client) => Promise<T>): Promise<T> {
    if (this.#asking >= WAITING_MAX) throw new ImError('BUSY', 'too many questions wait for the LDAP servers');
    this.#asking++;
    const deadlineMs = performance.now() + this.#settings.ldapTimeoutMs;
    try {
      const isOutage = (error: unknown) => !(error instanceof LdapRefusal);
      return await this.#turns.take(() => this.#circuit.run(() => this.#askAny(work, deadlineMs), isOutage));
    } catch (error) {
      const { message } = error as Error;
      this.#log.warn({ error: message }, 'LDAP does not answer');
      throw new ImError('DIRECTORY_UNAVAILABLE', `LDAP: ${message}`, { cause: error });
    } finally {
      this.#asking--;
    }
  }

  async #askAny<T>(work: (client: Client) => Promise<T>, deadlineMs: number): Promise<T> {
    const urls = urlsOf(this.#settings.ldapUrls);
    for (const [i, url] of urls.entries()) {
      try {
        // What is left is shared, so that a server that hangs leaves time for the next one.
        return await this.#askOne(url, work, (deadlineMs - performance.now()) / (urls.length - i));
      } catch (error) {
        if (i === urls.length - 1 || error instanceof LdapRefusal) throw error;
        this.#log.warn({ url, error: (error as Error).message }, 'an LDAP server does not answer');
      }
    }
    throw new Error('no LDAP server');
  }

  async #askOne<T>(url: string, work: (client: Client) => Promise<T>, ms: number): Promise<T> {
    if (ms <= 0) throw new Error('no time left');
    const { ldapStartTls } = this.#settings;
    const secure = url.startsWith('ldaps:');
    const timeouts = { timeout: Math.ceil(ms), connectTimeout: Math.ceil(ms) };
    const client = new Client({ url, ...timeouts, strictDN: false, ...(secure ? { tlsOptions: this.#tls } : {}) });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${Math.ceil(ms)} ms`)), ms);
    });
    const all = async () => {
      // Whose certificate it has to be is not known by the library here.
      if (ldapStartTls && !secure) await client.startTLS({ ...this.#tls, host: hostOf(url) });
      return work(client);
    };
    const answer = all();
    answer.catch(() => undefined); // after the deadline nobody listens
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
      void client.unbind().catch(() => undefined);
    }
  }
}

function byLowerName(entry: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(entry).map(([name, value]) => [name.toLowerCase(), value]));
}

function textOf(value: unknown): string | undefined {
  const [first] = Array.isArray(value) ? (value as unknown[]) : [value];
  return first === undefined || first === null || first === '' ? undefined : String(first);
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

function certificatesIn(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`wrong settings for LDAP:\n  ldapCaFile: ${(error as Error).message}`);
  }
}
