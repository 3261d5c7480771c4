import { describe, expect, test } from "bun:test";
import { Banned, canonicalName } from "../../../../server/core/access/banned.ts";
import type { BannedRow } from "../../../../server/core/ports.ts";
import { aClient, FakeClock } from "../../../support/access.ts";

class Rows {
  readonly rows = new Map<string, BannedRow>();
  load(): BannedRow[] {
    return [...this.rows.values()];
  }
  put(row: BannedRow): void {
    this.rows.set(`${row.as} ${row.who}`, row);
  }
  delete(as: string, who: string): void {
    this.rows.delete(`${as} ${who}`);
  }
}
const row = (as: BannedRow["as"], who: string, changes: Partial<BannedRow> = {}): BannedRow => ({
  who,
  as,
  reason: null,
  desc: null,
  by: null,
  until: null,
  ...changes,
});
function setUp() {
  const clock = new FakeClock();
  const store = new Rows();
  return { clock, store, banned: new Banned(store, clock), soon: Math.floor(clock.ms / 1000) + 60 };
}

describe("bans", () => {
  test("match client id, user name and address exactly", () => {
    const { banned } = setUp();
    expect(banned.check(aClient({}))).toBeNull();
    banned.add(row("client_id", "bad"));
    banned.add(row("username", "mallory"));
    banned.add(row("ip_address", "10.0.0.9"));
    expect(banned.check(aClient({}))).toBeNull();
    expect(banned.check(aClient({ clientId: "bad" }))?.as).toBe("client_id");
    expect(banned.check(aClient({ username: "mallory" }))?.as).toBe("username");
    expect(banned.check(aClient({ ip: "10.0.0.9" }))?.as).toBe("ip_address");
    expect(banned.check(aClient({ clientId: "mallory", username: "bad" }))).toBeNull();
    expect(banned.check(aClient({ username: null }))).toBeNull();
  });

  test("ranges of addresses", () => {
    const { banned } = setUp();
    banned.add(row("ip_address", "192.168.7.7/16"));
    banned.add(row("ip_address", "2001:db8::/32"));
    expect(banned.check(aClient({ ip: "192.168.255.1" }))?.who).toBe("192.168.0.0/16");
    expect(banned.check(aClient({ ip: "2001:db8::1" }))?.who).toBe("2001:db8::/32");
    expect(banned.check(aClient({ ip: "192.169.0.1" }))).toBeNull();
    expect(banned.check(aClient({ ip: "not an address" }))).toBeNull();
  });

  test("one address has one record however it is spelt", () => {
    const { banned, store } = setUp();
    banned.add(row("ip_address", "2001:DB8:0::1"));
    banned.add(row("ip_address", "2001:db8::1", { reason: "again" }));
    banned.add(row("ip_address", "::ffff:10.0.0.1"));
    expect(banned.list().map((r) => r.who)).toEqual(["2001:db8::1", "10.0.0.1"]);
    expect(store.rows.size).toBe(2);
    expect(banned.check(aClient({ ip: "10.0.0.1" }))).not.toBeNull();
    expect(banned.remove("ip_address", "2001:0db8::0001")).toBe(true);
    expect(store.rows.size).toBe(1);
  });

  test("text that is no address is refused", () => {
    const { banned, store } = setUp();
    expect(() => banned.add(row("ip_address", "example.org"))).toThrow(RangeError);
    expect(store.rows.size).toBe(0);
    expect(canonicalName("ip_address", "10.0.0.300")).toBeNull();
    expect(canonicalName("ip_address", "10.0.0.5/8")).toBe("10.0.0.0/8");
    expect(canonicalName("username", "10.0.0.5/8")).toBe("10.0.0.5/8");
    expect(banned.remove("ip_address", "example.org")).toBe(false);
  });

  test("adding again replaces the whole record and keeps its place", () => {
    const { banned } = setUp();
    banned.add(row("client_id", "a", { reason: "first", by: "me" }));
    banned.add(row("client_id", "b"));
    banned.add(row("client_id", "a", { desc: "second" }));
    expect(banned.list()).toEqual([row("client_id", "a", { desc: "second" }), row("client_id", "b")]);
  });

  test("run out at the second, before any sweep", () => {
    const { banned, clock, store, soon } = setUp();
    banned.add(row("client_id", "c1", { until: soon }));
    banned.add(row("ip_address", "10.0.0.0/8", { until: soon }));
    clock.ms = soon * 1000 - 1;
    expect(banned.check(aClient({}))).not.toBeNull();
    expect(banned.matches(row("client_id", "c1", { until: soon }), aClient({}))).toBe(true);
    clock.ms = soon * 1000;
    expect(banned.check(aClient({}))).toBeNull();
    expect(banned.list()).toEqual([]);
    expect(banned.matches(row("client_id", "c1", { until: soon }), aClient({}))).toBe(false);
    expect(store.rows.size).toBe(2);
    expect(banned.sweep()).toBe(2);
    expect(store.rows.size).toBe(0);
  });

  test("sweep takes only what is due", () => {
    const { banned, clock, soon } = setUp();
    banned.add(row("client_id", "a", { until: soon }));
    banned.add(row("client_id", "b", { until: soon + 100 }));
    banned.add(row("client_id", "c"));
    expect(banned.sweep()).toBe(0);
    clock.ms = soon * 1000;
    expect(banned.sweep()).toBe(1);
    expect(banned.sweep()).toBe(0);
    expect(banned.size).toBe(2);
    clock.ms = (soon + 100) * 1000;
    expect(banned.size).toBe(1);
  });

  test("a record in the past bans nobody", () => {
    const { banned } = setUp();
    banned.add(row("client_id", "c1", { until: 1000 }));
    expect(banned.check(aClient({}))).toBeNull();
    expect(banned.remove("client_id", "c1")).toBe(false);
    expect(banned.remove("client_id", "never")).toBe(false);
  });

  test("are read from the store at start", () => {
    const { store, clock } = setUp();
    store.put(row("ip_address", "10.0.0.0/8"));
    store.put(row("client_id", "x", { until: 5 }));
    const banned = new Banned(store, clock);
    expect(banned.check(aClient({}))?.who).toBe("10.0.0.0/8");
    expect(banned.list()).toHaveLength(1);
    expect(banned.sweep()).toBe(1);
    expect(store.rows.size).toBe(1);
  });

  test("tell which connected clients they concern", () => {
    const { banned } = setUp();
    expect(banned.matches(row("username", "joe"), aClient({}))).toBe(true);
    expect(banned.matches(row("username", "joe"), aClient({ username: null }))).toBe(false);
    expect(banned.matches(row("ip_address", "10.0.0.1"), aClient({}))).toBe(true);
    expect(banned.matches(row("ip_address", "10.0.0.0/30"), aClient({}))).toBe(true);
    expect(banned.matches(row("ip_address", "10.1.0.0/16"), aClient({}))).toBe(false);
  });
});
