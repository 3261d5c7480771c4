import { describe, expect, test } from "bun:test";
import { Hooks } from "../../../../server/core/hooks.ts";
import type { AlarmRow } from "../../../../server/core/ports.ts";
import { Alarms } from "../../../../server/core/watch/alarms.ts";
import { formatLocalTime } from "../../../../server/lib/time_format.ts";
import { FakeClock, recordingLog } from "../../../support/access.ts";

function setUp() {
  const clock = new FakeClock();
  const log = recordingLog();
  const rows: AlarmRow[] = [];
  const store = {
    add: (r: AlarmRow) => void rows.unshift(r),
    history: (n: number) => rows.slice(0, n),
    clear: () => void rows.splice(0),
  };
  const hooks = new Hooks(log);
  const alarms = new Alarms({ nodeName: "emqx@127.0.0.1" }, store, clock, log, hooks);
  const told: { topic: string; payload: string; retain: boolean }[] = [];
  alarms.publishTo((m) => told.push({ topic: m.topic, payload: new TextDecoder().decode(m.payload), retain: m.retain }));
  return { clock, log, rows, alarms, told, hooks };
}
const PREFIX = "$SYS/brokers/emqx@127.0.0.1/alarms";

describe("alarms", () => {
  test("set and clear, with their events", () => {
    const { alarms, told, clock, log } = setUp();
    alarms.set("cpu_high_watermark", "82.6");
    const raisedAt = clock.ms;
    expect(alarms.present()).toEqual([{ id: "cpu_high_watermark", desc: "82.6", raisedAt }]);
    expect(alarms.has("cpu_high_watermark")).toBe(true);
    clock.forward(5000);
    expect(alarms.clear("cpu_high_watermark")).toBe(true);
    expect(alarms.present()).toEqual([]);
    expect(alarms.history()).toEqual([{ id: "cpu_high_watermark", desc: "82.6", raisedAt, clearedAt: raisedAt + 5000 }]);
    expect(told).toEqual([
      { topic: `${PREFIX}/cpu_high_watermark/alert`, payload: '{"id":"cpu_high_watermark","desc":"82.6"}', retain: false },
      { topic: `${PREFIX}/cpu_high_watermark/clear`, payload: "", retain: false },
    ]);
    expect(log.lines.map((l) => `${l.level} ${l.message} ${String(l.fields.id)}`)).toEqual([
      "warn alarm cpu_high_watermark",
      "notice alarm cleared cpu_high_watermark",
    ]);
  });

  test("hooks hear of it when one is raised, and when it is cleared, and not of other words for it", () => {
    const { alarms, hooks, clock } = setUp();
    const heard: unknown[] = [];
    hooks.add("alarm.activated", "test", (alarm) => void heard.push(alarm));
    hooks.add("alarm.deactivated", "test", (alarm) => void heard.push(alarm));
    const raisedAt = clock.ms;
    alarms.set("a", "one");
    clock.forward(1000);
    alarms.set("a", "two");
    alarms.clear("a");
    alarms.clear("a");
    expect(heard).toEqual([
      { id: "a", desc: "one", raisedAt },
      { id: "a", desc: "two", raisedAt, clearedAt: raisedAt + 1000 },
    ]);
  });

  test("clearing what is not raised does nothing", () => {
    const { alarms, told, rows } = setUp();
    expect(alarms.clear("x")).toBe(false);
    expect(told).toEqual([]);
    expect(rows).toEqual([]);
  });

  test("set twice: one alarm with the new description and the first time", () => {
    const { alarms, clock, told, log } = setUp();
    const raisedAt = clock.ms;
    alarms.set("a", "1");
    alarms.set("b", "x");
    clock.forward(1000);
    alarms.set("a", "2");
    expect(alarms.present()).toEqual([
      { id: "a", desc: "2", raisedAt },
      { id: "b", desc: "x", raisedAt },
    ]);
    expect(told).toHaveLength(3);
    expect(log.lines).toHaveLength(2);
  });

  test("structured descriptions: local time in the API, seconds in the event, an object in the history", () => {
    const { alarms, clock, told } = setUp();
    alarms.set("p", { severity: "error", title: "t", summary: "s" });
    const desc = { severity: "error", title: "t", summary: "s", timestamp: formatLocalTime(clock.ms) } as const;
    expect(alarms.present()[0]?.desc).toEqual(desc);
    expect(JSON.parse(told[0]?.payload ?? "")).toEqual({
      id: "p",
      desc: { severity: "error", title: "t", summary: "s", ts: Math.floor(clock.ms / 1000) },
    });
    alarms.clear("p");
    expect(alarms.history()[0]?.desc).toEqual(desc);
  });

  test("a summary is read whenever somebody looks, and the history has that of its end", () => {
    const { alarms } = setUp();
    let n = 1;
    const summaries = (of: { desc: unknown }[]): unknown[] => of.map((a) => JSON.parse(JSON.stringify(a.desc)).summary);
    alarms.set("p", {
      severity: "error",
      title: "t",
      get summary() {
        return `${n} wait`;
      },
    });
    n = 2;
    expect(summaries(alarms.present())).toEqual(["2 wait"]);
    n = 3;
    alarms.clear("p");
    n = 4;
    expect(summaries(alarms.history())).toEqual(["3 wait"]);
  });

  test("texts that look like JSON stay texts", () => {
    const { alarms } = setUp();
    for (const [id, text] of [
      ["a", '{"x":1}'],
      ["b", '{"severity": broken'],
    ] as const) {
      alarms.set(id, text);
      alarms.clear(id);
      expect(alarms.history()[0]?.desc).toBe(text);
    }
  });

  test("ids with wildcards make a proper topic", () => {
    const { alarms, told } = setUp();
    alarms.set('{disk_almost_full,"/a+b#"}', "[]");
    expect(told[0]?.topic).toBe(`${PREFIX}/{disk_almost_full,"/a_b_"}/alert`);
  });

  test("a failing publish does not lose the alarm", () => {
    const { alarms, log } = setUp();
    alarms.publishTo(() => {
      throw new Error("down");
    });
    alarms.set("a", "1");
    expect(alarms.present()).toHaveLength(1);
    expect(log.lines.at(-1)?.level).toBe("error");
  });

  test("history is limited", () => {
    const { alarms } = setUp();
    for (const id of ["a", "b", "c"]) {
      alarms.set(id, "");
      alarms.clear(id);
    }
    expect(alarms.history(2).map((r) => r.id)).toEqual(["c", "b"]);
  });
});
