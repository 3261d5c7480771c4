import { describe, expect, test } from "bun:test";
import { Banned } from "../../../../server/core/access/banned.ts";
import { Flapping } from "../../../../server/core/access/flapping.ts";
import { Metrics } from "../../../../server/core/watch/metrics.ts";
import { aClient, FakeClock, recordingLog } from "../../../support/access.ts";
import { testZone } from "../../../support/zone.ts";

function setUp(maxTimes?: number) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const log = recordingLog();
  const banned = new Banned({ load: () => [], put() {}, delete() {} }, clock);
  const zone = testZone({ enableFlappingDetect: true, flappingThreshold: { count: 3, intervalMs: 60_000 } });
  return { clock, metrics, log, banned, zone, flapping: new Flapping(banned, clock, log, metrics, maxTimes) };
}

describe("flapping", () => {
  test("more than the threshold within the window bans for the configured time", () => {
    const { clock, metrics, banned, zone, flapping, log } = setUp();
    const c = aClient({ zone });
    for (let i = 0; i < 3; i++) expect(flapping.note(c)).toBe(false);
    expect(flapping.count("c1")).toBe(3);
    expect(flapping.note(c)).toBe(true);
    expect(banned.list()).toEqual([
      {
        who: "c1",
        as: "client_id",
        reason: "flapping",
        by: "flapping_checker",
        desc: "connected or disconnected 4 times within 60 s",
        until: clock.ms / 1000 + 3600,
      },
    ]);
    expect(metrics.flappingDetected).toBe(1);
    expect(log.lines).toHaveLength(1);
    expect(flapping.size).toBe(0);
    clock.forward(3_600_000);
    expect(banned.check(c)).toBeNull();
  });

  test("the window slides", () => {
    const { clock, zone, flapping } = setUp();
    const c = aClient({ zone });
    for (let i = 0; i < 20; i++) {
      expect(flapping.note(c)).toBe(false);
      clock.forward(20_000);
    }
    clock.forward(-19_000);
    expect(flapping.count("c1")).toBe(3);
    expect(flapping.note(c)).toBe(true);
  });

  test("clients are counted apart", () => {
    const { zone, flapping } = setUp();
    for (let i = 0; i < 3; i++) {
      expect(flapping.note(aClient({ clientId: "a", zone }))).toBe(false);
      expect(flapping.note(aClient({ clientId: "b", zone }))).toBe(false);
    }
  });

  test("off: nothing is remembered", () => {
    const { flapping } = setUp();
    for (let i = 0; i < 100; i++) expect(flapping.note(aClient({}))).toBe(false);
    expect(flapping.size).toBe(0);
    expect(flapping.count("c1")).toBe(0);
  });

  test("quiet clients are forgotten", () => {
    const { clock, zone, flapping } = setUp();
    flapping.note(aClient({ clientId: "a", zone }));
    flapping.sweep();
    clock.forward(59_000);
    flapping.note(aClient({ clientId: "b", zone }));
    clock.forward(1_000);
    flapping.sweep();
    expect(flapping.size).toBe(1);
    expect(flapping.count("b")).toBe(1);
  });

  test("memory is bounded: who was quiet longest goes first", () => {
    const { zone, flapping } = setUp(10);
    for (let i = 0; i < 100; i++) flapping.note(aClient({ clientId: `c${i}`, zone }));
    expect(flapping.size).toBe(10);
    flapping.note(aClient({ clientId: "c90", zone }));
    expect(flapping.count("c90")).toBe(2);
    expect(flapping.count("c91")).toBe(0);
  });
});
