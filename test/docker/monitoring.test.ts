/** Alerts and dashboard: valid PromQL, and only metrics and labels that the servers have. */
import { readdirSync, statSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import t from 'tap';
import { LAG_LOOK_MS, Metrics } from '../../common/metrics.js';
import { TestCluster } from '../support/cluster.js';
import { testPostgres } from '../support/postgres.js';
import { dockerFiles, yamlOf } from './definitions.js';

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const files = await dockerFiles();
const textOf = (path: string) => files.find((file) => file.path === path)!.text;
const { groups } = yamlOf(textOf('monitoring/alerts.yaml'))[0] as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(textOf('monitoring/dashboard.json')) as {
  panels: { id: number; title: string; targets: { expr: string; legendFormat: string }[] }[];
};

/** Metrics and labels that a query names. @throws when it is no PromQL */
function namesIn(query: string): { metrics: string[]; labels: string[] } {
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(query).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) throw new Error(`no PromQL at ${from}: ${query}`);
      if (type.name === 'Identifier' && node.parent?.type.name === 'VectorSelector')
        metrics.push(query.slice(from, to));
      if (type.name === 'LabelName') labels.push(query.slice(from, to));
    },
  });
  return { metrics, labels };
}

t.test('queries', async (t) => {
  const cluster = await TestCluster.start(t, await testPostgres(t), { file: {}, httpMsg: {}, push: {}, console: {} });
  const known = cluster.metricLabels();
  // What Prometheus adds itself.
  known.set('up', new Set());
  const common = ['job', 'instance', 'server', 'role'];

  const queries = [
    ...alerts.map(({ alert, expr }) => [alert, expr] as const),
    ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ];
  for (const [where, query] of queries) {
    const { metrics, labels } = namesIn(query);
    t.ok(metrics.length > 0, `${where} asks for something`);
    for (const metric of metrics) t.ok(known.has(metric), `${where}: there is ${metric}`);
    for (const label of labels) {
      const has = common.includes(label) || metrics.every((metric) => known.get(metric)?.has(label));
      t.ok(has, `${where}: ${metrics.join()} has ${label}`);
    }
  }
  t.throws(() => namesIn('sum by (le (rate(x[5m]))'), 'a mistake is seen');

  const shown = new Set(
    queries.flatMap(([, query]) => namesIn(query).metrics.map((it) => it.replace(/_(bucket|count|sum)$/, ''))),
  );
  t.ok(shown.size > 30, 'the parser finds metrics');
});

t.test('alerts', async (t) => {
  const runbook = textOf('monitoring/runbook.md');
  const chapters = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name]) => name!);
  t.same(
    chapters,
    alerts.map(({ alert }) => alert),
    'the runbook has a chapter for each, in their order',
  );
  for (const { alert, for: duration, labels, annotations } of alerts) {
    t.match(labels.severity, /^(critical|warning)$/, alert);
    t.match(duration, /^\d+[ms]$/, alert);
    t.equal(annotations.runbook, `docker/monitoring/runbook.md#${alert.toLowerCase()}`);
  }
  t.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
});

t.test('labels in words are in what they are about', async (t) => {
  const said = [
    ...alerts.map(({ expr, annotations }) => [expr, annotations.summary, /\$labels\.(\w+)/g] as const),
    ...dashboard.panels.flatMap(({ targets }) =>
      targets.map(({ expr, legendFormat }) => [expr, legendFormat, /\{\{(\w+)\}\}/g] as const),
    ),
  ];
  for (const [expr, words, pattern] of said) {
    for (const [, label] of words.matchAll(pattern)) {
      const by = /\bby \(([^)]*)\)/.exec(expr)?.[1];
      t.ok(by === undefined ? !/\bsum\b/.test(expr) : by.split(', ').includes(label!), `${expr}: ${label}`);
    }
  }
});

t.test('the dashboard', async (t) => {
  const ids = dashboard.panels.map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
});

t.test('what the lag of the event loop shows when nothing is late is taken off', async (t) => {
  const queries = [...alerts, ...dashboard.panels.flatMap(({ targets }) => targets)].map(({ expr }) => expr);
  const lags = queries.filter((query) => query.includes('nodejs_eventloop_lag'));
  t.equal(lags.length, 2, 'an alert and a panel');
  for (const query of lags) t.ok(query.includes(`} - ${LAG_LOOK_MS / 1000}`), query);
});

t.test('a look costs the same however many connections there are', async (t) => {
  const { registry } = new Metrics('msg-1', 'msg');
  const page = await registry.metrics();
  t.notMatch(page, /^nodejs_active_/m, 'what walks through all of them is left out');
  if (statSync('/proc/self/fd').size === 0) return t.comment('this kernel does not count open files');
  const open = Number(/^process_open_fds\{.*\} (\d+)$/m.exec(page)?.[1]);
  const listed = readdirSync('/proc/self/fd').length;
  t.ok(Math.abs(open - listed) <= 3, `${open} open files by the kernel's count, ${listed} listed`);
});
