import { EXAMPLES_MAX, KINDS, sentenceOf, type Tally } from './findings.js';
import { messageTables, type Source } from './source.js';

const COLUMN = 14;
const INDENT = ' '.repeat(12);

/** What an import has done, or would do, for people: the tables in numbers, then every kind of finding with examples. */
export function reportOf(source: Source, tally: Tally): string {
  const line = (name: string, tables: readonly string[]) => {
    const sum = (value: (table: string) => number) => tables.reduce((all, table) => all + value(table), 0);
    const numbers = [
      sum((table) => source.rowsOf(table)),
      sum((table) => tally.table(table).stored),
      sum((table) => tally.table(table).leftOut),
    ];
    return `${name.padEnd(28)}${numbers.map((n) => n.toLocaleString('en-US').padStart(COLUMN)).join('')}`;
  };
  const titles = ['in the source', 'brought over', 'left out'].map((title) => title.padStart(COLUMN)).join('');
  const [singles, groups] = [
    messageTables().filter((table) => table.startsWith('IMMessage')),
    messageTables().filter((table) => table.startsWith('IMGroupMessage')),
  ];
  const findings = KINDS.filter((kind) => tally.count(kind) > 0).flatMap((kind) => {
    const count = tally.count(kind);
    const all = tally.examples(kind);
    const examples = all.slice(0, EXAMPLES_MAX).map((what) => `${INDENT}${what}`);
    const rest = all.length > EXAMPLES_MAX ? [`${INDENT}…`] : [];
    return [`${count.toLocaleString('en-US').padStart(10)}  ${sentenceOf(kind)}`, ...examples, ...rest];
  });
  return [
    `${' '.repeat(28)}${titles}`,
    line('departments', ['IMDepart']),
    line('users', ['IMUser']),
    line('groups', ['IMGroup']),
    line('members of groups', ['IMGroupMember']),
    line('messages between two', singles),
    line('messages in groups', groups),
    '',
    ...(findings.length === 0
      ? ['Nothing was changed or left out.']
      : ['What was changed, left out, or is to be known:']),
    ...findings,
    '',
  ].join('\n');
}
