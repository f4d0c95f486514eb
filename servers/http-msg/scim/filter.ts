import { ScimError } from './errors.js';

/** One comparison of a filter; all of them have to hold. */
export interface Condition {
  /** In lower case, as SCIM does not tell cases apart. */
  readonly attribute: string;
  readonly value: string | boolean;
}

const CONDITION = /^\s*([A-Za-z][\w.:]*)\s+eq\s+("(?:[^"\\]|\\.)*"|true|false)\s*/i;
const AND = /^and\s+/i;
const CONDITIONS_MAX = 10;

/** `userName eq "x" and active eq true`: the part of RFC 7644's filters that is understood. @throws ScimError */
export function parseFilter(filter: string | undefined): Condition[] {
  const conditions: Condition[] = [];
  let rest = filter ?? '';
  while (rest.trim() !== '') {
    if (conditions.length > 0) {
      if (!AND.test(rest)) throw unknown(rest);
      rest = rest.replace(AND, '');
    }
    const [whole, attribute, value] = CONDITION.exec(rest) ?? [];
    if (whole === undefined || conditions.length >= CONDITIONS_MAX) throw unknown(rest);
    conditions.push({ attribute: attribute!.toLowerCase(), value: readValue(value!) });
    rest = rest.slice(whole.length);
  }
  return conditions;
}

function readValue(text: string): string | boolean {
  if (!text.startsWith('"')) return text.toLowerCase() === 'true';
  try {
    return JSON.parse(text) as string;
  } catch {
    throw unknown(text);
  }
}

function unknown(rest: string): ScimError {
  return new ScimError(400, `filter: only eq and and are understood; not "${rest.slice(0, 60)}"`, 'invalidFilter');
}
