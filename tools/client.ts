/** A chat client for the terminal, and for scripts: `npm run chat -- TT001 test123`. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { IM } from '../common/pdu/pb.js';
import { Chat } from './chat/chat.js';
import { SignedIn } from './chat/sign-in.js';
import { Terminal } from './chat/terminal.js';

const { ClientType } = IM.BaseDefine;
const clientTypes = {
  windows: ClientType.CLIENT_TYPE_WINDOWS,
  mac: ClientType.CLIENT_TYPE_MAC,
  ios: ClientType.CLIENT_TYPE_IOS,
  android: ClientType.CLIENT_TYPE_ANDROID,
} as const;

interface Options {
  readonly login: string;
  readonly type: keyof typeof clientTypes;
  readonly to?: string;
  readonly tls?: true;
  readonly ws?: true;
  readonly ca?: string;
  readonly signIn?: string;
}

const EXIT_CODES = `
Exit codes: 0 left, 1 could not get in, 2 signed out by the server, 3 left with messages not delivered.
When input is no terminal, each line is taken as typed, and the end of input leaves once all messages are acknowledged.`;

const program: Command = new Command('npm run chat --')
  .description('Talks to people on a cluster.')
  .argument('[user]', 'login name')
  .argument('[password]', 'default: the environment variable TT_PASSWORD, which other users of this machine cannot see')
  .option('--login <url>', 'login server', 'http://127.0.0.1:8080')
  .addOption(new Option('--type <type>', 'log in as').choices(Object.keys(clientTypes)).default('windows'))
  .option('--tls', 'encrypted; the login server is asked by https then')
  .option('--ws', 'through a WebSocket')
  .option('--ca <file>', 'trust this certificate, PEM, in place of the public ones')
  .option('--sign-in <url>', 'with the company’s account, on the page of this console: http://127.0.0.1:8888')
  .option('--to <partner>', 'a user, or a #group, to talk to')
  .addHelpText('after', EXIT_CODES)
  .parse();

const [user = '', password = process.env.TT_PASSWORD ?? ''] = program.args as [string?, string?];
const { login, type, to, tls, ws: webSocket, ca: caFile, signIn } = program.opts<Options>();
if (signIn === undefined && user === '') program.error('error: who are you? A login name, or --sign-in');
if (signIn === undefined && password === '')
  program.error('error: a password is needed, as second argument or in TT_PASSWORD');
if (!URL.canParse(login)) program.error(`error: --login ${login} is no URL such as http://127.0.0.1:8080`);

process.stdout.on('error', () => process.exit(0)); // whoever read our output has gone
if (signIn !== undefined && !URL.canParse(signIn))
  program.error(`error: --sign-in ${signIn} is no URL such as http://127.0.0.1:8888`);
const signedIn =
  signIn === undefined ? undefined : await SignedIn.at(signIn, process.stdin, process.stdout).catch(gaveUp);
const terminal = new Terminal(process.stdin, process.stdout);
const loginUrl = tls === true ? login.replace(/^http:/, 'https:') : login;
const way = { tls, webSocket, ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8') };
const chat = new Chat(terminal, {
  loginUrl,
  user,
  password,
  clientType: clientTypes[type],
  ...way,
  ...(signedIn && { signedIn }),
});
process.exitCode = await chat.run(to);
terminal.close();
// Nothing that is still open (a try to connect, a pause) is worth waiting for; what was printed is.
process.stdout.write('', () => process.exit());

function gaveUp(error: Error): never {
  return program.error(`error: ${error.message}`);
}
