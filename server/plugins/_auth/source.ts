/** What all plugins share that ask a server outside: its life with the plugin's, settings that change while it runs, the test of settings. */

import { watchClient } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between } from "../../lib/time.ts";
import type { Backend } from "../_backend/backend.ts";
import { Figures } from "../_backend/figures.ts";
import type { BackendHost } from "../_backend/host.ts";
import { quietHost } from "../_backend/quiet_host.ts";
import type {
  AnyPlugin,
  ConfigTable,
  PluginContext,
  PluginManifest,
  Settings,
  TestContext,
  TestRequest,
  TestStep,
  ValuesOf,
  VerdictCounts,
} from "../plugin.ts";
import type { LookupHost } from "./lookup.ts";
import { askOutside, HALF_WORDS, isHalf, type OnError, type OutsideAuth, type PassesOn, passesOn, whyUnchecked } from "./outside.ts";

/** A server and the questions of one plugin to it, with certain settings. */
export interface Source {
  readonly auth: OutsideAuth;
  readonly backends: readonly Asked[];
}

/** A back end, whatever its driver is. */
export type Asked = Pick<Backend<unknown>, "alarm" | "status" | "tried" | "retire" | "close">;

/** What a source is made of: the same for one that serves and for one that is only tried. */
export interface SourceHost extends BackendHost, LookupHost {
  /** Counted on when only settings change. */
  figures(what: string): Figures;
  /** Settings that nobody has saved are tried: what is asked with them must change nothing there. */
  readonly onlyTries: boolean;
  /**
   * The setting is in force. What a question answers that somebody only tries is counted and named, not shown: whoever may try settings could ask for
   * anything that the account may read.
   */
  isSaved(key: string): boolean;
  /** Connections or calls at a time, of so many as are set: a test takes two, whatever it says. */
  pool(set: number): number;
}

export interface OutsidePlugin<C extends ConfigTable> {
  /** @throws Error naming the key whose value cannot be used; before a back end is made, which would ask on for nobody */
  open(host: SourceHost, config: ValuesOf<C>, many: Settings<C>["many"]): Source;
  onError(config: ValuesOf<C>): OnError;
  /** The key with which a server that is asked over TLS may be anybody; null = its certificate is looked at, or there is no TLS. */
  unverified?(config: ValuesOf<C>): string | null;
  /** Whoever comes without a user name or a password is asked about, too. */
  takesHalf?: true;
  /** Where `on_error = ignore` is not what it is with most. */
  passesOn?: PassesOn;
}

type Own<N extends string, C extends ConfigTable> = Pick<PluginManifest<N, C>, "name" | "description" | "config" | "liveKeys">;

/** The manifest of a plugin that asks outside: off at first, and never stopped for its settings, since it keeps strangers out. `more`: what it does beside asking. */
export function defineOutside<const N extends string, const C extends ConfigTable>(
  own: Own<N, C>,
  outside: OutsidePlugin<C>,
  more?: (ctx: PluginContext<C>) => void,
): AnyPlugin {
  return {
    ...own,
    version: "v3.1.0",
    activeByDefault: false,
    guards: true,
    onErrorOf: (outside.passesOn ?? passesOn)("authenticate", "down") ? "all" : "topics",
    inPlace: true,
    start(ctx: PluginContext<C>) {
      startOutside(ctx, outside);
      more?.(ctx);
    },
    test: (ctx: TestContext<C>, request: TestRequest) => testOutside(ctx, request, outside),
  } as unknown as AnyPlugin;
}

/** The plugin's `start`. The server need not be there: then that is told, and everybody is answered as `on_error` says. */
export function startOutside<C extends ConfigTable>(ctx: PluginContext<C>, plugin: OutsidePlugin<C>): void {
  const counts = { authentication: noVerdicts(), acl: noVerdicts() };
  const host: SourceHost = {
    clock: ctx.clock,
    log: ctx.log,
    figures: figuresByName(),
    onlyTries: false,
    isSaved: () => true,
    pool: (set) => set,
    every: (ms, fn) => ctx.every(ms, fn),
    alarm: (what, desc) => ctx.alarm(what, desc),
    outages: new Map(),
    count: (metric) => ctx.broker.count(metric),
    get aclEpoch() {
      return ctx.broker.aclEpoch;
    },
  };
  const open = (): Source => plugin.open(host, ctx.config, (key) => ctx.many(key));
  let source = open();
  let deciding = new Deciding();
  const isPassedOn = plugin.passesOn ?? passesOn;
  let wasOpen = false;
  let unverified: string | null = null;
  const warn = (): void => {
    const isOpen = plugin.onError(ctx.config) === "ignore" && isPassedOn("authenticate", "down") && ctx.broker.allowsAnonymous;
    if (isOpen && !wasOpen) ctx.log.warn("on_error = ignore: while the server is down, whoever allow_anonymous lets in comes in unasked");
    wasOpen = isOpen;
    const key = plugin.unverified?.(ctx.config) ?? null;
    if (key !== null && key !== unverified)
      ctx.log.warn("TLS without a look at the server's certificate: whoever is on the way can read passwords, and let in anybody", { key });
    unverified = key;
  };
  warn();
  // Zones are not the plugin's settings: nobody tells it of them.
  ctx.every(ZONES_MS, warn);
  askOutside(ctx, () => source.auth, {
    onError: () => plugin.onError(ctx.config),
    passesOn: isPassedOn,
    counts,
    takesHalf: plugin.takesHalf ?? false,
    begins: () => deciding.begins(),
  });
  /** Whose last answers are still to come: they end with the plugin, whose timers they live on. */
  const former = new Set<Asked>();
  ctx.changed(() => {
    const replaced = source;
    source = open();
    // Between two questions of a log-in its password is compared, which takes a while, and asks nobody.
    const decided = deciding.all();
    deciding = new Deciding();
    warn();
    const heirs = new Set(source.backends.map(({ alarm }) => alarm));
    for (const backend of replaced.backends) {
      former.add(backend);
      void backend.retire(heirs.has(backend.alarm), decided).then(() => former.delete(backend));
    }
    ctx.broker.aclChanged();
  });
  ctx.report(() => ({
    servers: source.backends.map((b) => b.status()),
    authentication: { ...counts.authentication },
    acl: source.auth.check === undefined ? null : { ...counts.acl },
  }));
  ctx.closing(() => closeAll([...source.backends, ...former]));
}

/** Log-ins that have begun with one source. */
class Deciding {
  #n = 0;
  readonly #none = Promise.withResolvers<void>();
  #awaited = false;

  /** Returns what ends it. */
  begins(): () => void {
    this.#n++;
    return () => {
      this.#n--;
      this.#look();
    };
  }

  /** Settled when all are over; none begins behind that. */
  all(): Promise<void> {
    this.#awaited = true;
    this.#look();
    return this.#none.promise;
  }

  #look(): void {
    if (this.#awaited && this.#n === 0) this.#none.resolve();
  }
}

/** So often the zones are looked at. */
const ZONES_MS = 1000;

/** Names that settings have brought up; further ones are not remembered. */
const NAMES_MAX = 100;

function figuresByName(): SourceHost["figures"] {
  const known = new Map<string, Figures>();
  return (what) => {
    const figures = known.get(what) ?? new Figures();
    if (known.size < NAMES_MAX) known.set(what, figures);
    return figures;
  };
}

function noVerdicts(): VerdictCounts {
  return { allowed: 0, denied: 0, ignored: 0, errors: 0 };
}

/** The plugin's `test`: connect, authenticate, and one question to the rules if one was asked. */
async function testOutside<C extends ConfigTable>(
  ctx: TestContext<C>,
  request: TestRequest,
  plugin: OutsidePlugin<C>,
): Promise<TestStep[]> {
  const { clock } = ctx;
  const steps: TestStep[] = [];
  const client = ctx.client(request);
  const told = watchClient(client);
  const step = async (name: string, run: () => Promise<Pick<TestStep, "verdict" | "why">>): Promise<boolean> => {
    const since = clock.mono();
    const found = await run().catch((err: unknown) => ({ verdict: "error" as const, why: wordsOf(err) }));
    const { asked, why } = told();
    steps.push({
      step: name,
      ...found,
      ...(why !== null && found.verdict !== "error" && { why }),
      ms: between(since, clock.mono()),
      asked,
    });
    return found.verdict !== "error";
  };
  const quiet = quietHost(clock);
  let source: Source | null = null;
  try {
    const opened = await step("settings", async () => {
      source = plugin.open(onlyTrying(quiet.host, ctx.isSaved), ctx.config, (key) => ctx.many(key));
      return { verdict: "ok", why: "the settings can be used" };
    });
    if (!opened || source === null) return steps;
    const { auth, backends } = source as Source;
    if (backends.length === 0 || (await step("connect", () => connected(backends))))
      await questions(step, auth, client, request, plugin.takesHalf ?? false);
  } finally {
    quiet.end();
    if (source !== null) await closeAll((source as Source).backends);
  }
  return steps;
}

type Step = (name: string, run: () => Promise<Pick<TestStep, "verdict" | "why">>) => Promise<boolean>;

async function connected(backends: Source["backends"]): Promise<Pick<TestStep, "verdict" | "why">> {
  await Promise.all(backends.map((b) => b.tried));
  const all = backends.map((b) => b.status());
  const down = all.filter((s) => s.state === "down").map((s) => `${s.what} does not answer: ${s.lastError ?? ""}`);
  if (down.length > 0) return { verdict: "error", why: down.join("; ") };
  return { verdict: "ok", why: `${all.map((s) => s.what).join(", ")} answers` };
}

async function closeAll(backends: readonly Asked[]): Promise<void> {
  await Promise.all(backends.map((b) => b.close()));
}

async function questions(step: Step, auth: OutsideAuth, client: ClientInfo, request: TestRequest, takesHalf: boolean): Promise<void> {
  const { action, topic } = request;
  const password = new TextEncoder().encode(request.password ?? "");
  let isSuper = false;
  await step("authenticate", async () => {
    if (!takesHalf && isHalf(client, password)) return { verdict: "ignore", why: HALF_WORDS };
    const found = await auth.authenticate(client, password, () => true);
    if (found === null) return { verdict: "ignore", why: "not known there" };
    if (found.allow !== true) return { verdict: found.allow === null ? "ignore" : "deny", why: found.why };
    isSuper = found.isSuper === true;
    return { verdict: "allow", why: isSuper ? "let in, as a super user" : "let in" };
  });
  if (action === null || topic === null) return;
  await step("acl", async () => {
    if (isSuper) return { verdict: "allow", why: "super users may do everything" };
    const unchecked = whyUnchecked(auth, client);
    if (unchecked !== null) return { verdict: "ignore", why: unchecked };
    const found = (await auth.check?.(client, action, topic)) ?? null;
    if (found === null || found.verdict === null) return { verdict: "ignore", why: found?.why ?? "no rule speaks of it" };
    return { verdict: found.verdict, why: found.why ?? found.verdict };
  });
}

/** One that asks, and one for the probe. */
const TRIAL_POOL = 2;

/** What is asked with settings that nobody saved counts nowhere. */
const onlyTrying = (host: BackendHost, isSaved: SourceHost["isSaved"]): SourceHost => ({
  ...host,
  isSaved,
  pool: (set) => Math.min(set, TRIAL_POOL),
  figures: figuresByName(),
  onlyTries: true,
  aclEpoch: 0,
  count: () => {},
});
