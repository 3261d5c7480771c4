/** Short histories, and proof that the simulation sees: planted faults have to be found, and a seed is a history to the byte. */
import { describe, expect, test } from "bun:test";
import { AwaitingRel } from "../../server/core/awaiting_rel.ts";
import { Delivery } from "../../server/core/deliver.ts";
import { Merged } from "../../server/core/merged.ts";
import { Message } from "../../server/core/message.ts";
import { Out } from "../../server/core/out.ts";
import { generate, type History } from "./generate.ts";
import { KNOWN } from "./known.ts";
import { shrink } from "./shrink.ts";
import { type Finding, run, runSeed } from "./sim.ts";
import { describe as words } from "./steps.ts";
import type { World } from "./world.ts";

const STEPS = 40;
/** Seeds of one test: a finding names its hundred, the tests stay short. */
const BLOCK = 100;

function told(seed: number, f: Finding, sqlite = false): string {
  const small = shrink(generate(seed, STEPS), f, { sqlite });
  const lines = small.history.steps.map((s, i) => `${i}  ${words(s)}`);
  const again = `bun run sim --seed ${seed} --steps ${STEPS}${sqlite ? " --store sqlite" : ""}`;
  return [`${f.rule}: ${f.detail}`, ...lines, again].join("\n");
}

describe("histories from a seed", () => {
  for (let from = 1; from <= 2000; from += BLOCK) {
    test(`${from} to ${from + BLOCK - 1}`, () => {
      const found: string[] = [];
      for (let seed = from; seed < from + BLOCK; seed++) {
        const f = runSeed(seed, STEPS);
        if (f !== null) found.push(told(seed, f));
      }
      expect(found).toEqual([]);
    });
  }

  test("on the SQLite file", () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 15; seed++) {
      const f = runSeed(seed, STEPS, { sqlite: true });
      if (f !== null) found.push(told(seed, f, true));
    }
    expect(found).toEqual([]);
  });
});

/** Everything that left the broker, and when. */
function trace(history: History): string {
  const lines: string[] = [];
  let world: World | null = null;
  const f = run(history, {
    trace: (at, w) => {
      world = w;
      lines.push(
        `${at} ${w.clock.monotonic} ${w.model.ev} ${w.conns.map((c) => `${c.transport.takenBytes}/${c.fedBytes}/${c.reason}`).join(" ")}`,
      );
    },
  });
  lines.push(String(f?.rule), String((world as World | null)?.broker.metrics.bytesSent));
  return lines.join("\n");
}

test("one seed is one history", () => {
  for (const seed of [7, 77, 777]) {
    expect(generate(seed, 80)).toEqual(generate(seed, 80));
    expect(trace(generate(seed, 80))).toBe(trace(generate(seed, 80)));
  }
});

/** Runs until a seed breaks a rule; 0 = none did. */
function firstFinding(seeds: number): { seed: number; rule: string } {
  for (let seed = 1; seed <= seeds; seed++) {
    const f = runSeed(seed, STEPS);
    if (f !== null) return { seed, rule: f.rule };
  }
  return { seed: 0, rule: "" };
}

/** What is found while a method is another one. */
function planted<T extends object, K extends keyof T>(on: T, name: K, made: (own: T[K]) => T[K], seeds: number): string {
  const own = on[name];
  on[name] = made(own);
  try {
    return firstFinding(seeds).rule;
  } finally {
    on[name] = own;
  }
}

describe("planted faults are found", () => {
  test("a QoS 2 message that comes again is delivered again", () => {
    expect(planted(AwaitingRel.prototype, "has", () => () => false, 500)).not.toBe("");
  });

  test("what has expired is delivered", () => {
    expect(planted(Message.prototype, "expired", () => () => false, 1500)).toBe("expired");
  });

  test("work that grows with the square of what is there", () => {
    const looked = (refresh: () => number) =>
      function (this: Merged): number {
        for (const _ of this.entries) for (const { subs } of this.entries) subs.some(({ qos }) => qos > 2);
        return refresh.call(this);
      };
    expect(planted(Merged.prototype, "refresh", looked, 2000)).toBe("work");
  });

  test("one byte of one message is another's", () => {
    const { copy } = Out.prototype;
    let n = 0;
    Out.prototype.copy = function (buf, start, end) {
      const bytes = Buffer.from(buf.subarray(start, end));
      if (bytes.length > 20 && ++n % 5 === 0) bytes[bytes.length - 1] = 0;
      copy.call(this, bytes, 0, bytes.length);
    };
    try {
      expect(firstFinding(100).seed).toBeGreaterThan(0);
    } finally {
      Out.prototype.copy = copy;
    }
  });

  test("a message is forgotten now and then", () => {
    const { send } = Delivery.prototype;
    let n = 0;
    Delivery.prototype.send = function (...args) {
      return ++n % 50 === 0 ? 1 : send.apply(this, args);
    };
    try {
      expect(["lost", "lost_shared", "order"]).toContain(firstFinding(300).rule);
    } finally {
      Delivery.prototype.send = send;
    }
  });
});

test("every check that is switched off says why", () => {
  for (const k of KNOWN) expect(k.why.length).toBeGreaterThan(10);
});
