import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import type { AdminDeps } from "../../../server/admin/deps.ts";
import { createMonitor } from "../../../server/admin/monitor.ts";
import { createSystem } from "../../../server/machine/machine.ts";
import { TestKit } from "../../support/test_broker.ts";

const MINUTE = 60_000;

let kit: TestKit;
let monitor: ReturnType<typeof createMonitor>;
let cpu = 0;
/** Of the machine. */
let share: number | null = null;
beforeEach(() => {
  jest.useFakeTimers();
  kit = new TestKit();
  kit.clock.time = 1_700_000_040_000 - (1_700_000_040_000 % MINUTE);
  cpu = 0;
  share = null;
  const system = { ...createSystem(), cpu: () => cpu, machineCpu: () => share };
  monitor = createMonitor({ broker: kit.broker, stats: kit.core.stats, system } as unknown as AdminDeps);
  monitor.start();
});
afterEach(() => {
  monitor.stop();
  jest.useRealTimers();
});

/** `n` samples, two seconds apart; `work` happens before each. */
function pass(n: number, work: (i: number) => void = () => {}): void {
  for (let i = 0; i < n; i++) {
    work(i);
    // Timers and clock go on together.
    for (let ms = 0; ms < 2000; ms += 250) {
      kit.clock.time += 250;
      jest.advanceTimersByTime(250);
    }
  }
}
const points = () => kit.broker.store.monitor.range(0, Number.MAX_SAFE_INTEGER);

describe("samples", () => {
  test("rates per second since the one before, gauges as they are", () => {
    const m = kit.metrics;
    pass(1, () => {
      m.qos0Received += 10;
      m.qos1Received += 4;
      m.qos2Received += 2;
      m.qos0Sent += 6;
      m.qos1Sent += 2;
      m.qos2Sent += 1;
      m.messagesDropped += 1;
      m.dropQueueFull += 2;
      m.dropSlowReader += 3;
      m.messagesExpired += 4;
      m.bytesReceived += 2000;
      m.bytesSent += 3000;
      cpu += 500_000;
      kit.connected("one");
    });
    expect(monitor.current(0).current).toMatchObject({
      received: 8,
      sent: 4.5,
      dropped: 5,
      bytes_received: expect.any(Number),
      connections: 1,
      sessions: 1,
      // Half a second of CPU in two.
      cpu: 25,
    });
    pass(1);
    expect(monitor.current(0).current).toMatchObject({ received: 0, sent: 0, dropped: 0, bytes_sent: 0, cpu: 0 });
  });

  test("a quarter of an hour of them, oldest first, and only the newer ones when asked", () => {
    pass(500);
    const { samples, current, interval_ms, now_ms } = monitor.current(0);
    expect([samples.length, interval_ms, now_ms]).toEqual([450, 2000, kit.clock.time]);
    expect(samples.at(-1)).toEqual(current);
    expect((samples[0]?.at_ms ?? 0) - (samples[449]?.at_ms ?? 0)).toBe(-449 * 2000);
    const since = samples[440]?.at_ms ?? 0;
    expect(monitor.current(since).samples.map((s) => s.at_ms)).toEqual(samples.slice(441).map((s) => s.at_ms));
  });

  test("the loop's largest delay since the last sample, told of the last five", () => {
    // The probe comes 40 ms late, once.
    kit.clock.time += 40;
    pass(1);
    expect([monitor.current(0).current.loop_delay, monitor.live().loopDelay]).toEqual([40, 40]);
    pass(4);
    expect([monitor.current(0).current.loop_delay, monitor.live().loopDelay]).toEqual([0, 40]);
    pass(1);
    expect(monitor.live()).toEqual({ cpu: 0, loopDelay: 0, machineCpu: null });
  });

  test("the machine's processors: unknown before they were measured, and then what was measured last", () => {
    pass(1);
    expect(monitor.live().machineCpu).toBeNull();
    share = 37.5;
    pass(1);
    share = null;
    pass(1);
    expect(monitor.live().machineCpu).toBe(37.5);
  });

  test("none after the stop", () => {
    monitor.stop();
    const before = monitor.current(0).samples.length;
    pass(3);
    expect(monitor.current(0).samples.length).toBe(before);
  });
});

describe("minutes", () => {
  test("each is kept once it is over: rates averaged, delays at their largest, gauges as they were last", () => {
    // The sample at the start is the minute's first, the 30th after it the next minute's.
    pass(29, (i) => {
      kit.metrics.qos0Received += 60;
      if (i === 28) kit.connected("late");
    });
    expect(points()).toEqual([]);
    pass(1);
    const [minute, ...more] = points();
    expect(more).toEqual([]);
    expect(minute?.at).toBe(1_700_000_040_000 - (1_700_000_040_000 % MINUTE));
    expect(minute?.values).toMatchObject({ received: 29, connections: 1, loop_delay: 0 });
    expect(Object.keys(minute?.values ?? {}).sort()).toEqual(
      [
        ..."connections sessions subscriptions topics retained received sent dropped".split(" "),
        ..."bytes_received bytes_sent memory cpu loop_delay".split(" "),
      ].sort(),
    );
  });

  test("the one under way is the history's last point", () => {
    pass(40, () => {
      kit.metrics.qos0Received += 2;
    });
    const start = 1_700_000_040_000 - (1_700_000_040_000 % MINUTE);
    const whole = monitor.history(start, start + 2 * MINUTE, undefined);
    expect(whole).toMatchObject({ from_ms: start, to_ms: start + 2 * MINUTE, step: 60 });
    expect(whole.points.map((p) => [p.at_ms, p.received])).toEqual([
      [start, 0.97],
      [start + MINUTE, 1],
    ]);
    expect(monitor.history(start, start + MINUTE - 1, undefined).points).toHaveLength(1);
    expect(monitor.history(start + MINUTE, start + MINUTE, undefined).points).toHaveLength(1);
    expect(monitor.history(start + MINUTE + 1, start + 2 * MINUTE, undefined).points).toEqual([]);
  });
});

describe("steps of the history", () => {
  const DAY = 24 * 3_600_000;
  const step = (from: number, to: number, wanted?: number): number => monitor.history(from, to, wanted).step;

  test("as fine as 1440 points allow; never finer, coarser when asked", () => {
    const to = 30 * DAY;
    expect(step(to - DAY, to)).toBe(60);
    expect(step(to - DAY - 1, to)).toBe(120);
    expect(step(to - 7 * DAY, to)).toBe(420);
    // Nothing is older than a week.
    expect(step(0, to)).toBe(420);
    expect(step(to - DAY, to, 300)).toBe(300);
    expect(step(to - 7 * DAY, to, 60)).toBe(420);
    expect(step(to, to)).toBe(60);
  });

  test("a step is a multiple of 60, a span begins before it ends", () => {
    for (const bad of [0, 59, 61, 90, -60]) expect(() => step(0, DAY, bad)).toThrow("value of 'step' must be a multiple of 60");
    expect(step(0, DAY, 60)).toBe(60);
    expect(() => step(1, 0)).toThrow("value of 'to' must not be less than 'from'");
  });
});
