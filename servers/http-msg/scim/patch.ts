import { z } from 'zod';
import { ScimError } from './errors.js';

export const patchRequest = z.object({
  schemas: z.array(z.string()),
  Operations: z
    .array(
      z.object({
        op: z.string().transform((it, ctx) => {
          const op = it.toLowerCase(); // some directories write Replace
          if (op === 'add' || op === 'replace' || op === 'remove') return op;
          ctx.addIssue({ code: 'custom', message: 'op: add, replace or remove' });
          return z.NEVER;
        }),
        path: z.string().max(200).optional(),
        value: z.unknown().optional(),
      }),
    )
    .min(1)
    .max(1000),
});

/** What one operation does to one attribute. */
export interface Change {
  readonly op: 'add' | 'replace' | 'remove';
  /** In lower case, without its schema's name and without what stands in brackets. */
  readonly path: string;
  /** Of `members[value eq "2"]`: 2. */
  readonly selected: string | undefined;
  readonly value: unknown;
}

/** Operations without a path name their attributes in the value; those are taken apart. @throws ScimError */
export function changesOf(body: unknown): Change[] {
  const parsed = patchRequest.safeParse(body);
  if (!parsed.success) throw new ScimError(400, z.prettifyError(parsed.error), 'invalidSyntax');
  return parsed.data.Operations.flatMap(({ op, path, value }): Change[] => {
    if (path !== undefined) return [{ op, ...pathOf(path), value }];
    if (op === 'remove') throw new ScimError(400, 'remove: needs a path', 'invalidPath');
    if (typeof value !== 'object' || value === null)
      throw new ScimError(400, 'value: an object is needed', 'invalidValue');
    return Object.entries(value).map(([name, each]) => ({ op, ...pathOf(name), value: each }));
  });
}

function pathOf(path: string): Pick<Change, 'path' | 'selected'> {
  const local = path.replace(/^urn:ietf:params:scim:schemas:core:2\.0:(User|Group):/i, '');
  const [, name, , selected, sub] = /^([A-Za-z][\w.]*)(\[(?:value|type) eq "([^"]*)"\])?(\.\w+)?$/i.exec(local) ?? [];
  if (name === undefined) throw new ScimError(400, `path: ${path.slice(0, 60)} is not understood`, 'invalidPath');
  return { path: `${name}${sub ?? ''}`.toLowerCase(), selected };
}
