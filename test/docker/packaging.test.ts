/** What is shipped beside the code: image, compose, Kubernetes, systemd. No Docker and no cluster needed. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DCLinter } from 'dclint';
import { validate as lintDockerfile } from 'dockerfile-utils';
import t from 'tap';
import { projectRoot } from '../../common/root.js';
import { environmentName } from '../../common/settings.js';
import { DEFINITIONS, DOCKER, dockerFiles, knownVariables, yamlOf } from './definitions.js';
import { baseResources, complaintsOf, isWorkload, type Resource } from './kubernetes.js';

const ENTRY_POINT = join(DOCKER, 'entrypoint.sh');
/** What a server may take on top of TT_DRAIN_MS before it ends itself (common/server/lifecycle.ts). */
const STOP_MS_MORE = 3_000;

interface Service {
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly secrets?: string[];
  readonly ports?: string[];
  readonly depends_on?: Record<string, { condition: string }>;
  readonly stop_grace_period?: string;
  readonly healthcheck?: object;
  readonly restart?: string;
  readonly logging?: { options?: Record<string, string> };
  readonly deploy?: { resources?: { limits?: { memory?: string; cpus?: string } } };
}

interface Compose {
  readonly services: Record<string, Service>;
  readonly secrets: Record<string, { file: string }>;
  readonly volumes: Record<string, unknown>;
}

const files = await dockerFiles();
const textOf = (path: string) => files.find((file) => file.path === path)!.text;
const compose = yamlOf(textOf('compose.yaml'))[0] as Compose;
const servers = Object.entries(compose.services).filter(([, { environment }]) => environment?.TT_NAME !== undefined);
const base = baseResources(files);

t.test('every setting that is named anywhere exists', async (t) => {
  const known = knownVariables();
  const named = files.flatMap(({ path, text }) =>
    [...text.matchAll(/\bTT_[A-Z0-9_]+/g)].map(([name]) => ({ path, name: name.replace(/_$/, '') })),
  );
  // TT_MSG_… in words stands for all that begin so.
  const isKnown = (name: string) =>
    known.has(name) || (/_$/.test(name) && [...known].some((it) => it.startsWith(name)));
  const wrong = named.filter(({ path, name }) => !isKnown(name) && !(path.endsWith('.md') && isKnown(`${name}_`)));
  t.same(wrong, [], 'no server reads these');
  t.ok(named.length > 100, 'the pattern finds them');

  // A variable of one server must not be given to another one: nobody would read it there.
  for (const [service, { command, environment }] of servers) {
    const server = command![0]!;
    t.ok(DEFINITIONS[server], `${service} runs a server`);
    for (const variable of Object.keys(environment!)) {
      const names = Object.entries(DEFINITIONS[server]!).flatMap(([name, { secret }]) =>
        [environmentName(server, name), environmentName('', name)].flatMap((it) =>
          secret ? [it, `${it}_FILE`] : [it],
        ),
      );
      t.ok(names.includes(variable), `${service} reads ${variable}`);
    }
  }
});

t.test('the Dockerfile', async (t) => {
  const text = textOf('Dockerfile');
  t.same(lintDockerfile(text), []);
  t.not(lintDockerfile(text.replace('WORKDIR', 'WORKDIRR')).length, 0, 'the check is one');
  const last = text.slice(text.lastIndexOf('\nFROM'));
  t.match(last, /\nUSER 10001/, 'not as root');
  t.match(last, /\nHEALTHCHECK .*healthz\.mjs/);
  t.notMatch(last, /SECRET|PASSWORD|_KEY/, 'no secrets in the image');
});

t.test('the image has every package that its code imports', async (t) => {
  const { dependencies } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const given = new Set(['#pb', ...builtinModules, ...Object.keys(dependencies)]);
  const missing: string[] = [];
  let seen = 0;
  for (const folder of ['common', 'servers', 'tools']) {
    const paths = await readdir(join(projectRoot, 'dist', folder), { recursive: true });
    for (const path of paths.filter((it) => it.endsWith('.js') && !/^gen-|^admin\/web\//.test(it))) {
      const code = await readFile(join(projectRoot, 'dist', folder, path), 'utf8');
      for (const [, name] of code.matchAll(/(?:\bfrom |^import |\bimport\()['"]([^.'"][^'"]*)['"]\)?;$/gm)) {
        seen++;
        const parts = name!.replace(/^node:/, '').split('/');
        const bare = parts.slice(0, name!.startsWith('@') ? 2 : 1).join('/');
        if (!given.has(bare)) missing.push(`${folder}/${path}: ${name}`);
      }
    }
  }
  t.same(missing, [], 'in dependencies, not in devDependencies');
  t.ok(seen > 100, 'the pattern finds imports');
});

/** Ends with what it said and its exit code. */
function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(command, args, { env: { PATH: process.env.PATH, ...env } }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });
}

t.test('the entry point', async (t) => {
  const [login, tool, none, traversal] = await Promise.all([
    run(ENTRY_POINT, ['login']),
    run(ENTRY_POINT, ['keys', '--help']),
    run(ENTRY_POINT, ['nobody']),
    run(ENTRY_POINT, ['../login']),
  ]);
  t.equal(login.code, 78);
  t.match(login.stderr, /TT_CLUSTER_SECRET/, 'a server starts, and lacks its secret');
  t.equal(tool.code, 0, 'a tool, with its arguments');
  for (const wrong of [none, traversal]) {
    t.equal(wrong.code, 64);
    t.match(wrong.stderr, /\n {2}db-proxy\n[\s\S]*\n {2}backup\n/, 'what there is');
  }
});

t.test('a server as the image runs it', async (t) => {
  const secret = join(t.testdir({ secret: 'a secret of this test only\n' }), 'secret');
  const env = {
    PATH: process.env.PATH,
    TT_CLUSTER_SECRET_FILE: secret,
    TT_PORT: '0',
    TT_LOGIN_CLIENT_PORT: '0',
    TT_LOGIN_HTTP_PORT: '0',
    TT_LOGIN_HTP_PORT: '8080',
  };
  const server = spawn(ENTRY_POINT, ['login'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => server.kill('SIGKILL'));
  const ended = once(server, 'exit');
  const lines: { level: number; msg: string; unknown?: string[]; ports?: { ops: number } }[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    t.notMatch(line, /a secret of this test/);
    lines.push(JSON.parse(line) as (typeof lines)[number]);
    if (lines.at(-1)!.ports !== undefined) break;
  }
  const warning = lines.find(({ unknown }) => unknown !== undefined);
  t.match(warning, { level: 40, unknown: ['TT_LOGIN_HTP_PORT'] }, 'a mistyped setting is noticed');
  const health = () =>
    run(process.execPath, [join(DOCKER, 'healthz.mjs')], { TT_OPS_PORT: `${lines.at(-1)!.ports!.ops}` });
  t.equal((await health()).code, 0, 'alive');
  server.kill('SIGTERM');
  t.same(await ended, [0, null], 'the signal reaches it');
  t.equal((await health()).code, 1, 'gone');
});

t.test('compose', async (t) => {
  const [result] = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] } as never).lintFiles(
    [join(DOCKER, 'compose.yaml')],
    false,
  );
  const faults = result!.messages.filter(
    ({ type, rule }: { type: string; rule: string }) => type === 'error' && rule !== 'no-unbound-port-interfaces',
  );
  t.same(faults, [], 'the compose schema');

  t.same(
    [...new Set(servers.map(([, { command }]) => command![0]))].sort(),
    Object.keys(DEFINITIONS).sort(),
    'all servers',
  );
  const names = servers.map(([, { environment }]) => environment!.TT_NAME);
  t.equal(new Set(names).size, names.length, 'names are unique');
  for (const [name, service] of Object.entries(compose.services)) {
    t.equal(service.restart, 'unless-stopped', `${name} comes back`);
    t.ok(service.logging?.options?.['max-size'], `${name}: logs end`);
    t.ok(service.deploy?.resources?.limits?.memory, `${name}: memory ends`);
    for (const secret of service.secrets ?? []) t.ok(compose.secrets[secret], `${name}: there is ${secret}`);
    for (const other of Object.keys(service.depends_on ?? {})) {
      const { healthcheck, command } = compose.services[other]!;
      t.ok(healthcheck ?? DEFINITIONS[command![0]!], `${name} waits for ${other}, which has a health check`);
    }
  }
  for (const [name, { environment, secrets, stop_grace_period, ports = [] }] of servers) {
    for (const [variable, value] of Object.entries(environment!).filter(([, it]) => it.startsWith('/run/secrets/')))
      t.ok(secrets!.includes(value.slice('/run/secrets/'.length)), `${name} gets what ${variable} names`);
    const graceMs = Number.parseInt(stop_grace_period!, 10) * 1000;
    t.ok(graceMs > Number(environment!.TT_DRAIN_MS) + STOP_MS_MORE, `${name} may drain`);
    const port = environment!.TT_MSG_CLIENT_PORT;
    if (port !== undefined) t.same(ports, [`${port}:${port}`], 'the port that clients are told');
    for (const [variable, list] of Object.entries(environment!).filter(([it]) =>
      /_SERVERS$|_PROXIES$|_WATCHED$/.test(it),
    ))
      for (const place of list.split(','))
        t.ok(compose.services[place.split(':')[0]!], `${name}: ${variable} ${place}`);
  }
  const watched = compose.services.admin!.environment!.TT_ADMIN_WATCHED!.split(',');
  t.same(watched.sort(), servers.map(([name]) => `${name}:9100`).sort(), 'the console watches all of them');
  const [
    {
      scrape_configs: [scraped],
    },
  ] = yamlOf(textOf('monitoring/prometheus.yaml')) as [
    { scrape_configs: [{ static_configs: [{ targets: string[] }] }] },
  ];
  t.same(scraped.static_configs[0].targets.sort(), watched, 'and so does Prometheus');
  const used = [...textOf('compose.yaml').matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map(([, name]) => name!);
  const offered = [...textOf('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
  t.same([...new Set(used)].sort(), offered.sort(), '.env.example has what compose.yaml reads');
  for (const name of Object.keys(compose.secrets)) t.match(textOf('secrets.sh'), new RegExp(`^put ${name} `, 'm'));
});

t.test('Kubernetes', async (t) => {
  const overlay = files.filter(({ path }) => /^kubernetes\/example\/(namespace|ingress|settings)\.yaml$/.test(path));
  const all = [...base, ...overlay.flatMap(({ text }) => yamlOf(text) as Resource[])];
  for (const it of all) t.same(await complaintsOf(it), [], `${it.kind} ${it.metadata.name}`);
  const spoilt = structuredClone(base.find(({ kind }) => kind === 'StatefulSet')!) as Resource;
  spoilt.spec.template.spec.containers[0].imagge = 'x';
  t.same(await complaintsOf(spoilt), ['spec.template.spec.containers.0.imagge'], 'a misspelt field is seen');

  const workloads = base.filter(isWorkload);
  t.same(workloads.map(({ metadata }) => metadata.name).sort(), Object.keys(DEFINITIONS).sort(), 'all servers');
  const { data } = base.find(({ kind }) => kind === 'ConfigMap')!;
  for (const { metadata, spec } of workloads) {
    const { name } = metadata;
    const { terminationGracePeriodSeconds: grace, containers, volumes, ...pod } = spec.template.spec;
    const [server] = containers;
    t.same(server.args, [name], `${name} runs itself`);
    const preStopMs = Number(server.lifecycle.preStop.exec.command[1]) * 1000;
    t.ok(grace * 1000 > preStopMs + Number(data!.TT_DRAIN_MS) + STOP_MS_MORE, `${name} may drain`);
    t.match(server.livenessProbe, { httpGet: { path: '/healthz', port: 'ops' } });
    t.match(server.readinessProbe, { httpGet: { path: '/readyz', port: 'ops' } });
    t.equal(pod.enableServiceLinks, false, 'no variables that look like settings');
    t.match(pod.securityContext, { runAsNonRoot: true });
    t.same(server.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const names = new Set(volumes.map((it: { name: string }) => it.name));
    for (const mount of server.volumeMounts) t.ok(names.has(mount.name), `${name} mounts ${mount.name}`);
    const paths = server.volumeMounts.map((it: { mountPath: string }) => `${it.mountPath}/`);
    const values = server.env.map((it: { value?: string }) => it.value ?? '');
    for (const value of values.filter((it: string) => it.startsWith('/run/')))
      t.ok(
        paths.some((path: string) => value.startsWith(path)),
        `${name} has ${value}`,
      );
    t.ok(
      base.some((it) => it.kind === 'PodDisruptionBudget' && it.metadata.name === name),
      `${name}: disruptions`,
    );
    const ops = server.ports.find((it: { name: string }) => it.name === 'ops');
    t.equal(`${ops.containerPort}`, data!.TT_OPS_PORT);
    if (spec.serviceName !== undefined) {
      const service = base.find((it) => it.kind === 'Service' && it.metadata.name === spec.serviceName)!;
      t.match(
        service.spec,
        { clusterIP: 'None', publishNotReadyAddresses: true },
        `${name} is found before it is ready`,
      );
    }
  }
  for (const [variable, list] of Object.entries(data!).filter(([it]) => /_SERVERS$|_PROXIES$|_WATCHED$/.test(it))) {
    for (const place of list.split(',')) {
      const [, set, ordinal, service] = /^([a-z-]+)-(\d+)\.([a-z-]+):\d+$/.exec(place)!;
      const { replicas = 2 } = workloads.find(({ metadata }) => metadata.name === set)!.spec; // msg: least of the autoscaler
      t.ok(service === set && Number(ordinal) < replicas, `${variable}: ${place}`);
    }
  }
});

t.test('systemd', async (t) => {
  const unit = textOf('systemd/teamtalk@.service');
  const drain = /^TT_DRAIN_MS=(\d+)$/m.exec(textOf('systemd/teamtalk.env.example'))![1];
  const stop = /^TimeoutStopSec=(\d+)$/m.exec(unit)![1];
  t.ok(Number(stop) * 1000 > Number(drain) + STOP_MS_MORE, 'it may drain');
  t.match(unit, /^RestartPreventExitStatus=78$/m);
  for (const { path, text } of files.filter((it) => it.path.startsWith('systemd/'))) {
    for (const [, name] of text.matchAll(/=%d\/(\w+)$/gm))
      t.match(text, new RegExp(`^LoadCredential=${name}:`, 'm'), `${path}: ${name} is loaded`);
  }
});
