/**
 * Fuzzes a running broker over TCP and WebSocket. After each batch a healthy client must be served, memory must be within its bound
 * and the log without errors. An attack follows from the seed and its number: a failure can be played again alone.
 */

import mqttPacket, { type Packet } from "mqtt-packet";
import { PATIENCE_MS } from "../support/until.ts";
import { Rng } from "./mutate.ts";
import { ATTACKS, connectBytes, type Ports } from "./wire_attacks.ts";
import { Link } from "./wire_link.ts";

export interface WireTarget {
  readonly ports: Ports;
  /** Resident memory, KiB. */
  rss(): number;
  /** Lines of the broker's log that tell of a bug; an ended process is one too. */
  complaints(): string[];
}

export interface WireLimits {
  readonly seed: number;
  /** At most so many attacks. */
  readonly attacks: number;
  /** ms on the clock of `performance.now()`; none = no limit. */
  readonly deadline?: number;
  /** First attack; with `attacks: 1` one is played again. */
  readonly from?: number;
}

export interface WireFailure {
  readonly seed: number;
  /** -1: seen only after a batch. */
  readonly number: number;
  readonly attack: string;
  readonly error: string;
}

const BATCH = 100;
const AT_ONCE = 10;
/** What the broker may grow by, KiB: buffers, JIT code and garbage that is not collected yet. */
const GROWTH_MAX = 200 * 1024;
const HEALTHY_MS = PATIENCE_MS;

function chosen(rng: Rng): (typeof ATTACKS)[number] {
  let at = rng.below(ATTACKS.reduce((sum, [, weight]) => sum + weight, 0));
  for (const row of ATTACKS) {
    at -= row[1];
    if (at < 0) return row;
  }
  throw new Error("unreachable");
}

async function attack(target: WireTarget, seed: number, number: number): Promise<WireFailure | null> {
  const rng = new Rng(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const [name, , run] = chosen(rng);
  try {
    await run(target.ports, rng, `fuzz${number}`);
    return null;
  } catch (err) {
    return { seed, number, attack: name, error: err instanceof Error ? err.message : String(err) };
  }
}

/** A client that was there before, and does what clients do. */
class Healthy {
  #id = 0;
  private constructor(private readonly link: Link) {}

  static async open(target: WireTarget): Promise<Healthy> {
    const link = await Link.open("tcp", target.ports.tcp, 5);
    link.send(connectBytes(5, "healthy"));
    const flags = { qos: 1, nl: false, rap: false, rh: 0 };
    const subscribe = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "only/healthy", ...flags }] } as Packet;
    link.send(mqttPacket.generate(subscribe, { protocolVersion: 5 }));
    if (!(await link.until(() => link.has("suback"), HEALTHY_MS))) throw new Error("the healthy client cannot subscribe");
    return new Healthy(link);
  }

  /** null = fine. */
  async check(): Promise<string | null> {
    this.link.packets.splice(0);
    this.#id = (this.#id % 60000) + 1;
    const publish = {
      cmd: "publish",
      topic: "only/healthy",
      payload: String(this.#id),
      qos: 1,
      messageId: this.#id,
      dup: false,
      retain: false,
    };
    this.link.send(mqttPacket.generate(publish as Packet, { protocolVersion: 5 }));
    const both = (): boolean => this.link.has("puback") && this.link.has("publish");
    if (!(await this.link.until(both, HEALTHY_MS)))
      return `the healthy client is not served${this.link.closed ? ", it was disconnected" : ""}`;
    for (const p of this.link.packets) {
      if (p.cmd === "publish") this.link.send(mqttPacket.generate({ cmd: "puback", messageId: p.messageId ?? 0 }, { protocolVersion: 5 }));
    }
    return null;
  }

  close(): void {
    this.link.destroy();
  }
}

/** null = nothing found within the limits. */
export async function fuzzWire(target: WireTarget, limits: WireLimits): Promise<WireFailure | null> {
  const healthy = await Healthy.open(target);
  const from = limits.from ?? 0;
  const end = from + limits.attacks;
  let atStart = 0;
  try {
    for (let first = from; first < end; first += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, end - first) }, (_, i) => first + i);
      const failures: WireFailure[] = [];
      const worker = async (): Promise<void> => {
        for (let n = numbers.shift(); n !== undefined && failures.length === 0; n = numbers.shift()) {
          const failure = await attack(target, limits.seed, n);
          if (failure !== null) failures.push(failure);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      if (failures[0] !== undefined) return failures[0];
      const after = (error: string): WireFailure => ({
        seed: limits.seed,
        number: -1,
        attack: `after ${first} to ${first + BATCH}`,
        error,
      });
      const sick = await healthy.check();
      if (sick !== null) return after(sick);
      const [complaint] = target.complaints();
      if (complaint !== undefined) return after(complaint);
      const rss = target.rss();
      // The first batches warm it up.
      if (first - from < 10 * BATCH) atStart = Math.max(atStart, rss);
      if (rss - atStart > GROWTH_MAX) return after(`memory has grown from ${atStart >> 10} to ${rss >> 10} MB`);
      if (limits.deadline !== undefined && performance.now() > limits.deadline) break;
    }
    return null;
  } finally {
    healthy.close();
  }
}

export function describeWireFailure(f: WireFailure): string {
  return `wire, ${f.attack}, number ${f.number} of seed ${f.seed}: ${f.error}`;
}
