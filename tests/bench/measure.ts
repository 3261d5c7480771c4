/** One measurement: a scenario with a broker. */
import { join } from "node:path";
import type { Contestant } from "./brokers.ts";
import { type Generator, type LoadResult, runLoad } from "./generator.ts";
import { launch, makePlace } from "./launch.ts";
import { measureStart } from "./restart.ts";
import type { Scenario } from "./scenarios.ts";
import { measureSubscribing } from "./subscribing.ts";
import { waits } from "./waits.ts";

export interface Pace {
  quick: boolean;
  seconds: string;
  warmup: string;
}

/** What is left of a size with `--quick`. */
const reduced = (n: number, { quick }: Pace): number => (quick ? Math.ceil(n / 10) : n);

/** The generator's arguments, but for where the broker is. */
export function argumentsOf(s: Scenario, pace: Pace): string[] {
  return [
    ...s.args,
    ...(s.size ? [s.size[0], String(reduced(s.size[1], pace))] : []),
    ...(s.timed ? ["--seconds", pace.seconds, "--warmup", pace.quick ? pace.warmup : (s.warmup ?? pace.warmup)] : []),
  ];
}

const VIA = { tcp: [], ws: ["--ws", "/mqtt"], tls: ["--tls"] };

/** Can this broker do it? */
export function suits(s: Scenario, c: Contestant): boolean {
  return c.via.includes(s.via ?? "tcp") && (s.restart === undefined || c.keeps) && (s.rules === undefined || c.rules === true);
}

/** @throws Error when the broker refuses */
async function setRules(dir: string, rules: Scenario["rules"] & {}): Promise<void> {
  const unix = join(dir, "data/ctl.sock");
  const ask = async (method: string, path: string, body?: unknown): Promise<void> => {
    const response = await fetch(`http://localhost/api/v3${path}`, {
      method,
      unix,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok || (JSON.parse(text) as { code: number }).code !== 0) throw new Error(`${method} ${path}: ${text}`);
  };
  if (rules === "off") return ask("PUT", "/plugins/emqx_rule_engine/unload");
  for (const { count, rawsql, action } of rules)
    for (let n = 0; n < count; n++)
      await ask("POST", "/rules/", { name: `r${n}`, rawsql: rawsql.replace("%n", String(n)), actions: [action] });
}

/** A fresh broker for every measurement: nobody inherits another scenario's memory. */
export async function measure(generator: Generator, s: Scenario, c: Contestant, pace: Pace): Promise<LoadResult> {
  const via = s.via ?? "tcp";
  const at = makePlace({ tls: via === "tls", keeps: s.keeps ?? false });
  try {
    if (s.subscriptions !== undefined) return await measureSubscribing(c, at, reduced(s.subscriptions, pace));
    if (s.restart !== undefined) {
      const { sessions, retained } = s.restart;
      return await measureStart(generator, c, at, { sessions: reduced(sessions, pace), retained: reduced(retained, pace) });
    }
    const broker = await launch(c, at);
    try {
      if (s.rules !== undefined) await setRules(at.dir, s.rules);
      const common = ["--port", String(at.ports[via]), "--pid", String(broker.pid), ...VIA[via]];
      if (s.warm) await runLoad(generator, [...s.warm, ...common]);
      const other = s.watched ? await waits(at.ports.tcp) : null;
      const result = await runLoad(generator, [...argumentsOf(s, pace), ...common]);
      other?.end();
      return other === null ? result : { ...result, wait_ms: other.longest() };
    } finally {
      await broker.stop();
    }
  } catch (err) {
    return { error: err instanceof Error ? err.message : String(err) };
  } finally {
    at.remove();
  }
}
