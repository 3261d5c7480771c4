import { describe, expect, test } from "bun:test";
import { type Opening, WsOpenings } from "../../../server/listeners/ws_openings.ts";
import { FakeClock } from "../../support/access.ts";

const MIB = 1024 * 1024;

class Client implements Opening {
  is = "new";
  constructor(readonly ip: string) {}
  readOn(): void {
    this.is = "read";
  }
  makeRoom(): void {
    this.is = "gone";
  }
}

/** Room for eight. */
function setup(budget = 16 * MIB) {
  const clock = new FakeClock();
  const room = { budget };
  const openings = new WsOpenings(clock, () => room.budget);
  const come = (ip: string, count = 1, bytes = 2 * MIB): Client[] =>
    Array.from({ length: count }, () => {
      const c = new Client(ip);
      c.is = openings.enter(c, bytes) ? "read" : "waits";
      return c;
    });
  return { clock, room, openings, come };
}
const are = (clients: Client[]): string => clients.map((c) => c.is).join(" ");

describe("WebSockets whose CONNECT has not come", () => {
  test("are read up to the budget; who comes then waits for the first place that is free", () => {
    const { openings, come } = setup();
    const all = come("10.0.0.1", 10);
    expect([openings.size, openings.bytes]).toEqual([8, 16 * MIB]);
    expect(are(all.slice(7))).toBe("read waits waits");
    openings.leave(all[3] as Client);
    openings.leave(all[3] as Client);
    expect(are(all.slice(7))).toBe("read read waits");
    expect([openings.size, openings.bytes]).toEqual([8, 16 * MIB]);
    openings.stop();
  });

  test("networks that wait take turns: many from one do not keep out one from another", () => {
    const { openings, come } = setup();
    const first = come("10.0.0.1", 8);
    const many = [...come("2001:db8::1", 2), ...come("2001:db8::2", 2)];
    const others = [...come("10.0.0.2"), ...come("2001:db8:0:1::1")];
    for (const c of first.slice(0, 4)) openings.leave(c);
    expect([are(many), are(others)]).toEqual(["read read waits waits", "read read"]);
    openings.stop();
  });

  test("a place is for a second while somebody waits, and for as long as it likes while nobody does", () => {
    const { clock, openings, come } = setup();
    const old = come("10.0.0.1", 4);
    clock.forward(500);
    const young = come("10.0.0.1", 4);
    clock.forward(10_000);
    openings.tick();
    expect([are(old), are(young)]).toEqual(["read read read read", "read read read read"]);
    const [late] = come("10.0.0.2");
    expect(late?.is).toBe("waits");
    openings.tick();
    expect([are(old), are(young), late?.is]).toEqual(["gone read read read", "read read read read", "read"]);
    openings.stop();
  });

  test("just not a second is not enough, and only as many go as wait", () => {
    const { clock, openings, come } = setup();
    const all = come("10.0.0.1", 8);
    clock.forward(999);
    const late = come("10.0.0.2", 2);
    openings.tick();
    expect(are(all)).not.toContain("gone");
    clock.forward(1);
    openings.tick();
    expect([are(all), are(late)]).toEqual(["gone gone read read read read read read", "read read"]);
    openings.stop();
  });

  test("the time in which the node stood still is nobody's", () => {
    const { clock, openings, come } = setup();
    const all = come("10.0.0.1", 9);
    clock.forward(5000);
    openings.tick();
    expect(are(all)).toBe("read read read read read read read read waits");
    clock.forward(100);
    openings.tick();
    expect(are(all)).toBe("gone read read read read read read read read");
    openings.stop();
  });

  test("who leaves while it waits is not admitted", () => {
    const { openings, come } = setup();
    const all = come("10.0.0.1", 8);
    const [a, b] = come("10.0.0.2", 2);
    openings.leave(a as Client);
    openings.leave(all[0] as Client);
    expect([a?.is, b?.is]).toEqual(["waits", "read"]);
    openings.leave(all[1] as Client);
    expect(openings.size).toBe(7);
  });

  test("a newcomer does not pass those who wait", () => {
    const { openings, room, come } = setup();
    come("10.0.0.1", 8);
    const waiting = come("10.0.0.1", 2);
    room.budget = 22 * MIB;
    const late = come("10.0.0.1", 2);
    expect([are(waiting), are(late)]).toEqual(["waits waits", "waits waits"]);
    openings.tick();
    expect([are(waiting), are(late)]).toEqual(["read read", "read waits"]);
    openings.stop();
  });

  test("the budget is never below 16 MiB, and a single one has room whatever its frames are", () => {
    expect(are(setup(0).come("10.0.0.1", 9))).toBe("read read read read read read read read waits");
    const { openings, come } = setup();
    const [a, b] = come("10.0.0.1", 2, 64 * MIB);
    expect([a?.is, b?.is]).toEqual(["read", "waits"]);
    openings.leave(a as Client);
    expect(b?.is).toBe("read");
  });

  test("who is looked at takes nobody's place, and is not cut off; half the budget is there to read on such", () => {
    const { clock, openings, come } = setup();
    const first = come("10.0.0.1", 8);
    expect(first.slice(0, 6).map((c) => openings.watch(c))).toEqual([true, true, true, true, false, false]);
    expect(openings.watch(first[0] as Client)).toBe(true);
    expect([openings.size, openings.bytes]).toEqual([2, 4 * MIB]);
    const others = come("10.0.0.1", 7);
    clock.forward(1000);
    for (let i = 0; i < 2; i++) openings.tick();
    expect([are(first), are(others)]).toEqual(["read read read read read read gone read", "read read read read read read read"]);
    // Its room is another's when it leaves, or needs a place again.
    openings.leave(first[0] as Client);
    expect([0, 1].map((i) => openings.watch(others[i] as Client))).toEqual([true, false]);
    expect(openings.enter(first[1] as Client, 2 * MIB)).toBe(true);
    expect(openings.watch(others[2] as Client)).toBe(true);
    openings.stop();
  });

  test("who waits for a place and is looked at waits no more", () => {
    const { openings, come } = setup();
    const all = come("10.0.0.1", 9);
    expect(openings.watch(all[8] as Client)).toBe(false);
    openings.leave(all[0] as Client);
    expect([all[8]?.is, openings.size]).toEqual(["waits", 7]);
    openings.stop();
  });

  test("while somebody waits it looks by itself", async () => {
    const { clock, openings, come } = setup();
    const all = come("10.0.0.1", 9);
    clock.forward(1000);
    const until = Date.now() + 5000;
    while (all[8]?.is === "waits" && Date.now() < until) await Bun.sleep(10);
    expect([all[0]?.is, all[8]?.is]).toEqual(["gone", "read"]);
    openings.stop();
  });
});
