/** The context a running plugin works in, and the list of all it registered. */
import type { HookFilter, HookPoint, HookPoints } from "../core/hooks.ts";
import type { Clock, Log, Store } from "../core/ports.ts";
import type { AclStep, AuthStep } from "../core/types.ts";
import { RC } from "../mqtt/reason_codes.ts";
import type { ActionKinds } from "./actions.ts";
import type { AnyPlugin, ConfigTable, HookOptions, Host, PluginContext, PluginReport } from "./plugin.ts";
import type { ManagedBroker } from "./plugin_broker.ts";

export interface ContextParts {
  broker: ManagedBroker;
  store: Store;
  clock: Clock;
  log: Log;
  host: Host;
  dataDir: string;
}

/** A plugin between start and unload. */
export interface Running {
  readonly ctx: PluginContext<ConfigTable>;
  service: unknown;
  /** `ctx.config` has these values, and the plugin hears of it. When it throws, the former values are back. */
  apply(keys: readonly string[], value: (key: string) => unknown): void;
  value(key: string): unknown;
  /** null = it has nothing to tell. */
  report(): PluginReport | null;
  /** Whoever it may refuse is refused, also when it is closed, until what is returned is called. null = it does not hang on the access chain. */
  bar(): (() => void) | null;
  /** Take back everything, last registered first. Errors are reported, the rest still runs. */
  close(): Promise<void>;
}

/** A handler that stands on a hook. */
interface Hung {
  readonly point: HookPoint;
  readonly id: string;
  readonly priority: number;
  readonly filter: HookFilter | null;
}

export interface ContextWishes {
  values: Record<string, unknown>;
  many(key: string): ReadonlyMap<string, unknown>;
  kinds: ActionKinds;
  /** Something of the plugin's threw. */
  failed(where: string, err: unknown): void;
}

export function createContext(plugin: AnyPlugin, parts: ContextParts, wishes: ContextWishes): Running {
  const { broker } = parts;
  const { failed } = wishes;
  const undo = new Set<() => void | Promise<void>>();
  /** Plugins are asked in the order in which they were started, also one that hangs on a hook later, or again. */
  const place = broker.place();
  /** Numbers of its handlers. */
  const numbers = new Map<HookPoint, Set<number>>();
  const hung = new Set<Hung>();
  const listeners: ((keys: readonly string[]) => void)[] = [];
  const alarms = new Set<string>();
  let reporter: (() => PluginReport) | null = null;
  let closed = false;
  /** Why whoever comes meanwhile is refused, of one that is started again; null = nobody is. */
  let barredBy: string | null = null;

  /** Later registrations of a plugin that is gone (an answer that came late) do nothing. */
  function keep(take: () => () => void | Promise<void>): () => void {
    if (closed) return () => {};
    const back = take();
    undo.add(back);
    return () => {
      undo.delete(back);
      void back();
    };
  }

  /** A hook that throws denies or is skipped, as its owner decides; here it is noted whose it was, and slips are made harmless. */
  function watched<P extends HookPoint>(point: P, fn: HookPoints[P]): HookPoints[P] {
    const inner = fn as (a?: unknown, b?: unknown, c?: unknown, d?: unknown) => unknown;
    const rethrow = (err: unknown): never => {
      failed(point, err);
      throw err;
    };
    const settle = (result: Promise<unknown>): unknown => {
      if (point === "client.authenticate" || point === "client.check_acl") return result.catch(rethrow);
      result.catch((err) => failed(point, err));
      // An answer that comes too late is none: what was to be checked must not pass.
      if (point === "message.publish") throw new Error("message.publish cannot wait for a promise");
      return undefined;
    };
    const outer = (a?: unknown, b?: unknown, c?: unknown, d?: unknown): unknown => {
      // Whoever was under way when it closed is asked about by the handler of before.
      if (closed && barredBy !== null && point === "client.authenticate") return refused(barredBy);
      if (closed && barredBy !== null && point === "client.check_acl") return denied(barredBy);
      try {
        const result = inner(a, b, c, d);
        if (result instanceof Promise) return settle(result);
        // A forgotten `return message` means: unchanged.
        return result === undefined && point === "message.publish" ? a : result;
      } catch (err) {
        return rethrow(err);
      }
    };
    return outer as HookPoints[P];
  }

  function timer(fn: () => void): () => void {
    return () => {
      try {
        fn();
      } catch (err) {
        failed("timer", err);
      }
    };
  }

  const ctx: PluginContext<ConfigTable> = {
    name: plugin.name,
    config: wishes.values,
    many: (key) => wishes.many(key) as ReadonlyMap<string, never>,
    store: parts.store,
    kv: parts.store.kv(`plugin/${plugin.name}`),
    log: prefixed(parts.log, plugin.name),
    clock: parts.clock,
    broker,
    host: parts.host,
    dataDir: parts.dataDir,

    hook(point, fn, options: HookOptions = {}) {
      const { priority = 0, ...filter } = options;
      const narrowed = Object.keys(filter).length > 0 ? filter : null;
      return keep(() => {
        // One id per handler: the same id on the same point would replace. Whoever hangs anew has the same one as before.
        const taken = numbers.get(point) ?? new Set();
        numbers.set(point, taken);
        let n = 1;
        while (taken.has(n)) n++;
        taken.add(n);
        const handler: Hung = { point, id: n === 1 ? plugin.name : `${plugin.name}#${n}`, priority, filter: narrowed };
        const back = broker.hook(point, handler.id, watched(point, fn), priority, narrowed, place);
        hung.add(handler);
        return () => {
          hung.delete(handler);
          taken.delete(n);
          back();
        };
      });
    },
    after(ms, fn) {
      const cancel = keep(() =>
        broker.after(ms, () => {
          cancel();
          timer(fn)();
        }),
      );
      return cancel;
    },
    every: (ms, fn) => keep(() => broker.every(ms, timer(fn))),
    kinds: wishes.kinds,
    offer(kinds) {
      keep(() => wishes.kinds.offer(plugin.name, kinds));
    },
    changed(fn) {
      listeners.push(fn);
    },
    alarm(what, desc) {
      const id = `${plugin.name}_${what}`;
      if (closed && desc !== null) return;
      if (desc !== null && !alarms.has(id)) {
        alarms.add(id);
        undo.add(() => broker.alarm(id, null));
      }
      broker.alarm(id, desc);
    },
    report(fn) {
      reporter = fn;
    },
    closing(fn) {
      keep(() => fn);
    },
  };

  return {
    ctx,
    service: undefined,
    value: (key) => wishes.values[key],
    apply(keys, value) {
      const before = keys.map((key) => wishes.values[key]);
      for (const key of keys) wishes.values[key] = value(key);
      try {
        for (const fn of listeners) fn(keys);
      } catch (err) {
        for (const [i, key] of keys.entries()) wishes.values[key] = before[i];
        throw err;
      }
    },
    report: () => reporter?.() ?? null,
    bar() {
      const why = `${plugin.name} is being started again`;
      barredBy = why;
      const bars = [...hung].flatMap((handler) => barred(broker, handler, place, why) ?? []);
      const takeBack = (): void => {
        for (const back of bars) back();
      };
      return bars.length === 0 ? null : takeBack;
    },
    async close() {
      closed = true;
      for (const back of [...undo].reverse()) {
        undo.delete(back);
        try {
          await back();
        } catch (err) {
          failed("close", err);
        }
      }
    },
  };
}

/**
 * Refuses whoever the handler is asked about, in its place: that is no wrong password, and no verdict that outlasts the bar. Returns what takes it back;
 * null = the handler is not on the access chain.
 */
function barred(broker: ManagedBroker, { point, id, priority, filter }: Hung, place: number, why: string): (() => void) | null {
  // Of its own: the plugin's next handler has the id of this one, and would replace it.
  const own = `${id} (starting)`;
  if (point === "client.authenticate")
    return broker.hook(point, own, () => refused(why), priority, filter?.anonymous === true ? { anonymous: true } : null, place);
  if (point !== "client.check_acl") return null;
  return broker.hook(point, own, () => denied(why), priority, null, place);
}

const refused = (why: string): AuthStep => ({ allow: false, code: RC.SERVER_UNAVAILABLE, why, failed: true });
const denied = (why: string): AclStep => ({ verdict: "deny", why, failed: true });

function prefixed(log: Log, plugin: string): Log {
  return {
    error: (message, fields) => log.error(message, { plugin, ...fields }),
    warn: (message, fields) => log.warn(message, { plugin, ...fields }),
    notice: (message, fields) => log.notice(message, { plugin, ...fields }),
    info: (message, fields) => log.info(message, { plugin, ...fields }),
    debug: (message, fields) => log.debug(message, { plugin, ...fields }),
  };
}
