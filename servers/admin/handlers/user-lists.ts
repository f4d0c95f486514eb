import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ImError } from '../../../common/errors.js';
import { ADMIN_PAGE_MAX, IMPORT_ROWS_MAX } from '../../../common/limits.js';
import { directory } from '../../../common/pdu/commands.js';
import type { IM } from '../../../common/pdu/pb.js';
import type { Department, ImportReport } from '../api.js';
import type { AdminContext, Caller } from '../context.js';
import { CSV_SIZE_MAX, csvLine, readCsv, type Table } from '../csv.js';
import { route, Written } from '../route.js';
import { md5Hex } from './users.js';

const COLUMNS = [
  'name',
  'nick',
  'domain',
  'sex',
  'phone',
  'email',
  'avatar',
  'department',
  'status',
  'signature',
  'password',
];
const EXPORTED = ['id', ...COLUMNS.slice(0, -1)];
const REFUSALS_SHOWN_MAX = 1_000;
const BUSY_TRIES = 20;
const BUSY_MS = 250;

type Row = IM.Directory.PersonFields.$Properties;
type Refusal = ImportReport['refusals'][number];

/** Many people at once, as CSV. */
export const userListRoutes = [
  route({
    method: 'POST',
    path: '/api/users/import',
    needs: 'users.import',
    bodySizeMax: CSV_SIZE_MAX,
    query: z.strictObject({ dryRun: z.enum(['0', '1']), update: z.enum(['0', '1']) }),
    body: z.instanceof(Buffer),
    async handle(ctx, { body, query, caller }): Promise<ImportReport> {
      const table = readCsv(body, COLUMNS);
      if (!table.columns.includes('name')) throw new ImError('BAD_REQUEST', 'a column "name" is needed');
      return importTable(ctx, caller, table, { dryRun: query.dryRun === '1', update: query.update === '1' });
    },
  }),
  route({
    method: 'GET',
    path: '/api/users/export',
    needs: 'users.export',
    async handle(ctx, { caller }) {
      await ctx.dbProxies.ask(directory.noteAudit, { actor: caller.actor, action: 'user.export', subject: 'user:' });
      const paths = pathsOf(await departmentsOf(ctx));
      return new Written((response) => {
        response.writeHead(200, {
          'Content-Type': 'text/csv; charset=utf-8',
          'Content-Disposition': 'attachment; filename="users.csv"',
        });
        writePeople(ctx, response, paths).catch((error: unknown) => {
          ctx.log.error({ error }, 'an export broke off');
          response.destroy(); // half a list is not taken for a whole one
        });
      });
    },
  }),
];

async function importTable(
  ctx: AdminContext,
  caller: Caller,
  table: Table,
  how: { readonly dryRun: boolean; readonly update: boolean },
): Promise<ImportReport> {
  const byPath = new Map([...pathsOf(await departmentsOf(ctx))].map(([id, path]) => [path.toLowerCase(), id]));
  const counts = { created: 0, updated: 0, unchanged: 0, refused: 0 };
  const refusals: Refusal[] = [];
  const refuse = (row: number, name: string, code: string, detail: string) => {
    counts.refused++;
    if (refusals.length < REFUSALS_SHOWN_MAX) refusals.push({ row, name, code, detail });
  };
  const seen = new Map<string, number>();
  const good: { row: number; fields: Row }[] = [];
  for (const [i, cells] of table.rows.entries()) {
    const [row, name] = [i + 1, cells.name ?? ''];
    const first = seen.get(name);
    if (first !== undefined) refuse(row, name, 'NAME_TAKEN', `the same name as in row ${first}`);
    else {
      if (name !== '') seen.set(name, row);
      const fields = fieldsOf(cells, byPath);
      if (typeof fields === 'string') refuse(row, name, 'BAD_REQUEST', fields);
      else good.push({ row, fields });
    }
  }
  for (let from = 0; from < good.length; from += IMPORT_ROWS_MAX) {
    const part = good.slice(from, from + IMPORT_ROWS_MAX);
    const rowList = part.map((each) => each.fields);
    const outcomes = await importPart(ctx, { actor: caller.actor, ...how, rowList });
    for (const [i, outcome] of outcomes.entries()) {
      const { row, fields } = part[i]!;
      if (outcome.outcome === 'refused') refuse(row, fields.name ?? '', outcome.code ?? '', outcome.detail ?? '');
      else counts[outcome.outcome as 'created' | 'updated' | 'unchanged']++;
    }
  }
  refusals.sort((a, b) => a.row - b.row);
  return { encoding: table.encoding, rows: table.rows.length, ...counts, refusals };
}

/** A list is long and the store may be busy for a moment: asked again, the same rows are not made twice. */
async function importPart(
  ctx: AdminContext,
  asked: IM.Directory.IMImportPeopleReq.$Properties,
): Promise<readonly IM.Directory.ImportOutcome[]> {
  for (let left = BUSY_TRIES; ; left--) {
    try {
      return (await ctx.dbProxies.ask(directory.importPeople, asked)).outcomeList;
    } catch (error) {
      if (!(error instanceof ImError) || error.code !== 'BUSY' || left === 0) throw error;
      await delay(BUSY_MS);
    }
  }
}

const SEX: Readonly<Record<string, number>> = {
  '': 0,
  '0': 0,
  '1': 1,
  '2': 2,
  unknown: 0,
  male: 1,
  female: 2,
  未知: 0,
  男: 1,
  女: 2,
};

/** Empty cells leave a field as it is. In words: what is wrong with the row. */
function fieldsOf(cells: Readonly<Record<string, string>>, byPath: ReadonlyMap<string, number>): Row | string {
  const fields: Record<string, string | number> = {};
  for (const column of ['name', 'nick', 'domain', 'phone', 'email', 'avatar'] as const)
    if ((cells[column] ?? '') !== '') fields[column] = cells[column]!;
  if (fields.name === undefined) return 'name: must not be empty';
  if ((cells.signature ?? '') !== '') fields.signInfo = cells.signature!;
  if ((cells.sex ?? '') !== '') {
    const sex = SEX[cells.sex!.toLowerCase()];
    if (sex === undefined) return `sex: ${cells.sex!.slice(0, 32)} is none of 0, 1, 2, male, female`;
    fields.sex = sex;
  }
  if ((cells.status ?? '') !== '') {
    if (!/^[0-4]$/.test(cells.status!)) return 'status: is from 0 to 4';
    fields.status = Number(cells.status);
  }
  if ((cells.department ?? '') !== '') {
    const path = cells
      .department!.split('/')
      .map((part) => part.trim())
      .join('/')
      .toLowerCase();
    const id = byPath.get(path);
    if (id === undefined) return `department: there is no ${cells.department!.slice(0, 128)}`;
    fields.departmentId = id;
  }
  if ((cells.password ?? '') !== '') fields.passwordMd5 = md5Hex(cells.password!);
  fields.nick ??= fields.name;
  return fields;
}

async function writePeople(
  ctx: AdminContext,
  response: NodeJS.WritableStream & { destroyed?: boolean },
  paths: ReadonlyMap<number, string>,
): Promise<void> {
  response.write(`\ufeff${csvLine(EXPORTED)}`); // with the mark spreadsheets know it for UTF-8
  let after: string | undefined;
  do {
    const page = await ctx.dbProxies.ask(directory.people, { limit: ADMIN_PAGE_MAX, after });
    const lines = page.personList.map((it) =>
      csvLine([
        it.userId,
        it.name,
        it.nick,
        it.domain,
        it.sex,
        it.phone,
        it.email,
        it.avatar,
        paths.get(it.departmentId) ?? '',
        it.status,
        it.signInfo,
      ]),
    );
    if (response.destroyed) return;
    if (!response.write(lines.join(''))) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    after = page.next;
  } while (after !== undefined);
  response.end();
}

async function departmentsOf(ctx: AdminContext): Promise<readonly Department[]> {
  return (await ctx.dbProxies.ask(directory.departmentTree, {})).departmentList as Department[];
}

/** Company/Sales for a department in a department. */
function pathsOf(departments: readonly Department[]): Map<number, string> {
  const byId = new Map(departments.map((each) => [each.departmentId, each]));
  const pathOf = (it: Department): string => {
    const parent = byId.get(it.parentId);
    return parent === undefined ? it.name : `${pathOf(parent)}/${it.name}`;
  };
  return new Map(departments.map((each) => [each.departmentId, pathOf(each)]));
}
