/** What every command owes: it is on its way to disk and to the clients when it returns, and not at the next event of somebody else. */
import { describe, expect, test } from "bun:test";
import type { Admin } from "../../../server/admin/index.ts";
import type { TestClient, TestKit } from "../../support/test_broker.ts";
import { turns } from "../plugins/harness.ts";
import { administer } from "./harness.ts";

const publish = (admin: Admin, more: object = {}): Promise<number> =>
  admin.pubsub.publish({ topic: "kept", payload: "x", retain: true, ...more });
const delay = async (admin: Admin): Promise<string> => {
  await publish(admin, { topic: "$delayed/60/t", retain: false });
  return "1";
};

type Do = (admin: Admin, kit: TestKit) => unknown;
/** What goes before, and the command. */
const WRITES: Readonly<Record<string, readonly [before: Do | null, command: Do]>> = {
  "apps.add": [null, (a) => a.apps.add("id", undefined, {})],
  "apps.update": [(a) => a.apps.add("id", undefined, {}), (a) => a.apps.update("id", { name: "n" })],
  "apps.remove": [(a) => a.apps.add("id", undefined, {}), (a) => a.apps.remove("id")],
  "users.add": [null, (a) => a.users.add("u", "secret", null)],
  "users.update": [(a) => a.users.add("u", "secret", null), (a) => a.users.update("u", "tags")],
  "users.remove": [(a) => Promise.all(["u", "v"].map((name) => a.users.add(name, "secret", null))), (a) => a.users.remove("u")],
  "users.changePassword": [(a) => a.users.add("u", "secret", null), (a) => a.users.changePassword("u", "secret", "other")],
  "users.setPassword": [(a) => a.users.add("u", "secret", null), (a) => a.users.setPassword("u", "other")],
  "users.ensure": [null, (a) => a.users.ensure("admin", "public")],
  "banned.add": [null, (a) => a.banned.add({ who: "w", as: "username" })],
  "banned.remove": [(a) => a.banned.add({ who: "w", as: "username" }), (a) => a.banned.remove("w", "username")],
  "authUsername.add": [null, (a) => a.authUsername.add("u", "p")],
  "authUsername.update": [(a) => a.authUsername.add("u", "p"), (a) => a.authUsername.update("u", "q")],
  "authUsername.remove": [(a) => a.authUsername.add("u", "p"), (a) => a.authUsername.remove("u")],
  "authClientid.add": [null, (a) => a.authClientid.add("c", "p")],
  "retained.remove": [publish, (a) => a.retained.remove("kept")],
  "retained.removeMatching": [publish, (a) => a.retained.removeMatching("#")],
  "delayed.remove": [delay, (a) => a.delayed.remove("1")],
  "delayed.send": [delay, (a) => a.delayed.send("1")],
  "alarms.clearHistory": [
    (_, kit) => {
      kit.alarms.set("x", "y");
      kit.alarms.clear("x");
    },
    (a) => a.alarms.clearHistory(),
  ],
  "sessions.remove": [(_, kit) => kit.connected("gone", 4, { clean: false }).send({ cmd: "disconnect" }), (a) => a.sessions.remove("gone")],
  "pubsub.publish": [null, publish],
  "pubsub.subscribe": [
    (_, kit) => kit.connected("here", 4, { clean: false }),
    (a) => a.pubsub.subscribe({ client_id: "here", topic: "t", qos: 1 }),
  ],
  "pubsub.unsubscribe": [
    async (a, kit) => {
      kit.connected("here", 4, { clean: false });
      await a.pubsub.subscribe({ client_id: "here", topic: "t", qos: 1 });
    },
    (a) => a.pubsub.unsubscribe({ client_id: "here", topic: "t" }),
  ],
  "plugins.unload": [null, (a) => a.plugins.unload("emqx_recon")],
  "plugins.load": [(a) => a.plugins.unload("emqx_recon"), (a) => a.plugins.load("emqx_recon")],
  "plugins.setConfig": [null, (a) => a.plugins.setConfig("emqx_retainer", "retainer.max_retained_messages", "7")],
};

describe("what is written is committed", () => {
  for (const [name, [before, command]] of Object.entries(WRITES)) {
    test(name, async () => {
      const { admin, kit, store, settled } = await administer();
      await before?.(admin, kit);
      kit.broker.flush();
      expect(settled()).toBe(true);
      const batches = store.commits;
      await command(admin, kit);
      expect(settled()).toBe(true);
      // It had something to write.
      expect(store.commits).toBeGreaterThan(batches);
    });
  }
});

describe("what a client is to get, it gets", () => {
  const cases: Readonly<Record<string, (admin: Admin) => unknown>> = {
    "a published message": (a) => a.pubsub.publish({ topic: "t", payload: "x" }),
    "the end, when kicked": (a) => a.connections.kick("c"),
    "the end, when kicked with others": (a) => a.connections.kickAll(["c", "d"]),
    "the end, when banned and kicked": (a) => a.banned.add({ who: "c", as: "client_id", kick: true }),
    "a delayed message sent now": (a) => a.delayed.send("1"),
  };
  for (const [name, command] of Object.entries(cases)) {
    test(name, async () => {
      const { admin, kit } = await administer();
      await publish(admin);
      await delay(admin);
      const client: TestClient = kit.connected("c", 5);
      client.subscribe("t");
      client.take();
      // What plugins have put off is over before.
      await turns(kit);
      const seen = client.transport.chunks.length;
      await command(admin);
      kit.settle();
      expect(client.transport.chunks.length > seen || client.transport.ended).toBe(true);
    });
  }
});
