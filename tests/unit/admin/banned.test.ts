import { describe, expect, test } from "bun:test";
import { TestClient } from "../../support/test_broker.ts";
import { administer } from "./harness.ts";

describe("adding", () => {
  test("what is not said is unset, however it is not said", async () => {
    const { admin } = await administer();
    for (const [who, none] of [
      ["a", undefined],
      ["b", null],
      ["c", "undefined"],
    ] as const)
      await admin.banned.add({ who, as: "client_id", until: none, reason: none, desc: none, by: none });
    const { rows } = await admin.banned.list({});
    const unset = { as: "client_id", reason: "undefined", desc: "undefined", by: "undefined", until: "undefined" };
    expect(rows).toEqual(["a", "b", "c"].map((who) => ({ who, ...unset }) as never));
  });

  test("what is said is shown", async () => {
    const { admin } = await administer();
    const row = { who: "10.0.0.0/8", as: "ip_address", reason: "r", desc: "d", by: "b", until: 4102444800 } as const;
    await admin.banned.add(row);
    expect((await admin.banned.list({})).rows).toEqual([row]);
  });

  test.each([
    [{}, 107, "missing mandatory params: ['who', 'as']"],
    [{ who: "x" }, 107, "missing mandatory params: ['who', 'as']"],
    [{ as: "username" }, 107, "missing mandatory params: ['who', 'as']"],
    [{ who: "x", as: "constructor" }, 108, "value of 'as' must be one of: ['client_id', 'username', 'ip_address']"],
    [{ who: "", as: "username" }, 108, "value of 'who' must be a string"],
    [{ who: 5, as: "username" }, 108, "value of 'who' must be a string"],
    [{ who: "1.2.3", as: "ip_address" }, 108, "value of 'who' must be an IP address or a range such as 10.0.0.0/8"],
    [{ who: "x", as: "username", until: "soon" }, 108, "value of 'until' must be a number (Unix seconds)"],
    [{ who: "x", as: "username", until: Number.NaN }, 108, "value of 'until' must be a number (Unix seconds)"],
    [{ who: "x", as: "username", until: Number.POSITIVE_INFINITY }, 108, "value of 'until' must be a number (Unix seconds)"],
    [{ who: "x", as: "username", by: 1 }, 108, "value of 'by' must be a string"],
  ])("%j is refused, and nothing kept", async (params, code, message) => {
    const { admin } = await administer();
    await expect(admin.banned.add(params)).rejects.toMatchObject({ code, message });
    expect((await admin.banned.list({})).rows).toEqual([]);
  });
});

test("removing asks for the kind, and takes only what has it", async () => {
  const { admin } = await administer();
  await admin.banned.add({ who: "x", as: "username" });
  expect(() => admin.banned.remove("x", undefined)).toThrow("missing mandatory params: ['as']");
  expect(() => admin.banned.remove("x", "name")).toThrow(/^value of 'as' must be one of/);
  admin.banned.remove("x", "client_id");
  expect((await admin.banned.list({})).meta.count).toBe(1);
  admin.banned.remove("x", "username");
  expect((await admin.banned.list({})).meta.count).toBe(0);
});

describe("kick closes what the ban would have kept out, and nobody else", () => {
  async function world() {
    const all = await administer();
    const { kit } = all;
    const open = (id: string, username: string, ip: string, zone = "external"): TestClient => {
      const c = new TestClient(kit, 4, { ...kit.listener, zone }, ip);
      return c.connect(id, { username, password: Buffer.from("x") });
    };
    const clients = {
      one: open("one", "ann", "10.0.0.1"),
      two: open("two", "ann", "10.0.0.2"),
      bob: open("bob", "bob", "10.0.0.1"),
      far: open("far", "bob", "192.168.0.1"),
      // Bans are off in this zone.
      inside: open("inside", "ann", "10.0.0.1", "internal"),
    };
    const left = () => {
      kit.settle();
      return Object.entries(clients).flatMap(([name, c]) => (c.channel.phase === "closed" ? [name] : []));
    };
    return { ...all, left };
  }

  test.each([
    [{ who: "one", as: "client_id" }, ["one"]],
    [{ who: "inside", as: "client_id" }, []],
    [{ who: "nobody", as: "client_id" }, []],
    [{ who: "ann", as: "username" }, ["one", "two"]],
    [{ who: "10.0.0.1", as: "ip_address" }, ["one", "bob"]],
    [{ who: "10.0.0.0/8", as: "ip_address" }, ["one", "two", "bob"]],
  ] as const)("%j", async (ban, gone) => {
    const { admin, left } = await world();
    await admin.banned.add({ ...ban });
    await admin.banned.add({ ...ban, kick: "true" });
    expect(left()).toEqual([]);
    await admin.banned.add({ ...ban, kick: true });
    expect(left()).toEqual([...gone]);
  });
});
