/** Where a client is put. */
import { describe, expect, test } from "bun:test";
import { TestKit } from "../../../support/test_broker.ts";

describe("where a mountpoint puts a client", () => {
  /** As whom, and the code of 5.0 or the mountpoint. */
  function put(template: string, clientId: string, username: string | null, from: "zone" | "plugin"): number | string {
    const kit = new TestKit({ zone: { mountpoint: from === "zone" ? template : "elsewhere/" } });
    if (from === "plugin") kit.hooks.add("client.authenticate", "p", () => ({ allow: true, mountpoint: template }), 0, { anonymous: true });
    const c = kit.client(5).connect(clientId, username === null ? {} : { username, password: Buffer.from("x") });
    const [ack] = c.take() as unknown as [{ reasonCode: number }];
    expect(kit.log.errors).toEqual([]);
    expect(kit.broker.sessions.has(clientId)).toBe(ack.reasonCode === 0);
    return ack.reasonCode === 0 ? (c.channel.client?.mountpoint ?? "") : ack.reasonCode;
  }
  const rows: [template: string, clientId: string, username: string | null, found: number | string][] = [
    ["dev/%c/", "a", null, "dev/a/"],
    ["%u/%c/%u/", "a", "joe", "joe/a/joe/"],
    ["dev/%u/", "a", null, "dev//"],
    ["dev/%c/", "fleet/7", null, "dev/fleet/7/"],
    // What a name contains is not filled in again.
    ["dev/%c/", "%u", "joe", "dev/%u/"],
    ["dev/%u/%c/", "a", "%c", "dev/%c/a/"],
    ["dev/%c/", "$&", null, "dev/$&/"],
    ["dev/%c/", "+", null, 0x85],
    ["dev/%c/", "#", null, 0x85],
    ["dev/%c/", "a+b", null, 0x85],
    ["dev/%c/", "a/#", null, 0x85],
    ["dev/%u/", "a", "+", 0x87],
    ["dev/%u/", "a", "x/#", 0x87],
    // Not taken in: what they are called is their own affair.
    ["dev/", "+", "#", "dev/"],
    ["dev/%u/", "+", "joe", "dev/joe/"],
    // Itself a wildcard, or a share of everything.
    ["dev/+/", "a", null, 0x87],
    ["#", "a", null, 0x87],
    ["$share/g/", "a", null, 0x87],
    ["%c/", "$share", null, 0x87],
    ["%c/", "$share/g", null, 0x87],
    ["%u/", "a", "$queue", 0x87],
    ["%c/", "$SYS/brokers", null, 0x87],
    ["$%c/", "delayed", null, 0x87],
    ["%u%c/", "$SYS", null, 0x87],
    ["$dev/%c/", "a", null, "$dev/a/"],
  ];
  for (const [template, clientId, username, found] of rows) {
    test(`${template} of ${clientId}${username === null ? "" : ` (${username})`}: ${typeof found === "number" ? "refused" : found}`, () => {
      expect(put(template, clientId, username, "zone")).toBe(found);
      expect(put(template, clientId, username, "plugin")).toBe(found);
    });
  }

  test("what is said: 3.x hears 2 or 5, the log why", () => {
    const kit = new TestKit({ zone: { mountpoint: "dev/%c/" } });
    expect(kit.client(4).connect("+").take()).toMatchObject([{ returnCode: 2 }]);
    expect(kit.log.lines.at(-1)).toMatchObject({
      message: "connection refused",
      fields: { clientid: "+", why: expect.stringContaining("wildcard") },
    });
    kit.zone.mountpoint = "dev/%u/";
    expect(
      kit
        .client(4)
        .connect("a", { username: "+", password: Buffer.from("x") })
        .take(),
    ).toMatchObject([{ returnCode: 5 }]);
    // What the plugin or the configuration says is nobody's business.
    kit.zone.mountpoint = "hidden/+/";
    expect(kit.client(5).connect("a").take()).toMatchObject([{ reasonCode: 0x87, properties: { reasonString: "not authorized" } }]);
    expect(kit.log.lines.at(-1)?.fields?.why).toContain("hidden/+/");
  });

  test("nobody subscribes to what is everybody's", () => {
    const kit = new TestKit({ zone: { mountpoint: "dev/%c/" } });
    const thief = kit.client().connect("+");
    thief.take();
    thief.subscribe("#");
    kit.connected("a").publish("secret", "x");
    expect([thief.transport.ended, thief.take(), kit.broker.router.size]).toEqual([true, [], 0]);
  });
});
