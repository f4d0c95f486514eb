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
import {
  backRows,
  commandsBetweenServers,
  type LinkRow,
  linkRows,
  ofEveryLink,
  throughRedis,
} from '../test/authorisation/links.js';
import { consoleRows } from '../test/authorisation/routes.js';

const TARGET = path.join('pb', 'AUTHORISATION.md');

function commandLine({ command, id, needs, outcomes }: CommandRow): string {
  const { stranger, nonMember, removed, member } = outcomes;
  return `| ${hex(id ?? command.id)} | ${command.name} | ${needs ?? ''} | ${stranger} | ${nonMember} | ${removed} | ${member} |`;
}

function consoleLine([route, needs]: (typeof consoleRows)[number]): string {
  const open = needs === 'public' || needs === 'session';
  const roles = ROLES.map((role) => (open || (needs !== 'person' && may(role, needs)) ? 'yes' : '—'));
  return `| ${route} | ${needs} | ${roles.join(' | ')} |`;
}

function linkLines(rows: readonly LinkRow[]): string {
  const sorted = [...rows].sort(([a, toA], [b, toB]) => toA.localeCompare(toB) || a.id - b.id);
  return sorted
    .map(([{ id, name }, to, ...from]) => `| ${to} | ${hex(id)} | ${name} | ${from.join(', ')} |`)
    .join('\n');
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`;
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

A session of a role that has the permission; whatever changes something also wants the token of the page. \`person\`: a session of
somebody who signed in on his own page, which shows and changes what is his; a session of the console is none.

| route | permission | ${ROLES.join(' | ')} |
|---|---|${ROLES.map(() => '---|').join('')}
${consoleRows.map(consoleLine).join('\n')}

## Commands between servers

Both ends of a link have proved the cluster's secret, and their roles with it. Whatever else a role says is refused with an error,
logged and counted (\`teamtalk_peer_commands_refused_total\`); a role that is in no line of a server is sent away at the door
(\`teamtalk_peers_refused_total\`). ${ofEveryLink.map(({ id }) => hex(id)).join(', ')} belong to every link, ${throughRedis.map(({ id }) => hex(id)).join(', ')} go between route servers through Redis.

| to | id | message | from |
|---|---|---|---|
${linkLines(linkRows)}

What the server that was dialled tells back on its own; anything else is not heard, and logged.

| to | id | message | from |
|---|---|---|---|
${linkLines(backRows)}
`;

const listed = new Set([...linkRows, ...backRows].map(([{ id }]) => id));
for (const { id } of [...ofEveryLink, ...throughRedis]) listed.add(id);
for (const { id, name } of commandsBetweenServers()) {
  if (listed.has(id)) continue;
  console.error(`test/authorisation/links.ts: nobody may say ${name} (${hex(id)})`);
  process.exitCode = 1;
}

if (process.argv.includes('--check')) {
  if ((await readFile(TARGET, 'utf8').catch(() => '')) !== page) {
    console.error(`${TARGET}: not what the tables say. Run: npm run authorisation`);
    process.exitCode = 1;
  }
} else await writeFile(TARGET, page);
