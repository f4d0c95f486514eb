import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { ImError } from '../../../common/errors.js';
import { IMPORT_FILE_ROWS_MAX, IMPORT_FILE_SIZE_MAX, IMPORT_ROWS_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { HttpMsgContext } from '../context.js';
import type { Api } from './app.js';
import { Problem } from './problem.js';
import { actorOf, problems } from './schemas.js';
import { passwordMd5, STATUS } from './users.js';

/** Columns of people, all but the name optional. A department is a path such as Company/Sales, or an id. */
const userRow = z.strictObject({
  name: z.string(),
  nick: z.string().optional(),
  domain: z.string().optional(),
  sex: z.enum(['unknown', 'male', 'female']).optional(),
  phone: z.string().optional(),
  email: z.string().optional(),
  avatar: z.string().optional(),
  department: z.string().optional(),
  status: z.enum(STATUS).optional(),
  password: z.string().max(128).optional(),
});
const departmentRow = z.strictObject({
  path: z.string().min(1).describe('as in Company/Sales; what is missing above it is made too'),
  priority: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
});

const report = z
  .object({
    dryRun: z.boolean(),
    created: z.number(),
    updated: z.number(),
    unchanged: z.number(),
    refused: z.number(),
    rows: z
      .array(
        z.object({
          row: z.number().describe('from 1, the heading of a CSV not counted'),
          outcome: z.enum(['created', 'updated', 'unchanged', 'refused']),
          id: z.number().optional(),
          code: z.string().optional(),
          detail: z.string().optional(),
        }),
      )
      .describe('one for each row, in their order'),
  })
  .meta({ id: 'ImportReport' });
type Outcome = z.infer<typeof report>['rows'][number];

const yes = z
  .enum(['true', 'false'])
  .default('false')
  .transform((it) => it === 'true');
const description =
  'As `application/json` {"rows": […]} or as `text/csv` in UTF-8 with a heading. Rows that cannot be are refused one by ' +
  'one, with the reason; the others are made. With `dryRun` nothing is.';
const tags = ['Import'];

export const imports = (ctx: HttpMsgContext) => async (app: Api) => {
  app.addContentTypeParser(
    'text/csv',
    { parseAs: 'buffer', bodyLimit: IMPORT_FILE_SIZE_MAX },
    (_request, body, done) => {
      try {
        done(null, { rows: rowsOfCsv(body as Buffer) });
      } catch (error) {
        done(error as Error);
      }
    },
  );
  const body = z.strictObject({ rows: z.array(z.record(z.string(), z.unknown())).max(IMPORT_FILE_ROWS_MAX) });

  app.post(
    '/imports/users',
    {
      bodyLimit: IMPORT_FILE_SIZE_MAX,
      config: { scope: 'users:write' },
      schema: {
        tags,
        operationId: 'importUsers',
        summary: 'Many people at once',
        description: `${description} Columns: ${Object.keys(userRow.shape).join(', ')}.`,
        querystring: z.strictObject({ dryRun: yes, update: yes.describe('change those who are there') }),
        body,
        response: { 200: report, ...problems },
      },
    },
    async (request) => {
      const { dryRun, update } = request.query;
      const { departmentList } = await ctx.dbProxies.ask(directory.departmentTree, {});
      const known = departmentsByPath(departmentList);
      const rows = request.body.rows.map((row, i) => personRow(row, i + 1, known));
      const good = rows.flatMap((each) => ('fields' in each ? [each] : []));
      const outcomes: Outcome[] = rows.flatMap((each) => ('fields' in each ? [] : [each]));
      for (let from = 0; from < good.length; from += IMPORT_ROWS_MAX) {
        const part = good.slice(from, from + IMPORT_ROWS_MAX);
        const rowList = part.map((each) => each.fields);
        const asked = { actor: actorOf(request), dryRun, update, rowList };
        const { outcomeList } = await ctx.dbProxies.ask(directory.importPeople, asked);
        for (const [i, made] of outcomeList.entries()) outcomes.push(outcomeOf(part[i]!.row, made));
      }
      return summed(dryRun, outcomes);
    },
  );

  app.post(
    '/imports/departments',
    {
      bodyLimit: IMPORT_FILE_SIZE_MAX,
      config: { scope: 'departments:write' },
      schema: {
        tags,
        operationId: 'importDepartments',
        summary: 'Many departments at once',
        description: `${description} Columns: path, priority.`,
        querystring: z.strictObject({ dryRun: yes }),
        body,
        response: { 200: report, ...problems },
      },
    },
    async (request) => {
      const { dryRun } = request.query;
      const { departmentList } = await ctx.dbProxies.ask(directory.departmentTree, {});
      const known = departmentsByPath(departmentList);
      const make = async (path: string, priority: number | undefined): Promise<number> => {
        const parts = path.split('/');
        const name = parts.pop()!;
        const above = parts.join('/');
        const parentId = above === '' ? 0 : (known.get(above) ?? (await make(above, undefined)));
        // In a dry run ids that nothing has stand for those that will be.
        const id = dryRun
          ? -known.size
          : (await ctx.dbProxies.ask(directory.changeDepartment, { actor: actorOf(request), name, parentId, priority }))
              .department.departmentId;
        known.set(path, id);
        return id;
      };
      const outcomes: Outcome[] = [];
      for (const [i, raw] of request.body.rows.entries()) {
        const row = i + 1;
        const parsed = departmentRow.safeParse(raw);
        if (!parsed.success) {
          outcomes.push(refused(row, parsed.error));
          continue;
        }
        const path = parsed.data.path
          .split('/')
          .map((part) => part.trim())
          .join('/');
        if (path.split('/').some((part) => part === '' || part.length > 64)) {
          outcomes.push({
            row,
            outcome: 'refused',
            code: 'BAD_REQUEST',
            detail: 'path: each part has 1 to 64 characters',
          });
          continue;
        }
        const there = known.get(path);
        if (there !== undefined) outcomes.push({ row, outcome: 'unchanged', ...(there > 0 ? { id: there } : {}) });
        else {
          const priority = parsed.data.priority === undefined ? undefined : Number(parsed.data.priority);
          outcomes.push(
            await make(path, priority).then(
              (id): Outcome => ({ row, outcome: 'created', ...(id > 0 ? { id } : {}) }),
              (error: unknown): Outcome => {
                if (!(error instanceof ImError) || error.retry) throw error;
                return { row, outcome: 'refused', code: error.code, detail: error.detail };
              },
            ),
          );
        }
      }
      return summed(dryRun, outcomes);
    },
  );
};

/** @throws Problem that says which line is wrong */
function rowsOfCsv(bytes: Buffer): Record<string, string>[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem(400, 'BAD_REQUEST', 'the CSV is not UTF-8');
  }
  try {
    const rows = parse(text, { columns: true, skip_empty_lines: true, trim: true, bom: true }) as Record<
      string,
      string
    >[];
    // An empty cell says nothing; it does not say "make it empty".
    return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== '')));
  } catch (error) {
    throw new Problem(400, 'BAD_REQUEST', `the CSV: ${(error as Error).message}`);
  }
}

function personRow(
  raw: Record<string, unknown>,
  row: number,
  known: ReadonlyMap<string, number>,
): Outcome | { row: number; fields: IM.Directory.PersonFields.$Properties } {
  const parsed = userRow.safeParse(raw);
  if (!parsed.success) return refused(row, parsed.error);
  const { department, sex, status, password, ...same } = parsed.data;
  const departmentId = department === undefined ? undefined : (known.get(department) ?? idIn(department));
  if (department !== undefined && departmentId === undefined)
    return { row, outcome: 'refused', code: 'NO_SUCH_DEPARTMENT', detail: `department: there is no ${department}` };
  return {
    row,
    fields: {
      ...same,
      departmentId,
      sex: sex && ['unknown', 'male', 'female'].indexOf(sex),
      status: status && STATUS.indexOf(status),
      passwordMd5: password === undefined ? undefined : passwordMd5(password),
    },
  };
}

function idIn(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function departmentsByPath(list: readonly IM.Directory.DepartmentNode[]): Map<string, number> {
  const byId = new Map(list.map((each) => [each.departmentId, each]));
  const pathOf = ({ name, parentId }: IM.Directory.DepartmentNode): string => {
    const parent = byId.get(parentId);
    return parent === undefined ? name : `${pathOf(parent)}/${name}`;
  };
  return new Map(list.map((each) => [pathOf(each), each.departmentId]));
}

function refused(row: number, error: z.ZodError): Outcome {
  const detail = error.issues.map((issue) => `${issue.path.join('.') || 'row'}: ${issue.message}`).join('; ');
  return { row, outcome: 'refused', code: 'BAD_REQUEST', detail };
}

function outcomeOf(row: number, made: IM.Directory.ImportOutcome): Outcome {
  const { outcome, userId: id, code, detail } = made;
  return {
    row,
    outcome: outcome as Outcome['outcome'],
    ...(id == null ? {} : { id }),
    ...(code == null ? {} : { code }),
    ...(detail == null ? {} : { detail }),
  };
}

function summed(dryRun: boolean, outcomes: Outcome[]): z.infer<typeof report> {
  const count = (which: Outcome['outcome']) => outcomes.filter(({ outcome }) => outcome === which).length;
  return {
    dryRun,
    created: count('created'),
    updated: count('updated'),
    unchanged: count('unchanged'),
    refused: count('refused'),
    rows: outcomes.sort((a, b) => a.row - b.row),
  };
}
