/**
 * Makes pb/AUTHORISATION.md: who may say and ask what, from the tables that test/authorisation plays.
 *
 *   npm run authorisation         writes it
 *   npm run authorisation:check   writes nothing, fails when it is not what the tables say
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ROLES } from '../common/roles.js';
import { may } from '../servers/admin/permissions.js';
import { type CommandRow, commandRows } from '../test/authorisation/commands.js';
import { httpRows } from '../test/authorisation/http.js';
import { consoleRows } from '../test/authorisation/routes.js';

const TARGET = path.join('pb', 'AUTHORISATION.md');

function commandLine({ command, id, needs, outcomes }: CommandRow): string {
  const number = `0x${(id ?? command.id).toString(16).padStart(4, '0')}`;
  const { stranger, nonMember, removed, member } = outcomes;
  return `| ${number} | ${command.name} | ${needs ?? ''} | ${stranger} | ${nonMember} | ${removed} | ${member} |`;
}

function consoleLine([route, needs]: (typeof consoleRows)[number]): string {
  const open = needs === 'public' || needs === 'session';
  const roles = ROLES.map((role) => (open || may(role, needs) ? 'yes' : '—'));
  return `| ${route} | ${needs} | ${roles.join(' | ')} |`;
}

const page = `# Who may what

Made by \`npm run authorisation\` from the tables in \`test/authorisation\`: to change it, change those. The test there plays every line,
and a command or route that is in none of them fails.

## Commands of clients

Everybody writes somebody else's id into the request. \`given\`: done or shown; \`own\`: done or shown for the one who asks, whoever he says
he is; \`nothing\`: an answer that says no; \`refused\`: an error, of which stock clients hear nothing; \`silent\`: no answer. Where it is about
a group: of one who never was in it, one who was removed, and a member. Before the log-in there is the log-in (0x0103) and the heartbeat (0x0701).

| id | message | needs | not logged in | not in the group | removed | member |
|---|---|---|---|---|---|---|
${commandRows.map(commandLine).join('\n')}

## Routes of the HTTP interface

A key with this scope; 401 without a key or with one that is revoked or over, 403 with a key for everything else.

| route | scope |
|---|---|
${httpRows.map((row) => `| ${row.join(' | ')} |`).join('\n')}

## Routes of the console

A session of a role that has the permission; whatever changes something also wants the token of the page.

| route | permission | ${ROLES.join(' | ')} |
|---|---|${ROLES.map(() => '---|').join('')}
${consoleRows.map(consoleLine).join('\n')}
`;

if (process.argv.includes('--check')) {
  if ((await readFile(TARGET, 'utf8').catch(() => '')) !== page) {
    console.error(`${TARGET}: not what the tables say. Run: npm run authorisation`);
    process.exitCode = 1;
  }
} else await writeFile(TARGET, page);
