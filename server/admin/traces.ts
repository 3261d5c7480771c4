/** Traces: what one client or one topic does, written to a file. */
import { type AdminDeps, AdminError, type TraceControl } from "./deps.ts";
import type { Trace } from "./extra_rows.ts";

/** Fields as received. */
export interface TraceParams {
  kind?: unknown;
  what?: unknown;
  file?: unknown;
  level?: unknown;
}

function kindOf(value: unknown): Trace["kind"] {
  if (value === "client" || value === "topic") return value;
  throw new AdminError(108, "value of 'kind' must be one of: ['client', 'topic']");
}

export function createTraces({ traceControl }: AdminDeps) {
  function control(): TraceControl {
    if (!traceControl) throw new AdminError(102, "traces are not available here");
    return traceControl;
  }

  return {
    list: (): Trace[] => traceControl?.list() ?? [],

    /** @throws AdminError 102, 107, 108 */
    start(params: TraceParams): void {
      const kind = kindOf(params.kind);
      if (typeof params.what !== "string" || params.what === "") throw new AdminError(107, "missing mandatory params: ['what']");
      const file = typeof params.file === "string" && params.file !== "" ? params.file : `trace-${kind}.log`;
      // Inside the log directory only: the name comes from the network.
      if (!/^[\w.-]+$/.test(file) || file.startsWith(".")) throw new AdminError(108, "value of 'file' must be a plain file name");
      const level = typeof params.level === "string" ? params.level : "debug";
      if (!control().start({ kind, what: params.what, file, level })) throw new AdminError(102, "already_existed");
    },

    /** @throws AdminError 102, 108 */
    stop(kind: string, what: string): void {
      if (!control().stop(kindOf(kind), what)) throw new AdminError(102, "not_found");
    },
  };
}
