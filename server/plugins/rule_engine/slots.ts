/**
 * Actions of rules, and the resources that they use, as they are kept: each has a kind that some plugin brings, which may be away. Then it is
 * kept all the same, says why it does nothing, and is opened when the kind is back.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { lineOf } from "../../lib/errors.ts";
import { takesResource } from "../actions.ts";
import type {
  Action,
  ActionEvent,
  ActionHost,
  ActionKind,
  Params,
  PluginContext,
  Resource,
  ResourceHost,
  ResourceKind,
} from "../plugin.ts";
import type { ActionMetrics } from "../rules.ts";
import { ActionFigures } from "./figures.ts";

const DIRECTORY = "rules";

export interface SlotWorld {
  readonly ctx: Pick<PluginContext, "clock" | "log" | "every" | "alarm" | "kinds" | "dataDir" | "broker">;
  /** undefined = there is none of that id. */
  resource(id: string): ResourceSlot | undefined;
  /** Something went wrong with rows of an action; `event` is known while it is run. */
  failed(rule: string, action: string, why: string): void;
}

/** What may need to be closed before it is opened again, with what else ends then. */
class Opened<T extends { close(): void | Promise<void> }> {
  #made: T | null = null;
  #closing: Promise<void> | null = null;
  readonly #undo = new Set<() => void>();
  readonly #alarms = new Map<string, () => void>();
  /** Why there is none. */
  reason: string | null = "not opened yet";

  constructor(
    private readonly world: SlotWorld,
    /** For alarms and the log. */
    private readonly id: string,
  ) {}

  get made(): T | null {
    return this.#made;
  }

  get closing(): Promise<void> | null {
    return this.#closing;
  }

  open(make: (host: ResourceHost) => T): void {
    try {
      this.#made = make(this.host());
      this.reason = null;
    } catch (err) {
      this.reason = lineOf(err);
      this.#end();
    }
  }

  host(): ResourceHost {
    const { clock, log, every, alarm } = this.world.ctx;
    return {
      clock,
      log,
      every: (ms, fn) => {
        const cancel = every(ms, fn);
        this.#undo.add(cancel);
        return () => {
          this.#undo.delete(cancel);
          cancel();
        };
      },
      alarm: (what, desc) => {
        const name = `${this.id}_${what}`;
        if (desc === null) this.#alarms.delete(name);
        else this.#alarms.set(name, () => alarm(name, null));
        alarm(name, desc);
      },
    };
  }

  /** Resolves when it has ended; never rejects. */
  close(reason: string): Promise<void> {
    this.reason = reason;
    const made = this.#made;
    if (made === null) return this.#closing ?? Promise.resolve();
    this.#made = null;
    const ended = this.#finish(made).then(() => {
      if (this.#closing === ended) this.#closing = null;
    });
    this.#closing = ended;
    return ended;
  }

  async #finish(made: T): Promise<void> {
    try {
      await made.close();
    } catch (err) {
      this.world.ctx.log.error("closing failed", { what: this.id, error: lineOf(err) });
    }
    this.#end();
  }

  #end(): void {
    for (const cancel of this.#undo) cancel();
    this.#undo.clear();
    for (const clear of this.#alarms.values()) clear();
    this.#alarms.clear();
  }
}

/** As it is stored. */
export interface StoredResource {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly description: string;
  /** Names of secrets in `config`. */
  readonly secrets: readonly string[];
}

export class ResourceSlot {
  readonly #opened: Opened<Resource>;
  #kind: ResourceKind | null = null;
  /** It has gone, and is not opened any more. */
  #ended = false;

  constructor(
    readonly stored: StoredResource,
    private readonly world: SlotWorld,
  ) {
    this.#opened = new Opened(world, stored.id);
  }

  get resource(): Resource | null {
    return this.#opened.made;
  }

  /** Why it cannot be used; null = it can. */
  get reason(): string | null {
    return this.#opened.reason;
  }

  get kind(): ResourceKind | null {
    return this.world.ctx.kinds.resources.get(this.stored.type) ?? null;
  }

  /** It is open, and its kind has gone or is another one. */
  get stale(): boolean {
    return this.#opened.made !== null && this.kind !== this.#kind;
  }

  /** Open or close it, as its kind has come or gone. */
  sync(): void {
    const { kind } = this;
    if (this.#ended || (kind !== null && kind === this.#kind && this.#opened.made !== null)) return;
    if (this.#opened.made !== null) void this.close("its plugin does not run");
    this.#kind = kind;
    if (kind === null) this.#opened.reason = `there is no resource type ${this.stored.type} now: the plugin that brings it does not run`;
    else if (this.#opened.closing !== null) void this.#opened.closing.then(() => this.sync());
    else this.#opened.open((host) => kind.open(this.stored.config as Params, host));
  }

  close(reason: string): Promise<void> {
    return this.#opened.close(reason);
  }

  async restart(): Promise<void> {
    await this.close("it is opened again");
    this.sync();
  }

  end(): Promise<void> {
    this.#ended = true;
    return this.close("deleted");
  }
}

export interface StoredAction {
  readonly id: string;
  readonly name: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
}

export class ActionSlot {
  readonly #opened: Opened<Action>;
  #kind: ActionKind | null = null;
  #resource: Resource | null = null;
  #ended = false;

  constructor(
    readonly stored: StoredAction,
    private readonly rule: string,
    private readonly world: SlotWorld,
    readonly figures = new ActionFigures(),
  ) {
    this.#opened = new Opened(world, stored.id);
  }

  get reason(): string | null {
    return this.#opened.reason;
  }

  get action(): Action | null {
    return this.#opened.made;
  }

  get kind(): ActionKind | null {
    return this.world.ctx.kinds.actions.get(this.stored.name) ?? null;
  }

  /** The resource that its parameters name; null = none. */
  get resourceId(): string | null {
    const id = this.stored.params.$resource;
    return typeof id === "string" && id !== "" ? id : null;
  }

  /** Open or close it, as its kind and its resource have come or gone. */
  sync(): void {
    if (this.#ended) return;
    const { kind } = this;
    const [resource, why] = this.#needs(kind);
    if (why === null && this.#opened.made !== null && kind === this.#kind && resource === this.#resource) return;
    if (this.#opened.made !== null) void this.#opened.close("closed");
    this.#kind = kind;
    this.#resource = resource;
    if (why !== null) this.#opened.reason = why;
    else if (this.#opened.closing !== null) void this.#opened.closing.then(() => this.sync());
    else this.#opened.open((host) => (kind as ActionKind).open(this.stored.params, this.#host(host), resource));
  }

  #needs(kind: ActionKind | null): [Resource | null, why: string | null] {
    if (kind === null) return [null, `there is no action ${this.stored.name} now: the plugin that brings it does not run`];
    if (kind.type === "built_in") return [null, null];
    const id = this.resourceId;
    if (id === null) return [null, "$resource is missing: it names the resource that the action uses"];
    const slot = this.world.resource(id);
    if (slot === undefined) return [null, `Resource ${id} Not Found`];
    if (!takesResource(kind, slot.stored.type))
      return [null, `resource ${id} is of type ${slot.stored.type}, the action needs one of type ${kind.type}`];
    return slot.resource === null ? [null, `resource ${id}: ${slot.reason}`] : [slot.resource, null];
  }

  /** Ids may be anybody's: a digest keeps two actions from having one directory, and any of them from having another name for one above. */
  get #directory(): string {
    const { id } = this.stored;
    const digest = createHash("sha256")
      .update(JSON.stringify([this.rule, id]))
      .digest("hex")
      .slice(0, 16);
    return join(this.world.ctx.dataDir, DIRECTORY, `${id.replaceAll(/[^\w-]/g, "_").slice(0, 100)}-${digest}`);
  }

  #host(host: ResourceHost): ActionHost {
    const { figures, world } = this;
    return {
      ...host,
      directory: () => {
        mkdirSync(this.#directory, { recursive: true });
        return this.#directory;
      },
      hasDirectory: () => existsSync(this.#directory),
      get memoryShort() {
        return world.ctx.broker.memoryShort;
      },
      countWaiting: (bytes) => world.ctx.broker.countWaiting(bytes),
      done: (rows) => {
        figures.success += rows;
      },
      failed: (rows, why) => {
        figures.failed += rows;
        this.#note(why);
        world.failed(this.rule, this.stored.id, why);
      },
      dropped: (rows) => {
        figures.dropped += rows;
      },
    };
  }

  #note(why: string): void {
    this.figures.lastError = why;
    this.figures.lastErrorAt = this.world.ctx.clock.now();
  }

  run(row: Readonly<Record<string, unknown>>, event: ActionEvent): void {
    const { figures } = this;
    figures.taken++;
    const action = this.#opened.made;
    if (action === null) {
      figures.dropped++;
      return;
    }
    try {
      action.run(row, event);
    } catch (err) {
      figures.failed++;
      const why = lineOf(err);
      this.#note(why);
      this.world.failed(this.rule, this.stored.id, why);
    }
  }

  metrics(): ActionMetrics {
    const { figures: f, action } = this;
    const waits = action?.waiting?.() ?? { rows: 0, bytes: 0 };
    return {
      taken: f.taken,
      success: f.success,
      failed: f.failed,
      dropped: f.dropped,
      waiting: waits.rows,
      waiting_bytes: waits.bytes,
      dead_letters: action?.deadLetters?.count ?? null,
      last_error: f.lastError,
      last_error_at_ms: f.lastErrorAt,
    };
  }

  /** Until `sync`. */
  close(): Promise<void> {
    return this.#opened.close("closed");
  }

  /** For good; what lies on disk stays for a successor of the same id. */
  end(): Promise<void> {
    this.#ended = true;
    return this.close();
  }

  /** Nothing of it is wanted any more. */
  forget(): void {
    try {
      rmSync(this.#directory, { recursive: true, force: true });
    } catch (err) {
      this.world.ctx.log.warn("what an action had on disk cannot be deleted", { action: this.stored.id, error: lineOf(err) });
    }
  }
}
