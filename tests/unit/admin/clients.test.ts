/** Connections, sessions, subscriptions, why a client gets in. */
import { describe, expect, test } from "bun:test";
import { TestClient } from "../../support/test_broker.ts";
import { administer } from "./harness.ts";

describe("connections", () => {
  test("the certificate: its subject, nossl over plain TCP, undefined otherwise", async () => {
    const { admin, kit } = await administer();
    for (const [id, protocol, cert, shown] of [
      ["plain", "mqtt:tcp", null, "nossl"],
      ["tls", "mqtt:ssl", null, "undefined"],
      ["ws", "mqtt:ws", null, "undefined"],
      ["known", "mqtt:ssl", { dn: "CN=device,O=Works", cn: "device" }, "CN=device,O=Works"],
    ] as const) {
      const client = new TestClient(kit, 4, { ...kit.listener, protocol, isWebSocket: protocol === "mqtt:ws" }).connect(id);
      Object.assign(client.channel.client ?? {}, { cert });
      const [row] = admin.connections.lookup(id);
      expect(row).toMatchObject({ peercert: shown, listener: protocol, conn_mod: id === "ws" ? "emqx_ws_connection" : "emqx_connection" });
    }
  });

  test("a row tells what CONNECT said, and what has happened since", async () => {
    const { admin, kit } = await administer();
    const will = { topic: "will/t", payload: Buffer.from("x"), qos: 0, retain: false } as const;
    const client = kit.connected("c", 4, { clean: false, keepalive: 77, username: "u", password: Buffer.from("p"), will });
    client.subscribe("a/#");
    client.publish("x/y", "hello");
    expect(admin.connections.lookup("c")).toEqual([
      expect.objectContaining({
        client_id: "c",
        node: admin.node,
        username: "u",
        ipaddress: "127.0.0.1",
        port: 40000,
        proto_name: "MQTT",
        proto_ver: 4,
        clean_start: false,
        keepalive: 77,
        is_bridge: false,
        zone: "external",
        is_super: false,
        mountpoint: "undefined",
        will_topic: "will/t",
        recv_pkt: 3,
        recv_msg: 1,
        send_pend: 0,
        mailbox_len: 0,
        heap_size: 0,
        reductions: 0,
        connected_at_ms: kit.clock.time,
        subscriptions_count: 1,
        inflight_len: 0,
        mqueue_len: 0,
      }),
    ]);
    expect(admin.connections.lookup("nobody")).toEqual([]);
    expect((await admin.connections.list({ client_id: "nobody" })).meta.count).toBe(0);
  });

  test("a user name that is a token is shown cut, everywhere: whoever reads it could come in with it", async () => {
    const { admin, kit } = await administer();
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = (sub: string): string => `${part({ alg: "HS256" })}.${part({ sub })}.c2ln`;
    for (const sub of ["a", "b"]) kit.connected(sub, 4, { clean: false, username: token(sub), password: Buffer.from("p") });
    kit.connected("c", 4, { username: "joe", password: Buffer.from("p") });
    for (const [id, mountpoint] of [
      ["a", `own/${token("a")}/`],
      ["c", "own/joe/"],
    ] as const)
      Object.assign(kit.broker.sessions.get(id)?.channel?.client ?? {}, { mountpoint });
    const mountpoints = ["a", "b", "c"].flatMap((id) => admin.connections.lookup(id).map((row) => row.mountpoint));
    expect(mountpoints).toEqual(["own/eyJhbGci… (a token)/", "undefined", "own/joe/"]);
    const names = [
      ...(await admin.connections.list({})).rows.map((row) => row.username),
      ...(await admin.sessions.list({})).rows.map((row) => row.username),
    ];
    expect(names.sort()).toEqual([...Array.from({ length: 4 }, () => "eyJhbGci… (a token)"), "joe", "joe"]);
    expect((await admin.connections.byUsername(token("b"))).map((row) => [row.client_id, row.username])).toEqual([
      ["b", "eyJhbGci… (a token)"],
    ]);
    expect((await admin.connections.byUsername("joe")).map((row) => row.client_id)).toEqual(["c"]);
  });

  test("the list asked for one client id", async () => {
    const { admin, kit } = await administer();
    for (const id of ["a", "b"]) kit.connected(id);
    for (const table of [admin.connections, admin.sessions]) {
      const { rows, meta } = await table.list({ client_id: "b" });
      expect([rows.map((r) => r.client_id), meta.count]).toEqual([["b"], 1]);
    }
    expect(admin.sessions.lookup("a")).toMatchObject([{ connected: true, binding: "local" }]);
    kit.connected("t").subscribe("x/y");
    expect((await admin.routes.list({ topic: "x/y" })).rows).toEqual([{ topic: "x/y", node: admin.node }]);
    expect((await admin.routes.list({ topic: "x" })).rows).toEqual([]);
    expect((await admin.routes.list({})).rows).toHaveLength(1);
    expect([admin.routes.lookup("x/y"), admin.routes.lookup("x/+")]).toEqual([[{ topic: "x/y", node: admin.node }], []]);
  });

  test("of a user name: all of them, however many, and nobody else's", async () => {
    const { admin, kit } = await administer();
    for (let i = 0; i < 50; i++) kit.connected(`c${i}`, 4, { username: i % 2 ? "odd" : "even", password: Buffer.from("x") });
    admin.limits.maxRows = 3;
    expect((await admin.connections.byUsername("odd")).map((c) => c.client_id)).toEqual(
      Array.from({ length: 25 }, (_, i) => `c${2 * i + 1}`),
    );
    expect(await admin.connections.byUsername("none")).toEqual([]);
    expect((await admin.connections.list({})).rows).toHaveLength(3);
  });

  test("to clean what is kept of a client's access: the next question is put anew, and plugins hear of it", async () => {
    const { admin, kit } = await administer();
    const seen: (number | undefined)[] = [];
    kit.hooks.add("client.check_acl", "p", (client) => {
      seen.push(client.aclGeneration);
      return { verdict: "allow" };
    });
    const c = kit.connected("c");
    c.publish("t").publish("t").publish("t");
    expect(seen).toEqual([undefined]);
    admin.connections.cleanAclCache("c");
    c.publish("t").publish("t");
    admin.connections.cleanAclCache("c", "t");
    c.publish("t").publish("t");
    expect(seen).toEqual([undefined, 1, 2]);
  });

  test("who has gone is no connection, though its session stays", async () => {
    const { admin, kit } = await administer();
    kit.connected("kept", 4, { clean: false }).send({ cmd: "disconnect" });
    expect(admin.connections.lookup("kept")).toEqual([]);
    expect((await admin.connections.list({})).rows).toEqual([]);
    expect(admin.sessions.lookup("kept")).toHaveLength(1);
    for (const command of [
      () => admin.connections.kick("kept"),
      () => admin.connections.aclCache("kept"),
      () => admin.connections.cleanAclCache("kept"),
    ])
      expect(command).toThrow(expect.objectContaining({ code: 112, message: "not_found" }));
    expect(await admin.connections.kickAll(["kept", "nobody"])).toEqual({ kicked: [], not_found: ["kept", "nobody"] });
  });
});

describe("sessions", () => {
  test("only that of an absent client is thrown away", async () => {
    const { admin, kit } = await administer();
    const client = kit.connected("c", 4, { clean: false });
    expect(() => admin.sessions.remove("c")).toThrow(expect.objectContaining({ code: 102, message: "running_session" }));
    expect(() => admin.sessions.remove("nobody")).toThrow(expect.objectContaining({ code: 102, message: "not_found" }));
    client.send({ cmd: "disconnect" });
    admin.sessions.remove("c");
    expect(admin.sessions.lookup("c")).toEqual([]);
  });
});

describe("subscriptions", () => {
  test("a late page does not begin in the middle of a session's rows", async () => {
    const { admin, kit } = await administer();
    for (const [id, n] of [
      ["a", 3],
      ["b", 0],
      ["c", 2],
      ["d", 4],
    ] as const) {
      const client = kit.connected(id);
      for (let i = 0; i < n; i++) client.subscribe(`${id}/${i}`);
    }
    const { rows, meta } = await admin.subscriptions.list({});
    expect(meta.count).toBe(9);
    for (let page = 1; page <= 6; page++) {
      const part = await admin.subscriptions.list({ _page: String(page), _limit: "2" });
      expect(part.rows).toEqual(rows.slice(2 * (page - 1), 2 * page));
      expect(part.meta).toEqual({ page, limit: 2, count: 9 });
    }
    expect((await admin.subscriptions.lookup("d")).map((s) => s.topic)).toEqual(["d/0", "d/1", "d/2", "d/3"]);
    expect(await admin.subscriptions.lookup("nobody")).toEqual([]);
  });

  test("those of event streams are nobody's", async () => {
    const { admin, kit } = await administer();
    kit.connected("c").subscribe("t");
    const stop = admin.pubsub.listen({ topic: "t,other" }, "auto", { subscribed() {}, message() {} });
    expect((await admin.subscriptions.list({})).meta.count).toBe(1);
    expect((await admin.subscriptions.list({ topic: "t" })).rows.map((s) => s.client_id)).toEqual(["c"]);
    expect((await admin.subscriptions.list({ topic: "other" })).rows).toEqual([]);
    stop();
    expect(kit.broker.router.hasFilter("other")).toBe(false);
  });
});

describe("explain", () => {
  test("who is asked about: from this machine, in the external zone, no superuser, unless it is said", async () => {
    const { admin, kit } = await administer();
    const seen: object[] = [];
    kit.hooks.add("client.authenticate", "look", (client, { password }) => {
      seen.push({ ...client, zone: client.zone.name, secret: password === null ? null : new TextDecoder().decode(password) });
      return null;
    });
    await admin.explain({ client_id: "c", username: "u" });
    await admin.explain({ client_id: "c", username: "u", password: "p", ip_address: "10.0.0.9", zone: "internal" });
    const usual = {
      clientId: "c",
      username: "u",
      isSuper: false,
      version: 5,
      protocolName: "MQTT",
      mountpoint: "",
      isBridge: false,
      cert: null,
    };
    expect(seen).toEqual([
      expect.objectContaining({ ...usual, ip: "127.0.0.1", zone: "external", secret: null }),
      expect.objectContaining({ ...usual, ip: "10.0.0.9", zone: "internal", secret: "p" }),
    ]);
    await expect(admin.explain({ client_id: "c", zone: "nowhere" })).rejects.toMatchObject({
      code: 108,
      message: "there is no zone 'nowhere'",
    });
  });

  test("access is looked at when action and topic are both given; one alone is refused, and what is no topic", async () => {
    const { admin } = await administer();
    expect((await admin.explain({ client_id: "c" })).acl).toBeNull();
    await expect(admin.explain({ client_id: "c", action: "publish" })).rejects.toMatchObject({ code: 107 });
    await expect(admin.explain({ client_id: "c", topic: "t" })).rejects.toMatchObject({ code: 107 });
    await expect(admin.explain({ client_id: "c", action: "publish", topic: "t/+" })).rejects.toMatchObject({ code: 115 });
    await expect(admin.explain({ client_id: "c", action: "subscribe", topic: "t#" })).rejects.toMatchObject({ code: 115 });
    const both = await admin.explain({ client_id: "c", action: "publish", topic: "t" });
    expect(both).toMatchObject({ authentication: { allow: true, is_super: false }, acl: { allow: true } });
  });
});
