/**
 * What rules can do with the rows they make: kinds of actions, and of resources that actions use (a database, a web service). Plugins bring
 * them while they run; the rule engine makes actions and resources of them. Names, parameters and their descriptions are those of EMQ X 3.1.
 */
import type { Lineage } from "../core/message.ts";
import type { Clock, Log } from "../core/ports.ts";
import type { AlarmDetails } from "../core/watch/alarms.ts";
import type { ServerReport, TestStep } from "./reports.ts";

/** One parameter, as EMQ X 3.1 describes it to whoever makes a form of it. */
export interface ParamSpec {
  readonly type: "string" | "number" | "float" | "boolean" | "object" | "array";
  readonly format?: "url" | "topic" | "resource_type" | "any" | "template" | "sql";
  readonly required?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly range?: readonly [min: number, max: number];
  /** Of an object: its fields; of an array: its elements. */
  readonly schema?: ParamsSpec;
  readonly items?: ParamSpec;
  readonly title: string;
  readonly description: string;
  /** Never shown nor exported: a mask stands for it. Ours. */
  readonly secret?: true;
  /** Of a text with a secret somewhere in it: as it may be seen, masks in its place. Not on the wire. Ours. */
  readonly shown?: (text: string) => string;
}
export type ParamsSpec = Readonly<Record<string, ParamSpec>>;

/** Checked against the kind's `params`, defaults filled in. */
export type Params = Readonly<Record<string, unknown>>;

/** What made a row, as the errors of its rule show it: small enough to be kept with the row. */
export interface Cause {
  readonly event: string;
  readonly clientId: string;
  /** Of a message; null = there is none. */
  readonly topic: string | null;
  /** The beginning of it. */
  readonly payload: string | null;
}

/** What made a row: the event a rule looked at. It must not be kept: copy what is needed. */
export interface ActionEvent {
  /** "message.publish", "client.connected" … */
  readonly event: string;
  readonly ruleId: string;
  /** Whose event it is: what is done about one client is done in order. */
  readonly clientId: string;
  /** How many rules have published in a row to make this event; what an action publishes is one deeper. */
  readonly lineage: Lineage;
  /** A column of the event (spec of the rule engine); undefined = there is none. */
  column(name: string): unknown;
  /** What of it may be kept. */
  cause(): Cause;
}

/** What an action tells of what has become of its rows, and what it may use. */
export interface ActionHost {
  readonly clock: Clock;
  readonly log: Log;
  /** Directory of its own, made when it is asked for; what lies there survives a restart. */
  directory(): string;
  /** It is there: an action that was opened before may have left something. */
  hasDirectory(): boolean;
  /** The node is above `node.memory_high_watermark`: nothing more is to be kept in memory. */
  readonly memoryShort: boolean;
  /** Bytes that wait in memory, counted with those in queues. Returns what takes it back, which is to be called at the end. */
  countWaiting(bytes: () => number): () => void;
  /** Coarse timer (100 ms), ends with the action. Returns cancel. */
  every(ms: number, fn: () => void): () => void;
  alarm(what: string, desc: AlarmDetails | null): void;
  /** So many rows have arrived. `ms`: so long after they were sent, together; absent = at once. */
  done(rows: number, ms?: number): void;
  /** So many were given up, and why in words (no secrets). `causes`: what made each of them, null = it is not known; absent = the row in hand. */
  failed(rows: number, why: string, causes?: readonly (Cause | null)[]): void;
  /** So many found no room. */
  dropped(rows: number): void;
}

/** Rows that wait, and their bytes. */
export interface WaitingRows {
  readonly rows: number;
  readonly bytes: number;
  /** Why they cannot be sent now, as the other side said it last, and when, Unix ms. null or absent = nothing stands in their way. */
  readonly behind?: { readonly why: string; readonly at: number } | null;
}

export interface Action {
  /** Take a row. Never throws, never waits: what takes time is queued, within bounds. */
  run(row: Readonly<Record<string, unknown>>, event: ActionEvent): void;
  waiting?(): WaitingRows;
  /** What was given up and is kept to be looked at. */
  readonly deadLetters?: DeadLetters;
  /** Rows that wait and are not on disk are sent for a moment more, or counted as dropped. */
  close(): void | Promise<void>;
  /**
   * Instead of `close` where another one will take its place: what is under way has a moment to end, then rows that wait and dead letters, as far
   * as they are not on disk, are left to that one.
   */
  handOver?(): Promise<Legacy>;
  /** Take over what one of the same kind has left, before the first row. False = it cannot be used. Never throws. */
  inherit?(legacy: Legacy): boolean;
  /**
   * It may not come to be its rule's, or what it is to take over comes later: what lies on the disk stays there until `begin`. Called in the turn in
   * which it was opened, if at all; no row comes before `begin`.
   */
  hold?(): void;
  begin?(): void;
}

/** What an action has left to the next one in its place: whoever made it knows what it is. */
export interface Legacy {
  /** Rows that wait, and their bytes. */
  readonly rows: number;
  readonly bytes: number;
  /** Dead letters. */
  readonly letters: number;
}

/** A row that could not be delivered, as it is on the wire. */
export interface DeadLetter {
  id: number;
  /** When it was given up, Unix ms. */
  at_ms: number;
  why: string;
  /** How often it was sent. */
  tries: number;
  /** In memory. */
  bytes: number;
  /** As it would have been sent, at most 4096 characters. */
  body: string;
}

export interface DeadLetters {
  /** How many there are; the list of them costs more. */
  readonly count: number;
  /** Newest first. */
  list(): DeadLetter[];
  /** Again into the queue, as many as it has room for; without ids all. Returns how many. */
  resend(ids?: readonly number[]): number;
  remove(ids?: readonly number[]): number;
}

export interface ActionKind {
  /** "built_in:republish_action". */
  readonly name: string;
  /** A hook, or a class of hooks. */
  readonly for: "$any" | "$messages" | "$events";
  /** The kind of resource it needs; "built_in" = none. */
  readonly type: string;
  /** Other kinds that will do as well. */
  readonly orTypes?: readonly string[];
  readonly title: string;
  readonly description: string;
  readonly params: ParamsSpec;
  /** `resource`: what a resource kind's `open` has made; null = it needs none. @throws Error in words: such parameters cannot be */
  open(params: Params, host: ActionHost, resource: Resource | null): Action;
}

/** Whether a resource of that type is what the action needs. */
export const takesResource = (kind: Pick<ActionKind, "type" | "orTypes">, type: string): boolean =>
  kind.type === type || kind.orTypes?.includes(type) === true;

export interface Resource {
  /** The servers behind it. */
  status(): ServerReport[];
  close(): void | Promise<void>;
}

/** Of a resource: as of an action, without rows. */
export type ResourceHost = Pick<ActionHost, "clock" | "log" | "every" | "alarm">;

export interface ResourceKind {
  /** "web_hook". */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly params: ParamsSpec;
  /** The server need not be there. @throws Error in words: such a configuration cannot be */
  open(config: Params, host: ResourceHost): Resource;
  /** Try a configuration that is not saved, step by step; leaves nothing behind. */
  test(config: Params, host: ResourceHost): Promise<TestStep[]>;
}

export interface Kinds {
  readonly actions?: readonly ActionKind[];
  readonly resources?: readonly ResourceKind[];
}

/** Kinds by name, with the plugin that has brought each. */
export class ActionKinds {
  readonly actions = new Map<string, ActionKind & { readonly app: string }>();
  readonly resources = new Map<string, ResourceKind & { readonly app: string }>();
  readonly #listeners = new Set<() => void>();

  /** Returns what takes them back. @throws Error when a name is taken */
  offer(app: string, { actions = [], resources = [] }: Kinds): () => void {
    for (const { name } of actions) if (this.actions.has(name)) throw new Error(`there is an action ${name} already`);
    for (const { name } of resources) if (this.resources.has(name)) throw new Error(`there is a resource type ${name} already`);
    for (const kind of actions) this.actions.set(kind.name, { ...kind, app });
    for (const kind of resources) this.resources.set(kind.name, { ...kind, app });
    this.#tell();
    return () => {
      for (const { name } of actions) this.actions.delete(name);
      for (const { name } of resources) this.resources.delete(name);
      this.#tell();
    };
  }

  /** Call `fn` whenever kinds have come or gone. Returns cancel. */
  watch(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  #tell(): void {
    for (const fn of [...this.#listeners]) fn();
  }
}
