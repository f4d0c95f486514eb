import { parse } from 'csv-parse/sync';
import { ProblemError } from './problem.js';

/** Bounds of a list that is brought in. */
export const CSV_SIZE_MAX = 24 * 1024 * 1024;
export const CSV_ROWS_MAX = 100_000;

export interface Table {
  readonly encoding: string;
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

/**
 * A table out of a CSV file, as people save them: UTF-8 or UTF-16 with a mark, UTF-8 without, or GB 18030; comma,
 * semicolon or tab between the cells; a heading first.
 * @throws ProblemError BAD_REQUEST that says what is wrong with it, and where
 */
export function readCsv(bytes: Buffer, known: readonly string[]): Table {
  const { text, encoding } = decoded(bytes);
  const heading = text.slice(0, text.search(/[\r\n]|$/));
  const delimiter = [',', ';', '\t'].reduce((a, b) => (heading.split(b).length > heading.split(a).length ? b : a));
  let records: string[][];
  try {
    records = parse(text, { delimiter, relax_column_count: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new ProblemError('BAD_REQUEST', { field: 'file', detail: (error as Error).message });
  }
  const [columns = [], ...rows] = records;
  const names = columns.map((name) => name.toLowerCase());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ProblemError('BAD_REQUEST', {
      field: 'file',
      detail: `column "${unknown.slice(0, 64)}": there are ${known.join(', ')}`,
    });
  if (new Set(names).size < names.length)
    throw new ProblemError('BAD_REQUEST', { field: 'file', detail: 'a column twice' });
  if (rows.length > CSV_ROWS_MAX)
    throw new ProblemError('BAD_REQUEST', { field: 'file', detail: `${rows.length} rows: ${CSV_ROWS_MAX} at most` });
  return {
    encoding,
    columns: names,
    rows: rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? '']))),
  };
}

function decoded(bytes: Buffer): { text: string; encoding: string } {
  const marked =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : '';
  for (const encoding of marked === '' ? ['utf-8', 'gb18030'] : [marked]) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      if (!text.includes('\0')) return { text, encoding };
    } catch {
      // the next one
    }
  }
  throw new ProblemError('BAD_REQUEST', {
    field: 'file',
    detail: 'the characters are neither UTF-8, UTF-16 nor GB 18030',
  });
}

/** Cells that a spreadsheet would take for a formula get an apostrophe before them. */
export function csvLine(cells: readonly (string | number)[]): string {
  const cell = (value: string | number) => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",;\n\r\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${cells.map(cell).join(',')}\r\n`;
}
