/**
 * Makes common/pdu/generated/ from pb/*.proto.
 *
 *   npm run pb         writes pb.js and pb.d.ts
 *   npm run pb:check   writes nothing, fails when they are not what pb/ says
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pbjs, pbts } from 'protobufjs-cli';

const NOTE = '// Made from pb/*.proto by tools/gen-pb.ts. To change it, change those and run: npm run pb\n';

// Sources stay where they are in every kind of build, and both commands are npm scripts: they start at the root.
const SOURCE_DIR = 'pb';
const TARGET_DIR = path.join('common', 'pdu', 'generated');

const PBJS_OPTIONS = [
  ...['--target', 'static-module', '--wrap', 'esm', '--es6', '--lint', ''],
  // A namespace of our own, as any other generated code in the process would share the default one.
  ...['--root', 'teamtalk'],
  // Encoding and decoding are all that is wanted.
  ...['--no-create', '--no-verify', '--no-convert', '--no-delimited', '--no-typeurl', '--no-service'],
  // Times in milliseconds fit a number; pb.ts makes the run-time agree.
  '--force-number',
  // An optional field that did not come is told apart from one that is zero or empty.
  '--null-semantics',
];

const PBTS_OPTIONS = ['--no-comments', '--import', '\\$protobuf=protobufjs/minimal.js'];

const check = process.argv.includes('--check');
const generated = await generate();
const stale: string[] = [];
for (const [name, text] of Object.entries(generated)) {
  const file = path.join(TARGET_DIR, name);
  if (check) {
    if ((await readFile(file, 'utf8').catch(() => '')) !== text) stale.push(file);
  } else {
    await mkdir(TARGET_DIR, { recursive: true });
    await writeFile(file, text);
  }
}
if (stale.length > 0) {
  console.error(`${stale.join(' and ')}: not what ${SOURCE_DIR}/ says. Run: npm run pb`);
  process.exitCode = 1;
}

async function generate(): Promise<Record<string, string>> {
  // Sorted, as the order of the files is the order of the output.
  const files = (await readdir(SOURCE_DIR)).filter((name) => name.endsWith('.proto')).sort();
  const sources = files.map((name) => path.join(SOURCE_DIR, name));
  // The types are read from the comments in the code, so code with comments is made too, for that alone.
  const annotated = await run(pbjs.main, [...PBJS_OPTIONS, '--comments', ...sources]);
  const types = await run((args, done) => pbts.process(annotated, args, done), PBTS_OPTIONS);
  const code = await run(pbjs.main, [...PBJS_OPTIONS, '--no-comments', ...sources]);
  return { 'pb.js': NOTE + finishCode(code), 'pb.d.ts': NOTE + finishTypes(types) };
}

/**
 * Absent is undefined, not null: without a default in the prototype there is nothing to read. And not indented: every
 * process reads all of it at its start, and two fifths of it were blanks.
 */
function finishCode(code: string): string {
  return code
    .replace(/^ *\w+\.prototype\.\w+ = null;\n/gm, '')
    .replace(/^ +/gm, '')
    .trimStart();
}

function finishTypes(types: string): string {
  const finished = types
    .replace('import Long = require("long");\n', '')
    // Older names of the same types.
    .replace(/^ *interface I(\w+) extends [\w.]+\.\1\.\$Properties \{\n *\}\n\n/gm, '')
    // Unknown fields are not kept, see pb.ts.
    .replace(/^ *\$unknowns\?: .*\n/gm, '')
    // Absent is undefined here too, and may be written as such.
    .replace(/^( *)(\w+)\??: \((.+)\|null\);$/gm, '$1$2?: $3 | undefined;')
    // Lists are always there after decoding and may be left out, or be read-only, for encoding.
    .replace(/^( *)(\w+)\?: (.+)\[\];$/gm, '$1$2?: readonly $3[] | undefined;')
    // The class is the more exact of the two.
    .replace(/ & [\w.]+\.\$Shape;$/gm, ';')
    .replace(/^ *type \$Shape = .*\n/gm, '');
  const leftover = /^.*(\bnull\b|\bLong\b|\$unknowns|\$Shape|: \*).*$/m.exec(finished);
  if (leftover !== null) throw new Error(`pbts writes types in a way this tool does not know: ${leftover[0].trim()}`);
  return finished;
}

type Done = (error: Error | null, output?: string) => void;

function run(tool: (args: string[], done: Done) => unknown, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    tool([...args], (error, output) => {
      if (error !== null) reject(error);
      else if (output === undefined) reject(new Error('the generator gave no output'));
      else resolve(output);
    });
  });
}
