/**
 * What rules write to: a kind of server, whose connections actions share, and the actions that write there. A connector says what it needs, how a
 * row becomes an item, and how items are written; everything else (asking, breaker, queue, retries, dead letters, figures) is the same for all.
 */
import { wordsOf } from "../../lib/errors.ts";
import { type Advice, advised, asQuestion, noteQuestion, type SettingKeys } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import type { BackendOptions, Judgement } from "../_backend/options.ts";
import { quietHost } from "../_backend/quiet_host.ts";
import { backendHost } from "../_backend/resource_host.ts";
import { TestSteps } from "../_backend/test_steps.ts";
import type { ActionEvent, ActionKind, Params, ParamsSpec, Resource, ResourceHost, ResourceKind, TestStep } from "../plugin.ts";
import { deliver, QUEUE } from "./delivery.ts";
import { RESOURCE, type ValuesIn, valuesIn } from "./params.ts";

export type Row = Readonly<Record<string, unknown>>;

/** What of a batch has not arrived: index -> the driver's error. */
export type Missing = ReadonlyMap<number, unknown>;

/** Everything has arrived. */
export const NOTHING: Missing = new Map();

/** `key`: of the parameters that say what is written. */
export async function asWritten(key: string, answer: Promise<Missing>): Promise<Missing> {
  const missing = await asQuestion(key, answer);
  for (const err of missing.values()) noteQuestion(key, err);
  return missing;
}

/** A kind of server, as a resource. `D`: its driver. */
export interface Server<S extends ParamsSpec, D> {
  /** "pgsql". */
  readonly name: string;
  /** For people: "PostgreSQL". */
  readonly title: string;
  readonly description: string;
  readonly params: S;
  /** Names of the parameters to look at when it fails. */
  readonly keys: SettingKeys;
  readonly advice: readonly Advice[];
  judge(err: unknown): Judgement;
  /** An error in the driver's own words, without secrets; by default its message. */
  readonly plain?: (err: unknown) => string;
  /** `trying`: the configuration is nobody's yet. @throws Error in words: such a configuration cannot be */
  open(config: ValuesIn<S>, host: ResourceHost, trying: boolean): Pool<D>;
}

/** One server's drivers, and how it is asked. */
export interface Pool<D> extends Pick<BackendOptions<D>, "what" | "open" | "close" | "lost" | "probe" | "pool" | "retries"> {
  readonly perConnection?: number;
  readonly probeProves?: boolean;
  readonly timeoutMs: number;
}

/** What an action makes of rows. `I`: what is kept of one until it is sent: anything that `jsonCodec` knows. */
export interface Writing<D, I> {
  /** Must not hold on to the row. @throws Error in words: such a row cannot be sent */
  make(row: Row, event: ActionEvent): I;
  /** For people, as it would be sent. */
  shown(item: I): string;
  /** Rejects: nobody knows what has arrived, or nothing has. */
  write(driver: D, items: readonly I[], attempt: Attempt): Promise<Missing>;
  /**
   * What an item means nothing without: items that were made under another one, and have waited on the disk since, are not written. By default all
   * of its meaning is in it.
   */
  readonly meaning?: string;
  /** Of an error that is judged "part": it may be this item's own fault, and others need not wait for it. By default none is. */
  blames?(err: unknown): boolean;
}

/** One try to write some items. */
export interface Attempt {
  /** False = its time is over, and all of it is sent again: what has not been begun is not to be, and what can be taken back is. */
  wanted(): boolean;
  /** Writes have gone on behind their time limit lately: it is to be all or nothing where that is possible. */
  readonly careful: boolean;
}

export interface Writer<S extends ParamsSpec, D, I> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly params: S;
  /** @throws Error in words: such parameters cannot be */
  open(params: ValuesIn<S>): Writing<D, I>;
}

/** What a resource is to its actions. */
export class Connected<D> implements Resource {
  constructor(
    readonly backend: Backend<D>,
    readonly pool: number,
    readonly timeoutMs: number,
    readonly judge: (err: unknown) => Judgement,
    /** An error of the driver's for people. */
    readonly words: (err: unknown) => string,
  ) {}

  status(): ReturnType<Resource["status"]> {
    return [this.backend.status()];
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}

export function resourceKind<const S extends ParamsSpec, D>(server: Server<S, D>): ResourceKind {
  const { name, title, description, params } = server;
  const open = (config: Params, host: ResourceHost, trying: boolean): Connected<D> => connect(server, config, host, trying);
  return {
    name,
    title,
    description,
    params,
    open: (config, host) => open(config, host, false),
    test: (config, host) => tried(open, config, host),
  };
}

function connect<S extends ParamsSpec, D>(server: Server<S, D>, config: Params, host: ResourceHost, trying: boolean): Connected<D> {
  const opened = server.open(valuesIn(server.params, config), host, trying);
  const { judge, advice: table, keys, plain } = server;
  const words = advised({ judge, table, keys, ...(plain !== undefined && { plain }) });
  const backend = new Backend<D>(backendHost(host), {
    perConnection: 1,
    probeProves: true,
    alarm: "down",
    ...opened,
    ...words,
  });
  return new Connected(backend, opened.pool, opened.timeoutMs, judge, words.words ?? wordsOf);
}

/** `types`: of the resources that will do. */
export function actionKind<const S extends ParamsSpec, D, I>(types: readonly [string, ...string[]], writer: Writer<S, D, I>): ActionKind {
  const { name, title, description } = writer;
  const [type, ...orTypes] = types;
  const params = { ...RESOURCE, ...writer.params, ...QUEUE };
  return {
    name,
    for: "$any",
    type,
    ...(orTypes.length > 0 && { orTypes }),
    title,
    description,
    params,
    open(given, host, resource) {
      if (!(resource instanceof Connected)) throw new Error(`it needs a resource of type ${types.join(" or ")}`);
      const writing = writer.open(valuesIn(writer.params, given));
      return deliver(host, valuesIn(QUEUE, given), resource as Connected<D>, name, writing);
    },
  };
}

// ---- the test of a configuration

async function tried<D>(
  open: (config: Params, host: ResourceHost, trying: boolean) => Connected<D>,
  config: Params,
  { clock }: ResourceHost,
): Promise<TestStep[]> {
  const steps = new TestSteps(clock);
  const quiet = quietHost(clock);
  let opened: Connected<D> | null = null;
  try {
    const usable = await steps.take("settings", async () => {
      opened = open(config, quiet.host, true);
      return "the settings can be used";
    });
    if (usable) await steps.take("connect", () => answers(opened as unknown as Connected<D>));
  } finally {
    await (opened as Connected<D> | null)?.close();
    quiet.end();
  }
  return steps.taken;
}

async function answers<D>({ backend }: Connected<D>): Promise<string> {
  await backend.tried;
  const { what, state, lastError } = backend.status();
  if (state !== "up") throw new Error(`${what} does not answer: ${lastError ?? ""}`);
  return `${what} answers`;
}
