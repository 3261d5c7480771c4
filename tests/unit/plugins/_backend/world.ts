/** A server outside that does as the test says, and a back end around it whose time is the test's. */
import type { AlarmDetails } from "../../../../server/core/watch/alarms.ts";
import { Backend } from "../../../../server/plugins/_backend/backend.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import type { BackendHost } from "../../../../server/plugins/_backend/host.ts";
import type { BackendOptions, Judgement } from "../../../../server/plugins/_backend/options.ts";
import { FakeClock, recordingLog } from "../../../support/access.ts";

export type Mode = "up" | "away" | "hangs" | "refuses" | "lost" | "part" | "says";

export interface Driver {
  n: number;
  closed: boolean;
}

export function setUp(
  mode: Mode = "up",
  pool = 2,
  probeProves: BackendOptions<Driver>["probeProves"] = true,
  perConnection = 1,
  late?: BackendOptions<Driver>["late"],
) {
  const world = { mode: mode as Mode, lost: 0, closesIdle: false };
  const clock = new FakeClock();
  const log = recordingLog();
  const alarms: (AlarmDetails | null)[] = [];
  /** What stands now, by name. */
  const standing = new Map<string, AlarmDetails>();
  const drivers: Driver[] = [];
  const questions: string[] = [];
  const hung = new Map<Driver, PromiseWithResolvers<string>[]>();
  const ticks: (() => void)[] = [];
  const answer = (driver: Driver, what: string): Promise<string> => {
    questions.push(what);
    if (driver.closed) return Promise.reject(new Error("closed"));
    switch (world.mode) {
      case "up":
        return Promise.resolve(`${what} by ${driver.n}`);
      case "away":
        return Promise.reject(new Error("ECONNREFUSED"));
      case "refuses":
        return Promise.reject(new Error("no such table"));
      case "part":
        return Promise.reject(new Error("one shard"));
      case "says":
        return Promise.reject(new BackendError("down", "http 500"));
      case "lost":
        return world.lost-- > 0 ? Promise.reject(new Error("lost")) : Promise.resolve(`${what} by ${driver.n}`);
      case "hangs": {
        const p = Promise.withResolvers<string>();
        hung.set(driver, [...(hung.get(driver) ?? []), p]);
        return p.promise;
      }
    }
  };
  const judge = (err: unknown): Judgement => {
    const text = err instanceof Error ? err.message : "";
    return text === "lost" ? "lost" : text === "no such table" ? "refused" : text === "one shard" ? "part" : "down";
  };
  const host: BackendHost = {
    clock,
    log,
    every(_ms, fn) {
      ticks.push(fn);
      return () => void ticks.splice(ticks.indexOf(fn), 1);
    },
    alarm(what, desc) {
      alarms.push(desc);
      if (desc === null) standing.delete(what);
      else standing.set(what, desc);
    },
    outages: new Map(),
  };
  const options: BackendOptions<Driver> = {
    what: "Server",
    open() {
      const driver = { n: drivers.length, closed: false };
      drivers.push(driver);
      return driver;
    },
    close(driver) {
      driver.closed = true;
      for (const p of hung.get(driver) ?? []) p.reject(new Error("closed"));
    },
    lost: () => world.closesIdle,
    probe: (driver) => answer(driver, "probe"),
    judge,
    pool,
    perConnection,
    timeoutMs: 1000,
    alarm: "down",
    retries: pool + 1,
    probeProves,
    ...(late !== undefined && { late }),
  };
  const backend = new Backend<Driver>(host, options);
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) await Promise.resolve();
  };
  /** So much time, in ticks of 100 ms. */
  const pass = async (ms: number): Promise<void> => {
    for (let t = 0; t < ms; t += 100) {
      clock.forward(100);
      for (const tick of [...ticks]) tick();
      await settle();
    }
  };
  const told = (err: unknown): string => (err instanceof BackendError ? `! ${err.kind}` : String(err));
  const askOf = (of: Backend<Driver>, what = "q", wanted?: () => boolean): Promise<string> =>
    of.ask((driver) => answer(driver, what), wanted).catch(told);
  const ask = (what?: string, wanted?: () => boolean): Promise<string> => askOf(backend, what, wanted);
  const askUnnoticed = (what = "q"): Promise<string> => backend.ask((driver) => answer(driver, what), undefined, true).catch(told);
  const askApart = (what = "q"): Promise<string> => backend.askApart((driver) => answer(driver, what)).catch(told);
  const state = (): string => backend.status().state;
  return {
    host,
    options,
    askOf,
    world,
    clock,
    log,
    alarms,
    standing,
    drivers,
    questions,
    hung,
    backend,
    settle,
    pass,
    ask,
    askUnnoticed,
    askApart,
    state,
  };
}
