/**
 * Actions of rules as they are kept: each has a kind that some plugin brings, which may be away, as may its resource. Then it is kept all the
 * same, says why it does nothing, and is opened when both are back.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { lineOf } from "../../lib/errors.ts";
import { takesResource, type WaitingRows } from "../actions.ts";
import type { Action, ActionEvent, ActionHost, ActionKind, Cause, PluginContext, Resource, ResourceHost } from "../plugin.ts";
import type { ActionMetrics } from "../rules.ts";
import { type ActionFigures, rateRow } from "./figures.ts";
import { Opened, type OpenedWorld } from "./opened.ts";
import { Place, type RowEvent } from "./place.ts";
import type { ResourceSlot } from "./resource_slot.ts";
import { asTold, type Behind, lastSaid, logWith, type Teller, type Users } from "./telling.ts";

const DIRECTORY = "rules";
const NOTHING_WAITS: WaitingRows = { rows: 0, bytes: 0 };

export interface SlotWorld extends OpenedWorld {
  readonly ctx: Pick<PluginContext, "clock" | "log" | "every" | "alarm" | "kinds" | "dataDir" | "broker">;
  /** undefined = there is none of that id. */
  resource(id: string): ResourceSlot | undefined;
  /** It is open, later than its kind has come. */
  openedLate(resource: string): void;
  /** Something went wrong with rows of an action. `causes`: what made each; null = it is not known. */
  failed(rule: string, action: string, why: string, causes: readonly (Cause | null)[]): void;
  /** Something stands in the way of its rows: none has failed for it. */
  told(rule: string, action: string, why: string): void;
  /** Its id, where there is no such rule any more. */
  ruleName(rule: string): string;
  /** Of a resource. */
  users(resource: string): Users;
}

/** What has gone with an action. */
export interface Lost {
  readonly rows: number;
  readonly dead_letters: number;
  /** It was not open, so that nobody knows what lay on the disk. */
  readonly disk?: string;
}

export interface StoredAction {
  readonly id: string;
  readonly name: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly secrets: readonly string[];
}

export class ActionSlot implements Teller {
  readonly #opened: Opened<Action>;
  #kind: ActionKind | null = null;
  #resource: Resource | null = null;
  /** Of the row that it is given now. */
  #inHand: ActionEvent | null = null;
  /** Who opens it: `sync` as its kind and its resource come and go, `resume` alone, or nobody any more. */
  #state: "kept" | "set aside" | "ended" = "kept";

  constructor(
    readonly stored: StoredAction,
    private readonly rule: string,
    private readonly world: SlotWorld,
    /** That of the one whose place it takes; `own` says when. */
    readonly place = new Place(),
  ) {
    this.#opened = new Opened(world, stored.id);
    place.owner ??= this;
  }

  get figures(): ActionFigures {
    return this.place.figures;
  }

  get ruleName(): string {
    return this.world.ruleName(this.rule);
  }

  get kindName(): string {
    return this.stored.name;
  }

  get waiting(): number {
    return (this.action?.waiting?.().rows ?? 0) + this.place.waiting.rows;
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
    return resourceIn(this.stored.params);
  }

  /** Open or close it, as its kind and its resource have come or gone. */
  sync(): void {
    if (this.#state !== "kept") return;
    const { kind } = this;
    const [resource, why] = this.#needs(kind);
    if (why === null && this.#opened.made !== null && kind === this.#kind && resource === this.#resource) return;
    if (this.#opened.made !== null) void this.close();
    this.#kind = kind;
    this.#resource = resource;
    if (why !== null) this.#opened.reason = why;
    else if (this.#opened.closing !== null) {
      this.place.isAwaited = true;
      void this.#opened.closing.then(() => this.sync());
      return;
    } else this.#opened.open((host) => (kind as ActionKind).open(this.stored.params, this.#host(host), resource));
    if (this.place.owner === this) this.#begin();
  }

  /** It is its rule's now. */
  own(): void {
    this.place.owner = this;
    this.sync();
    // Where it closes, because its kind has come anew or gone since it was opened, `sync` sees to what is held.
    if (this.#opened.closing === null) this.#begin();
  }

  /** What was left and held for it comes first. */
  #begin(): void {
    this.#tellLost();
    const action = this.#opened.made;
    if (action === null) {
      this.place.giveUp();
      return;
    }
    this.place.bequeath(action);
    for (const { row, event } of this.place.take()) this.#act(action, row, event);
  }

  /** Once for each time that it was closed: by then it is known how many there are. */
  #tellLost(): void {
    const rows = this.place.takeLost();
    if (rows === 0) return;
    const { world, rule, ruleName } = this;
    const action = this.stored.id;
    world.ctx.log.warn("rows found no room while their action was opened again", { rule: ruleName, action, rows });
    world.told(rule, action, `${rows} rows found no room while it was opened again`);
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
      log: logWith(host.log, () => ({ rule: this.ruleName, action: this.stored.id })),
      alarm: (what, desc) => this.#alarm(host, what, desc),
      directory: () => {
        mkdirSync(this.#directory, { recursive: true });
        return this.#directory;
      },
      hasDirectory: () => existsSync(this.#directory),
      get memoryShort() {
        return world.ctx.broker.memoryShort;
      },
      countWaiting: (bytes) => world.ctx.broker.countWaiting(bytes),
      done: (rows, ms) => {
        figures.success += rows;
        if (ms !== undefined) figures.times.add(ms);
      },
      failed: (rows, why, causes) => this.#failed(rows, why, causes),
      dropped: (rows) => {
        figures.dropped += rows;
      },
    };
  }

  #alarm(host: ResourceHost, what: string, desc: AlarmDetails | null): void {
    host.alarm(what, desc && asTold(desc, this));
    if (desc !== null) this.world.told(this.rule, this.stored.id, `${desc.title}: ${desc.summary}`);
  }

  #failed(rows: number, why: string, causes: readonly (Cause | null)[] = [this.#inHand?.cause() ?? null]): void {
    const { figures, world } = this;
    figures.failed += rows;
    figures.lastError = why;
    figures.lastErrorAt = world.ctx.clock.now();
    world.failed(this.rule, this.stored.id, why, causes);
  }

  /** Of the rule that it belongs to: a row. */
  run(row: Readonly<Record<string, unknown>>, event: RowEvent): void {
    this.figures.taken++;
    const action = this.#opened.made;
    if (action === null) this.place.hold(row, event);
    else this.#act(action, row, event);
  }

  #act(action: Action, row: Readonly<Record<string, unknown>>, event: ActionEvent): void {
    this.#inHand = event;
    try {
      action.run(row, event);
    } catch (err) {
      this.#failed(1, lineOf(err));
    }
    this.#inHand = null;
  }

  metrics(): ActionMetrics {
    const { figures: f, action, place } = this;
    const waits = action?.waiting?.() ?? NOTHING_WAITS;
    const last = lastSaid({ why: f.lastError, at: f.lastErrorAt }, waits.behind);
    return {
      taken: f.taken,
      success: f.success,
      failed: f.failed,
      dropped: f.dropped,
      waiting: waits.rows + place.waiting.rows,
      waiting_bytes: waits.bytes + place.waiting.bytes,
      dead_letters: action === null ? place.letters : (action.deadLetters?.count ?? null),
      ...rateRow(f.rate),
      p95_ms: f.times.p95,
      last_error: last.why,
      last_error_at_ms: last.at,
    };
  }

  /** Why rows that wait cannot be sent: the other side is away, or takes none of them; null = nothing stands in their way. */
  get behind(): Behind | null {
    return this.action?.waiting?.().behind ?? null;
  }

  /** Until `sync`, or until another one has its place: what waits, and what comes meanwhile, is for whoever is opened there next. */
  close(): Promise<void> {
    this.place.isAwaited = true;
    return this.#opened.close("it is opened again", async (action) => {
      if (action.handOver === undefined) await action.close();
      else this.place.leave(await action.handOver());
    });
  }

  /** As `close`, but until `resume`, whatever comes or goes: what it uses is changed, or another one is to have its place. */
  setAside(): Promise<void> {
    if (this.#state === "kept") this.#state = "set aside";
    return this.close();
  }

  resume(): void {
    if (this.#state === "set aside") this.#state = "kept";
    this.sync();
  }

  /** It does not come to be its rule's: whoever has its place may be opened again. */
  async discard(): Promise<void> {
    await this.end();
    if (this.place.owner === this) this.forget();
  }

  /** For good; what lies on disk stays for a successor of the same id. */
  async end(): Promise<void> {
    this.#state = "ended";
    await this.#opened.close("closed");
    if (this.place.owner === this) this.place.end();
  }

  /** For good, with what lies on the disk. Returns what has gone with it; null = nothing. */
  async drop(): Promise<Lost | null> {
    const { figures, action, place } = this;
    const came = (): number => figures.success + figures.failed;
    const [waited, before] = [action?.waiting?.().rows ?? 0, came()];
    this.#state = "ended";
    await this.#opened.close("deleted");
    // What is sent at the last moment is not lost.
    const rows = Math.min(waited, Math.max(0, waited - (came() - before))) + place.waiting.rows;
    const letters = (action === null ? place.letters : action.deadLetters?.count) ?? 0;
    const isUnread = action === null && existsSync(this.#directory);
    if (place.owner === this) place.end();
    this.forget();
    if (rows === 0 && letters === 0 && !isUnread) return null;
    return { rows, dead_letters: letters, ...(isUnread && { disk: "what lies there was not counted" }) };
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

/** The resource that parameters of an action name; null = none. */
export function resourceIn({ $resource: id }: Readonly<Record<string, unknown>>): string | null {
  return typeof id === "string" && id !== "" ? id : null;
}
