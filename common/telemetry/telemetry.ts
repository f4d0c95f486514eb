import { setTimeout as delay } from 'node:timers/promises';
import type { Attributes, HrTime } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { SteadyClock } from '../clock.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { commonSettings, SettingsOf } from '../settings.js';
import {
  freshSpan,
  isMessageSampled,
  MESSAGE,
  messageTrace,
  parseTraceparent,
  type SpanPlace,
  spanOf,
  traceparentOf,
} from './ids.js';

/** Spans that the collector has not taken so far; further ones are dropped. */
const SPANS_MAX = 4_096;
const BATCH_MAX = 512;
const BATCH_MS = 1_000;
/** Of one batch with all its attempts; then it is given up. */
const EXPORT_MS_MAX = 10_000;
/** What a server that stops waits for its last spans. */
const CLOSE_MS_MAX = 1_000;

/** As OpenTelemetry numbers them. */
export const SPAN_KINDS = { internal: 0, server: 1, client: 2 } as const;
const [UNSET, ERROR] = [0, 2];
const SAMPLED = 1;

/** A step that is over. Times are those of performance.now(). */
export interface Step {
  readonly name: string;
  readonly kind?: keyof typeof SPAN_KINDS;
  readonly place: SpanPlace;
  /** In the same trace; undefined: the trace begins here. */
  readonly parent?: SpanPlace | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: Attributes;
  readonly events?: readonly (readonly [name: string, atMs: number])[];
  readonly links?: readonly SpanPlace[];
  /** What went wrong. */
  readonly problem?: string | undefined;
}

/**
 * Telemetry for a collector of OpenTelemetry, by OTLP over HTTP. Its library is loaded only where a collector is set. What
 * the collector does not take is dropped and counted: messages never wait for it.
 */
export class Telemetry {
  readonly ratio: number;
  readonly #clock = new SteadyClock();
  readonly #processor: SpanProcessor;
  readonly #common: Pick<ReadableSpan, 'resource' | 'instrumentationScope'>;
  readonly #count: (result: 'sent' | 'dropped', spans: number) => void;
  readonly #open: { spans: number };

  private constructor(ratio: number, parts: Parts) {
    this.ratio = ratio;
    this.#processor = parts.processor;
    this.#common = parts.common;
    this.#count = parts.count;
    this.#open = parts.open;
  }

  /** @returns undefined where no collector is set */
  static async open(
    { traceCollector: url, traceRatio }: SettingsOf<typeof commonSettings>,
    { name, role, log, metrics }: { name: string; role: string; log: Logger; metrics: Metrics },
  ): Promise<Telemetry | undefined> {
    const counter = metrics.counter('trace_spans_total', 'Spans of traces by what became of them', ['result']);
    if (url === '') return undefined;
    const [{ OTLPTraceExporter }, { BatchSpanProcessor }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/resources'),
    ]);
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS_MAX });
    const open = { spans: 0 };
    const count = (result: 'sent' | 'dropped', spans: number) => counter.inc({ result }, spans);
    let refused = false;
    const counted: typeof exporter.export = (spans, done) =>
      exporter.export(spans, (result) => {
        open.spans -= spans.length;
        count(result.code === 0 ? 'sent' : 'dropped', spans.length);
        if (result.code !== 0 && !refused) log.warn({ error: result.error?.message }, 'the collector takes no traces');
        if (result.code === 0 && refused) log.info('the collector takes traces again');
        refused = result.code !== 0;
        done({ code: 0 }); // said above, once
      });
    const processor = new BatchSpanProcessor({
      exporter: { export: counted, forceFlush: () => exporter.forceFlush(), shutdown: () => exporter.shutdown() },
      maxQueueSize: SPANS_MAX,
      maxExportBatchSize: BATCH_MAX,
      scheduledDelayMillis: BATCH_MS,
      exportTimeoutMillis: 2 * EXPORT_MS_MAX,
    });
    const attributes = { 'service.namespace': 'teamtalk', 'service.name': role, 'service.instance.id': name };
    const common = { resource: resourceFromAttributes(attributes), instrumentationScope: { name: 'teamtalk-cluster' } };
    return new Telemetry(traceRatio, { processor, common, count, open });
  }

  add(step: Step): void {
    if (this.#open.spans >= SPANS_MAX) return this.#count('dropped', 1);
    this.#open.spans++;
    const at = (ms: number) => timeOf(this.#clock.at(ms));
    this.#processor.onEnd({
      ...this.#common,
      name: step.name,
      kind: SPAN_KINDS[step.kind ?? 'internal'],
      spanContext: () => contextOf(step.place),
      ...(step.parent && { parentSpanContext: contextOf(step.parent) }),
      startTime: at(step.startMs),
      endTime: at(step.endMs),
      duration: timeOf(step.endMs - step.startMs),
      ended: true,
      status: step.problem === undefined ? { code: UNSET } : { code: ERROR, message: step.problem },
      attributes: step.attributes ?? {},
      events: (step.events ?? []).map(([name, atMs]) => ({ name, time: at(atMs) })),
      links: (step.links ?? []).map((place) => ({ context: contextOf(place) })),
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    });
  }

  /** Undefined: this one is not among those that are traced. */
  begin(name: string): OpenSpan | undefined {
    return Math.random() < this.ratio ? new OpenSpan(this, name, undefined) : undefined;
  }

  /** Goes on where another program began; whether it is traced is that one's decision, and ours where it has none. */
  goOn(name: string, traceparent: string | undefined): OpenSpan | undefined {
    const parent = parseTraceparent(traceparent);
    if (parent === undefined) return this.begin(name);
    return parent.sampled ? new OpenSpan(this, name, parent.place) : undefined;
  }

  async close(): Promise<void> {
    await Promise.race([
      this.#processor.shutdown().catch(() => undefined),
      delay(CLOSE_MS_MAX, undefined, { ref: false }),
    ]);
  }
}

interface Parts {
  readonly processor: SpanProcessor;
  readonly common: Pick<ReadableSpan, 'resource' | 'instrumentationScope'>;
  readonly count: (result: 'sent' | 'dropped', spans: number) => void;
  /** Neither taken nor given up so far. */
  readonly open: { spans: number };
}

/** Something that is asked of this server and goes on for a while. */
export class OpenSpan {
  readonly #telemetry: Telemetry;
  readonly #name: string;
  readonly #parent: SpanPlace | undefined;
  readonly #place: SpanPlace;
  readonly #startMs = performance.now();
  readonly #events: (readonly [string, number])[] = [];
  readonly #links: SpanPlace[] = [];

  constructor(telemetry: Telemetry, name: string, parent: SpanPlace | undefined) {
    this.#telemetry = telemetry;
    this.#name = name;
    this.#parent = parent;
    this.#place = freshSpan(parent?.traceId);
  }

  /** For whoever does a part of it. */
  get traceparent(): string {
    return traceparentOf(this.#place);
  }

  note(event: string): void {
    this.#events.push([event, performance.now()]);
  }

  /** The message that came of it has a trace of its own, unless it is not among those that are traced. */
  linkMessage(conversationId: bigint, msgId: number): void {
    if (!isMessageSampled(conversationId, msgId, this.#telemetry.ratio)) return;
    this.#links.push(spanOf(messageTrace(conversationId, msgId), MESSAGE));
  }

  end(attributes: Attributes, problem?: string): void {
    this.#telemetry.add({
      name: this.#name,
      kind: 'server',
      place: this.#place,
      parent: this.#parent,
      startMs: this.#startMs,
      endMs: performance.now(),
      attributes,
      events: this.#events,
      links: this.#links,
      problem,
    });
  }
}

function contextOf({ traceId, spanId }: SpanPlace) {
  return { traceId, spanId, traceFlags: SAMPLED };
}

/** Seconds and nanoseconds. */
function timeOf(ms: number): HrTime {
  const whole = Math.floor(ms / 1000);
  return [whole, Math.min(999_999_999, Math.round((ms - whole * 1000) * 1e6))];
}
