/** What the rule engine is to actions and resources: real time, figures, a directory. Nothing of the broker. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../server/core/ports.ts";
import type { AlarmDetails } from "../../server/core/watch/alarms.ts";
import type { MonoMs, WallMs } from "../../server/lib/time.ts";
import type { Action, ActionEvent, ActionHost, ActionKind, Kinds, Params, ResourceKind } from "../../server/plugins/actions.ts";

export class ConnectorHost implements ActionHost {
  readonly clock = { now: () => Date.now() as WallMs, mono: () => performance.now() as MonoMs };
  readonly lines: string[] = [];
  readonly alarms = new Map<string, AlarmDetails>();
  readonly counts = { done: 0, failed: 0, dropped: 0 };
  readonly reasons: string[] = [];
  memoryShort = false;
  readonly #counted = new Set<() => number>();
  readonly log: Log;
  #directory: string | null = null;
  readonly #timers = new Set<Timer>();

  constructor(private readonly keptIn: string | null = null) {
    const line =
      (level: string) =>
      (message: string, more?: unknown): void =>
        void this.lines.push(`${level} ${message} ${JSON.stringify(more ?? {})}`);
    this.log = { error: line("error"), warn: line("warn"), notice: line("notice"), info: line("info"), debug: line("debug") } as Log;
  }

  directory(): string {
    this.#directory ??= this.keptIn ?? mkdtempSync(join(tmpdir(), "baomq-action-"));
    return this.#directory;
  }

  hasDirectory(): boolean {
    return this.#directory !== null || (this.keptIn !== null && existsSync(this.keptIn));
  }

  countWaiting(bytes: () => number): () => void {
    this.#counted.add(bytes);
    return () => this.#counted.delete(bytes);
  }

  /** Bytes that wait in memory, as they are counted for the node; null = nobody counts any. */
  get counted(): number | null {
    return this.#counted.size === 0 ? null : [...this.#counted].reduce((n, bytes) => n + bytes(), 0);
  }

  every(ms: number, fn: () => void): () => void {
    const timer = setInterval(fn, ms);
    this.#timers.add(timer);
    return () => {
      clearInterval(timer);
      this.#timers.delete(timer);
    };
  }

  alarm(what: string, desc: AlarmDetails | null): void {
    if (desc === null) this.alarms.delete(what);
    else this.alarms.set(what, desc);
  }

  done(rows: number): void {
    this.counts.done += rows;
  }
  failed(rows: number, why: string): void {
    this.counts.failed += rows;
    this.reasons.push(why);
  }
  dropped(rows: number): void {
    this.counts.dropped += rows;
  }

  /** Timers that nobody has taken back. */
  get left(): number {
    return this.#timers.size;
  }

  remove(): void {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#directory !== null && this.keptIn === null) rmSync(this.#directory, { recursive: true, force: true });
  }
}

export function kindOf(kinds: Kinds, name: string): { action: ActionKind; resource: ResourceKind } {
  const action = (kinds.actions ?? []).find((a) => a.name === name);
  const resource = (kinds.resources ?? []).find((r) => r.name === action?.type);
  if (action === undefined || resource === undefined) throw new Error(`there is no action ${name}`);
  return { action, resource };
}

/** One action with a resource of its own. */
export class Wired {
  readonly host: ConnectorHost;
  /** Of the resource. */
  readonly server = new ConnectorHost();
  readonly resource;
  readonly action: Action;

  constructor({ action, resource }: ReturnType<typeof kindOf>, config: Params, params: Params, keptIn: string | null = null) {
    this.host = new ConnectorHost(keptIn);
    this.resource = resource.open(config, this.server);
    this.action = action.open(params, this.host, this.resource);
  }

  run(row: Record<string, unknown>, clientId = "c1", columns: Record<string, unknown> = {}): void {
    this.action.run(row, eventOf(clientId, columns));
  }

  /** All that was given has come to something. */
  get settled(): boolean {
    return (this.action.waiting?.().rows ?? 0) === 0;
  }

  get letters(): ReturnType<NonNullable<Action["deadLetters"]>["list"]> {
    return this.action.deadLetters?.list() ?? [];
  }

  get state(): string {
    return this.resource.status()[0]?.state ?? "";
  }

  async close(): Promise<void> {
    await this.action.close();
    await this.resource.close();
    this.host.remove();
    this.server.remove();
  }
}

function eventOf(clientId: string, columns: Record<string, unknown>): ActionEvent {
  return {
    event: "message.publish",
    ruleId: "rule:1",
    clientId,
    lineage: { depth: 0, family: { made: 0 } },
    column: (name) => columns[name],
    cause: () => ({ event: "message.publish", clientId, topic: "t", payload: null }),
  };
}
