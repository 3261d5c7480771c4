/**
 * Follow one client or one topic into a file. The broker holds a tracer only while somebody traces: otherwise tracing costs a
 * comparison with null.
 */
import { wordsOf } from "../../lib/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../../lib/log.ts";
import { formatLocalTimeMs } from "../../lib/time_format.ts";
import { topicMatches } from "../../mqtt/topic.ts";
import type { Message } from "../message.ts";
import type { Clock, Log } from "../ports.ts";

export type TraceKind = "client" | "topic";

/** Where the lines of a trace go. A sink that throws ends its trace. */
export interface TraceSink {
  line(text: string): void;
  close(): void;
}

/** Least first; "all" is what EMQ X 3.1 calls a trace without a level. */
export const TRACE_LEVELS = ["all", ...LOG_LEVELS] as const;
export type TraceLevel = (typeof TRACE_LEVELS)[number];

export interface TraceRow {
  readonly kind: TraceKind;
  /** Client id, or topic filter. */
  readonly what: string;
  /** Name of the file, as shown. */
  readonly file: string;
  /** Lines below it are left out. */
  readonly level: TraceLevel;
}

interface Trace {
  readonly row: TraceRow;
  readonly rank: number;
  readonly sink: TraceSink;
}

/** Characters of a payload that are shown. */
const MAX_PAYLOAD = 1024;

export class Tracer {
  /** By client id, one trace each. */
  private readonly clients = new Map<string, Trace>();
  /** By filter. */
  private readonly topics = new Map<string, Trace>();

  /** `changed` hears whether anything is traced now: hang the tracer on the broker, or take it off. */
  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly changed: (active: boolean) => void,
  ) {}

  get active(): boolean {
    return this.clients.size + this.topics.size > 0;
  }

  /** False = that is traced already. */
  start(row: TraceRow, sink: TraceSink): boolean {
    const table = this.table(row.kind);
    if (table.has(row.what)) return false;
    table.set(row.what, { row: { ...row }, rank: TRACE_LEVELS.indexOf(row.level), sink });
    this.changed(true);
    return true;
  }

  /** False = that was not traced. */
  stop(kind: TraceKind, what: string): boolean {
    const trace = this.table(kind).get(what);
    if (!trace) return false;
    this.table(kind).delete(what);
    try {
      trace.sink.close();
    } catch (err) {
      this.log.warn("trace could not be closed", { kind, what, error: wordsOf(err) });
    }
    this.changed(this.active);
    return true;
  }

  stopAll(): void {
    for (const t of this.list()) this.stop(t.kind, t.what);
  }

  list(): TraceRow[] {
    return [...this.clients.values(), ...this.topics.values()].map((t) => t.row);
  }

  /** A message was published, by a client or the broker itself. */
  published(m: Message): void {
    this.message("info", m.from, m, "PUBLISH to");
  }

  /** A message goes to a client. */
  delivered(clientId: string, m: Message): void {
    this.message("debug", clientId, m, "DELIVER");
  }

  /** Anything else about a client: connected, subscribed, a packet in or out. */
  event(clientId: string, text: string, level: LogLevel = "debug"): void {
    const trace = this.clients.get(clientId);
    if (trace) this.write(trace, level, clientId, text);
  }

  private message(level: LogLevel, clientId: string, m: Message, verb: string): void {
    const client = this.clients.get(clientId);
    const topics = [...this.topics.values()].filter((t) => topicMatches(m.topic, t.row.what));
    if (!client && topics.length === 0) return;
    const text = describe(verb, m);
    if (client) this.write(client, level, clientId, text);
    for (const t of topics) this.write(t, level, clientId, text);
  }

  private write(trace: Trace, level: LogLevel, clientId: string, text: string): void {
    if (TRACE_LEVELS.indexOf(level) < trace.rank) return;
    try {
      trace.sink.line(`${formatLocalTimeMs(this.clock.now())} [${level}] ${clientId === "" ? "broker" : printable(clientId)} ${text}`);
    } catch (err) {
      this.log.error("trace stopped: its file cannot be written", { ...trace.row, error: wordsOf(err) });
      this.stop(trace.row.kind, trace.row.what);
    }
  }

  private table(kind: TraceKind): Map<string, Trace> {
    return kind === "client" ? this.clients : this.topics;
  }
}

function describe(verb: string, m: Message): string {
  return `${verb} ${printable(m.topic)} (QoS ${m.qos}${m.retain ? ", retain" : ""}, ${m.payload.length} bytes): ${payloadText(m.payload)}`;
}

/** One line whatever is in it. */
function printable(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length === text.length + 2 ? text : quoted;
}

function payloadText(payload: Uint8Array): string {
  const head = payload.subarray(0, MAX_PAYLOAD);
  const more = payload.length > MAX_PAYLOAD ? "…" : "";
  try {
    // Streaming: a character cut by the limit is left out, not an error.
    return JSON.stringify(new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: more !== "" })) + more;
  } catch {
    return `0x${Array.from(head.subarray(0, MAX_PAYLOAD / 4), (b) => b.toString(16).padStart(2, "0")).join("")}${payload.length > MAX_PAYLOAD / 4 ? "…" : ""}`;
  }
}
