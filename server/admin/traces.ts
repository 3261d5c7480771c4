/** Traces: what one client or one topic does, written to a file. */
import { TRACE_LEVELS, type TraceLevel, type TraceSink } from "../core/watch/tracer.ts";
import { wordsOf } from "../lib/errors.ts";
import { validTopicFilter } from "../mqtt/topic.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError, type TraceControl } from "./deps.ts";
import type { Trace } from "./extra_rows.ts";
import { badTopic, badValue, missing, notFound, notOneOf } from "./refusals.ts";

/** Fields as received. */
export interface TraceParams {
  kind?: unknown;
  what?: unknown;
  file?: unknown;
  level?: unknown;
}

/** Each looks at every packet, and has a file open. */
const TRACES_MAX = 64;
/** Longest name of a file, in characters. */
const FILE_MAX = 1024;

function kindOf(value: unknown): Trace["kind"] {
  if (value === "client" || value === "topic") return value;
  throw notOneOf("kind", ["client", "topic"]);
}

function levelOf(value: unknown): TraceLevel {
  const level = TRACE_LEVELS.find((l) => l === (value ?? "all"));
  if (!level) throw notOneOf("level", TRACE_LEVELS);
  return level;
}

/** Where it may lie is for whoever opens it to say. */
function fileOf(value: unknown, kind: Trace["kind"]): string {
  if (value === undefined || value === null || value === "") return `trace-${kind}.log`;
  if (typeof value === "string" && value.length <= FILE_MAX && !/\p{Cc}/u.test(value)) return value;
  throw badValue("file", "a file in the log directory");
}

export function createTraces({ traces }: AdminDeps) {
  function control(): TraceControl {
    if (!traces) throw new AdminError(CODE.UNKNOWN, "traces are not available here");
    return traces;
  }

  function open(control: TraceControl, file: string): TraceSink {
    try {
      return control.open(file);
    } catch (err) {
      throw new AdminError(CODE.BAD_PARAMETER, `value of 'file': ${wordsOf(err)}`);
    }
  }

  return {
    list: (): Trace[] => (traces?.tracer.list() ?? []).map((t) => ({ ...t })),

    /** @throws AdminError 102, 107, 108 */
    start(params: TraceParams): void {
      const { what } = params;
      const kind = kindOf(params.kind);
      if (typeof what !== "string" || what === "") throw missing("what");
      if (kind === "topic" && !validTopicFilter(what)) throw badTopic();
      const row: Trace = { kind, what, file: fileOf(params.file, kind), level: levelOf(params.level) };
      const traces = control();
      const { tracer } = traces;
      if (tracer.list().some((t) => t.kind === kind && t.what === what)) throw new AdminError(CODE.UNKNOWN, "already_existed");
      const full = `no more than ${TRACES_MAX} traces can run at once: stop some`;
      if (tracer.list().length >= TRACES_MAX) throw new AdminError(CODE.BAD_PARAMETER, full);
      tracer.start({ ...row, level: levelOf(row.level) }, open(traces, row.file));
    },

    /** @throws AdminError 102, 108 */
    stop(kind: string, what: string): void {
      if (!control().tracer.stop(kindOf(kind), what)) throw notFound();
    },
  };
}
