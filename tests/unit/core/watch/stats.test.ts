import { describe, expect, test } from "bun:test";
import { Stats } from "../../../../server/core/watch/stats.ts";

describe("stats", () => {
  test("are the 18 of the document and the two of 3.1.1", () => {
    expect(Object.keys(new Stats().all()).sort()).toEqual(
      `connections/count connections/max retained/count retained/max routes/count routes/max sessions/count sessions/max
       sessions/persistent/count sessions/persistent/max suboptions/count suboptions/max subscribers/count subscribers/max
       subscriptions/count subscriptions/max subscriptions/shared/count subscriptions/shared/max topics/count topics/max`.split(/\s+/),
    );
  });

  test("are exact at read time", () => {
    const s = new Stats();
    let n = 1;
    s.provide("connections", () => n);
    expect(s.get("connections/count")).toBe(1);
    n = 5;
    expect(s.get("connections/count")).toBe(5);
    n = 2;
    expect(s.all()).toMatchObject({ "connections/count": 2, "connections/max": 5 });
  });

  test("a maximum is kept by sample and by note", () => {
    const s = new Stats();
    let n = 9;
    s.provide("sessions", () => n);
    s.sample();
    n = 1;
    expect(s.max("sessions")).toBe(9);
    s.note("sessions", 12);
    s.note("sessions", 3);
    expect(s.get("sessions/max")).toBe(12);
    expect(s.count("sessions")).toBe(1);
  });

  test("a read alone raises the maximum", () => {
    const s = new Stats();
    s.provide("retained", () => 3);
    expect(s.get("retained/max")).toBe(3);
  });

  test("unknown names are undefined", () => {
    const s = new Stats();
    expect(s.get("nothing/count")).toBeUndefined();
    expect(s.get("connections")).toBeUndefined();
    expect(s.get("connections/min")).toBeUndefined();
    expect(s.get("")).toBeUndefined();
  });
});
