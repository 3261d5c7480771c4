/**
 * A span for each message that comes with the trace of its publisher (`traceparent`), from the moment it is published until it has been written
 * to everybody who gets it at once. Receivers find the broker's span in `traceparent`, in place of the publisher's; nothing else of the message
 * changes. Who gets it later, because he was away or his window was full, has a span of his own beneath that one.
 */
import type { Message } from "../../core/message.ts";
import type { Clock } from "../../core/ports.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import { attribute, type KeyValue, nanos } from "./otlp_json.ts";
import {
  indexOfTraceparent,
  isSampled,
  newSpanId,
  readTraceparent,
  TRACEPARENT,
  type TraceContext,
  traceparentOf,
  tracestateOf,
} from "./trace_context.ts";

/** SPAN_KIND_PRODUCER: its context is the one that the message goes on with. */
const PRODUCER = 4;
/** SpanFlags: whether the parent was another process's is known, and it was. */
const PARENT_IS_REMOTE = 0x300;
const EVENTS_MAX = 16;
const TEXT_MAX = 1024;
/** More in one turn are not kept open: whoever gets a message at once has it before the next one is published. */
const OPEN_MAX = 256;

/** Where finished spans go; each as JSON. */
export interface SpanSink {
  /** For so many more there is room. */
  readonly room: number;
  /** Only where there was room for it. */
  add(span: string): void;
  dropped(): void;
}

interface Open {
  readonly message: Message;
  readonly context: TraceContext;
  readonly parentId: string;
  readonly state: string;
  /** Unix ms, and the same moment. */
  readonly start: number;
  readonly mono: MonoMs;
  end: number;
  deliveries: number;
  readonly events: { timeUnixNano: string; name: string; attributes: KeyValue[] }[];
}

export class Spans {
  /** By span id: those of this turn of the event loop. */
  readonly #open = new Map<string, Open>();
  /** Counted as dropped: their deliveries are no others. */
  readonly #untold = new WeakSet<Message>();

  constructor(
    private readonly clock: Clock,
    private readonly sink: SpanSink,
    /** Run when the turn is over. */
    private readonly soon: (fn: () => void) => void,
  ) {}

  /** Hook `message.publish`. */
  published(m: Message): Message {
    const { properties } = m;
    const given = properties?.userProperties;
    if (given === undefined) return m;
    const at = indexOfTraceparent(given);
    const parent = at < 0 ? null : readTraceparent(given[at]?.[1] as string);
    if (parent === null || !isSampled(parent)) return m;
    // The parent that receivers would be told has to come to where traces are kept.
    if (this.sink.room <= this.#open.size) {
      this.sink.dropped();
      this.#untold.add(m);
      return m;
    }
    const context = { ...parent, spanId: newSpanId() };
    const start = this.clock.now();
    const mono = this.clock.mono();
    if (this.#open.size >= OPEN_MAX) this.close();
    if (this.#open.size === 0) this.soon(() => this.close());
    const out = m.with({});
    out.properties = { ...properties, userProperties: given.with(at, [TRACEPARENT, traceparentOf(context)]) };
    const state = tracestateOf(given);
    this.#open.set(context.spanId, {
      message: out,
      context,
      parentId: parent.spanId,
      state,
      start,
      mono,
      end: start,
      deliveries: 0,
      events: [],
    });
    return out;
  }

  /** Hook `message.delivered`. */
  delivered(clientId: string, m: Message): void {
    const given = m.properties?.userProperties;
    if (given === undefined) return;
    const at = indexOfTraceparent(given);
    const context = at < 0 ? null : readTraceparent(given[at]?.[1] as string);
    if (context === null || !isSampled(context)) return;
    const span = this.#open.get(context.spanId);
    if (span === undefined) this.#late(clientId, m, context, tracestateOf(given));
    else {
      span.end = span.start + between(span.mono, this.clock.mono());
      span.deliveries++;
      if (span.events.length < EVENTS_MAX)
        span.events.push({ timeUnixNano: nanos(span.end), name: "deliver", attributes: [receiver(clientId)] });
    }
  }

  /** Those that are open are done. */
  close(): void {
    for (const s of this.#open.values()) {
      this.sink.add(
        JSON.stringify({
          ...idsOf(s.context, s.parentId, s.state),
          name: "publish",
          kind: PRODUCER,
          startTimeUnixNano: nanos(s.start),
          endTimeUnixNano: nanos(s.end),
          attributes: [...attributesOf(s.message, "publish", s.message.from), attribute("baomq.deliveries", s.deliveries)],
          events: s.events,
          droppedEventsCount: s.deliveries - s.events.length,
          flags: s.context.flags | PARENT_IS_REMOTE,
        }),
      );
    }
    this.#open.clear();
  }

  /** A retained message goes to whoever subscribes, for years: those are no part of its trace. */
  #late(clientId: string, m: Message, parent: TraceContext, state: string): void {
    if (m.retain || this.#untold.has(m)) return;
    if (this.sink.room <= this.#open.size) {
      this.sink.dropped();
      return;
    }
    const end = this.clock.now();
    this.sink.add(
      JSON.stringify({
        ...idsOf({ ...parent, spanId: newSpanId() }, parent.spanId, state),
        name: "deliver",
        kind: PRODUCER,
        startTimeUnixNano: nanos(Math.min(m.timestamp, end)),
        endTimeUnixNano: nanos(end),
        attributes: attributesOf(m, "deliver", clientId),
        flags: parent.flags,
      }),
    );
  }
}

function idsOf({ traceId, spanId }: TraceContext, parentSpanId: string, traceState: string) {
  return { traceId, spanId, parentSpanId, ...(traceState !== "" && { traceState }) };
}

/** Not so much that half a character stands at its end, which collectors do not take. */
const cut = (text: string): string => (text.length <= TEXT_MAX ? text : text.slice(0, TEXT_MAX).toWellFormed());

const receiver = (clientId: string): KeyValue => attribute("messaging.client.id", cut(clientId));

/** Semantic conventions for messaging spans; what is MQTT's own has no names there. */
function attributesOf(m: Message, operation: string, clientId: string): KeyValue[] {
  return [
    attribute("messaging.system", "mqtt"),
    attribute("messaging.operation.name", operation),
    attribute("messaging.operation.type", "send"),
    attribute("messaging.destination.name", cut(m.topic)),
    ...(clientId === "" ? [] : [receiver(clientId)]),
    attribute("messaging.message.body.size", m.payloadEnd - m.payloadStart),
    attribute("mqtt.qos", m.qos),
    attribute("mqtt.retain", m.retain),
  ];
}
