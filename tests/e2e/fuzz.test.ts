/** Rubbish on the wire never stops the service, and costs only its own connection; longer by `bun run fuzz --target wire`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Rng } from "../fuzz/mutate.ts";
import { describeWireFailure, fuzzWire, type WireTarget } from "../fuzz/wire.ts";
import { judge } from "../fuzz/wire_attacks.ts";
import { startTarget } from "../fuzz/wire_broker.ts";
import { CLIENT_ROWS } from "../packets/index.ts";
import { isGood } from "../packets/types.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

const SEED = 20_261_124;

let baomq: Installation;
let broker: RunningBroker;
let target: WireTarget;
beforeAll(async () => {
  baomq = new Installation();
  ({ broker, target } = await startTarget(baomq));
});
afterAll(() => baomq.remove());

for (const way of ["tcp", "ws"] as const) {
  test(`${way}: every packet that the tables refuse is refused, with its reason in 5.0`, async () => {
    const refused = CLIENT_ROWS.filter((row) => !isGood(row));
    expect(refused.length).toBeGreaterThan(200);
    for (const [i, row] of refused.entries()) {
      // What is judged is one packet on an open connection; a CONNECT there is refused as the second one.
      await judge(target.ports, way, row.version, row.bytes, `row${i}`, new Rng(i));
    }
    expect(target.complaints()).toEqual([]);
  });
}

test("a second CONNECT with the flags of another packet is refused for either reason", async () => {
  for (const way of ["tcp", "ws"] as const)
    await judge(target.ports, way, 5, Buffer.from("1107000096000d0300", "hex"), "twice", new Rng(1));
  expect(target.complaints()).toEqual([]);
});

test("3,000 attacks from a fixed seed", async () => {
  const failure = await fuzzWire(target, { seed: SEED, attacks: 3000 });
  expect(failure === null ? "" : describeWireFailure(failure)).toBe("");
  expect(target.complaints()).toEqual([]);
  expect(await broker.stop()).toBe(0);
});

test("the alarm rings: a broker that is not there, a log that complains, memory that grows", async () => {
  const fresh = await startTarget(baomq);
  const limits = { seed: SEED, attacks: 100 };
  const about = (change: Partial<WireTarget>) => fuzzWire({ ...fresh.target, ...change }, limits);
  expect((await about({ complaints: () => ["[error] packet handler failed"] }))?.error).toContain("packet handler failed");
  let mb = 0;
  const growing = (): number => {
    mb += 40;
    return mb * 1024;
  };
  expect((await fuzzWire({ ...fresh.target, rss: growing }, { seed: SEED, attacks: 2000 }))?.error).toContain("memory has grown");
  await fresh.broker.crash();
  await expect(about({})).rejects.toThrow();
});
