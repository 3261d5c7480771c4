/** The models over the in-memory broker: what a page would show and do. */

import { describe, expect, test } from "bun:test";
import type { Listener } from "../../dashboard/src/api/client.ts";
import { LISTENERS } from "../../dashboard/src/api/fake_static.ts";
import { createEventParser } from "../../dashboard/src/api/http.ts";
import { ApiError, queryText } from "../../dashboard/src/api/transport.ts";
import { encodePayload, propsOf } from "../../dashboard/src/components/PublishForm.tsx";
import { accountKind, createAccounts } from "../../dashboard/src/models/accounts.ts";
import { addressesOf } from "../../dashboard/src/models/addresses.ts";
import { alarmText } from "../../dashboard/src/models/alarms.ts";
import { appExpired, createApps, proposeId } from "../../dashboard/src/models/apps.ts";
import { createBanned } from "../../dashboard/src/models/banned.ts";
import { createClientDetail, fullTopic, rates } from "../../dashboard/src/models/client_detail.ts";
import { createClients } from "../../dashboard/src/models/clients.ts";
import { fillPath, operationsOf } from "../../dashboard/src/models/http_api.ts";
import { addressOf, createListeners, nameOf, portOf } from "../../dashboard/src/models/listeners.ts";
import { createLive } from "../../dashboard/src/models/live.ts";
import { createLiveMessages } from "../../dashboard/src/models/live_messages.ts";
import { urlFrom } from "../../dashboard/src/models/mqtt_tool.ts";
import { mergeSamples } from "../../dashboard/src/models/overview.ts";
import { createPalette } from "../../dashboard/src/models/palette.ts";
import { createPlugins, judgesClients, stateOf } from "../../dashboard/src/models/plugins.ts";
import { createRetained } from "../../dashboard/src/models/retained.ts";
import { createSettings, groupOf } from "../../dashboard/src/models/settings.ts";
import { createTree } from "../../dashboard/src/models/topics.ts";
import { createUsers } from "../../dashboard/src/models/users.ts";
import { until } from "../support/until.ts";
import { loggedIn, NOW, server, settle, status } from "./support.ts";

describe("lists", () => {
  test("search, sort and page go to the server and stand in the address", async () => {
    const { app, broker, window } = await loggedIn("#/clients?id=plant&sort=-recv_msg&limit=20");
    const { table, dispose } = createClients(app);
    await settle();
    expect(broker.requests.at(-1)).toBe("GET /connections?_page=1&_limit=20&_sort=-recv_msg&_like_client_id=plant");
    expect(table.rows.value).toHaveLength(20);
    const counts = table.rows.value?.map((c) => c.recv_msg) ?? [];
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    table.setPage(2);
    await settle();
    expect(window.location.hash).toContain("page=2");
    expect(table.page.value).toBe(2);
    table.setFilter("id", "no such client");
    await settle();
    expect(table.count.value).toBe(0);
    expect(table.filtered.value).toBe(true);
    table.clearFilters();
    table.toggleSort("username");
    await settle();
    expect(table.sort.value).toEqual({ by: "username", down: false });
    table.toggleSort("username");
    table.toggleSort("username");
    expect(table.sort.value).toBeNull();
    dispose();
  });

  test("kick many asks first, then tells", async () => {
    const { app, broker } = await loggedIn("#/clients");
    const model = createClients(app);
    await settle();
    const ids = broker.state.connections.slice(0, 3).map((c) => c.client_id);
    const before = broker.state.connections.length;
    const refused = model.kick(ids);
    app.notices.answer(false);
    await refused;
    expect(broker.state.connections).toHaveLength(before);
    const done = model.kick(ids);
    expect(app.notices.question.value).toMatchObject({ danger: true, title: "Kick 3 clients?" });
    app.notices.answer(true);
    await done;
    expect(broker.state.connections).toHaveLength(before - 3);
    expect(app.notices.toasts.value.at(-1)).toMatchObject({ tone: "ok", text: "3 clients kicked" });
    model.dispose();
  });

  test("an answer that comes too late is not shown", async () => {
    const { app } = await loggedIn();
    const answers: ((n: number) => void)[] = [];
    const live = createLive(() => new Promise<number>((r) => answers.push(r)), { link: app.link, every: 0 });
    void live.refresh();
    answers[1]?.(2);
    await settle();
    answers[0]?.(1);
    await settle();
    expect(live.data.value).toBe(2);
    live.dispose();
  });

  test("a broker that is away: reconnecting, old values stay; hidden: no requests; back: one at once", async () => {
    const { app, broker } = await loggedIn();
    const live = createLive(() => app.api.nodes(), { link: app.link, every: 1000 });
    await settle();
    expect(app.link.state.value).toBe("live");
    broker.fail = new ApiError("network", "gone", 0);
    await live.refresh();
    expect(app.link.state.value).toBe("reconnecting");
    expect(live.data.value).toHaveLength(1);
    broker.fail = null;
    app.link.hidden.value = true;
    const asked = broker.requests.length;
    app.link.hidden.value = false;
    await settle();
    expect(broker.requests.length).toBe(asked + 1);
    expect(app.link.state.value).toBe("live");
    live.dispose();
  });
});

describe("one client", () => {
  test("its parts, subscribe and unsubscribe with undo, gone after its end", async () => {
    const { app, broker } = await loggedIn("#/clients/backend-ingest");
    const model = createClientDetail(app, "backend-ingest");
    await settle();
    expect(model.live.data.value?.connection?.client_id).toBe("backend-ingest");
    expect(await model.subscribe("$share/g/x/#", 1)).toBe(true);
    const added = broker.state.subscriptions.find((s) => s.topic === "x/#");
    expect(added && fullTopic(added)).toBe("$share/g/x/#");
    if (added) await model.unsubscribe(added);
    expect(broker.state.subscriptions.some((s) => s.topic === "x/#")).toBe(false);
    app.notices.toasts.value.at(-1)?.action?.run();
    await settle();
    expect(broker.state.subscriptions.some((s) => s.topic === "x/#" && s.share === "g")).toBe(true);
    model.dispose();
    const other = createClientDetail(app, "nobody");
    await settle();
    expect(other.gone.value).toBe(true);
    other.dispose();
  });

  test("counters become rates, a counter that falls is zero", () => {
    const points = [
      { at: 0, received: 10, sent: 0 },
      { at: 2000, received: 30, sent: 4 },
      { at: 4000, received: 5, sent: 8 },
    ];
    expect(rates(points)).toEqual({ times: [2000, 4000], received: [10, 0], sent: [2, 2] });
    expect(rates([])).toEqual({ times: [], received: [], sent: [] });
  });
});

describe("messages", () => {
  test("retained: delete one and undo, delete by filter only when its name is typed", async () => {
    const { app, broker } = await loggedIn("#/retained?filter=home%2F%23");
    const model = createRetained(app);
    await settle();
    expect(model.table.rows.value?.every((r) => r.topic.startsWith("home/"))).toBe(true);
    const before = broker.state.retained.get("home/attic/image")?.payload;
    await model.remove("home/attic/image");
    expect(broker.state.retained.has("home/attic/image")).toBe(false);
    app.notices.toasts.value.at(-1)?.action?.run();
    await settle();
    expect(broker.state.retained.get("home/attic/image")?.payload).toBe(before as string);
    const all = model.removeAll("home/#");
    expect(app.notices.question.value?.typed).toBe("home/#");
    app.notices.answer(true);
    await all;
    expect([...broker.state.retained.keys()].some((t) => t.startsWith("home/"))).toBe(false);
    model.dispose();
  });

  test("the topic tree opens level by level", async () => {
    const { app } = await loggedIn("#/topics");
    const tree = createTree(app);
    await settle();
    expect(tree.root.data.value?.nodes.map((n) => n.name)).toContain("plant-1");
    tree.toggle("plant-1");
    await settle();
    expect(tree.open.value.get("plant-1")?.nodes.map((n) => n.name)).toContain("line-a");
    tree.toggle("plant-1");
    expect(tree.open.value.size).toBe(0);
    tree.dispose();
  });

  test("looking inside a topic", async () => {
    const { app } = await loggedIn();
    const model = createLiveMessages(app);
    model.start(["plant-1/#"]);
    await until(() => model.messages.value.length > 0, "a message");
    expect(model.messages.value[0]?.topic).toStartWith("plant-1/");
    expect(model.connected.value).toBe(true);
    model.stop();
    expect(model.running.value).toBe(false);
    model.dispose();
  });

  test("Server-Sent Events cut anywhere", () => {
    const text = ': hello\n\nevent: message\ndata: {"a":1}\n\ndata: two\r\ndata: lines\r\n\r\n';
    for (const step of [1, 5, text.length]) {
      const got: { event: string; data: string }[] = [];
      const feed = createEventParser((e) => got.push(e));
      for (let i = 0; i < text.length; i += step) feed(text.slice(i, i + step));
      expect(got).toEqual([
        { event: "message", data: '{"a":1}' },
        { event: "message", data: "two\nlines" },
      ]);
    }
  });

  test("what is typed becomes bytes and properties", () => {
    expect(encodePayload("00ff", "hex")).toEqual(Uint8Array.of(0, 255));
    expect(encodePayload("{", "json")).toBeNull();
    expect(encodePayload("***", "base64")).toBeNull();
    const form = {
      contentType: "a/b",
      responseTopic: "",
      correlation: "k",
      expiry: "10",
      user: [
        ["x", "1"],
        ["", "lost"],
      ] as [string, string][],
      encoding: "text" as const,
    };
    expect(propsOf(form)).toEqual({
      payloadFormat: 1,
      contentType: "a/b",
      correlationData: new TextEncoder().encode("k"),
      messageExpiry: 10,
      user: [["x", "1"]],
    });
  });
});

describe("access", () => {
  test("bans: added, lifted, undone", async () => {
    const { app, broker } = await loggedIn("#/banned");
    const model = createBanned(app);
    await settle();
    expect(model.table.rows.value).toHaveLength(3);
    const b = broker.state.banned[0];
    if (b) await model.lift(b);
    expect(broker.state.banned).toHaveLength(2);
    app.notices.toasts.value.at(-1)?.action?.run();
    await settle();
    expect(broker.state.banned.some((x) => x.who === b?.who && x.until === b.until)).toBe(true);
    model.dispose();
  });

  test("applications: the secret is shown once, a double id is told", async () => {
    const { app } = await loggedIn("#/apps");
    const model = createApps(app);
    await settle();
    expect(await model.create({ app_id: "new-one", name: "n" })).toBe(true);
    expect(model.secret.value).toMatchObject({ app_id: "new-one", fresh: true });
    expect(await model.create({ app_id: "new-one", name: "n" })).toBe(false);
    expect(app.notices.toasts.value.at(-1)?.tone).toBe("bad");
    expect(proposeId(() => Uint8Array.of(1, 2, 3, 4, 5, 6, 255))).toBe("010203040506ff");
    expect(appExpired({ expired: 10 }, 11_000)).toBe(true);
    expect(appExpired({ expired: "undefined" }, NOW)).toBe(false);
    model.dispose();
  });

  test("users: one's own new password is what the tab sends from then on", async () => {
    const { app } = await loggedIn("#/users");
    const model = createUsers(app);
    expect(await model.create("kim", "long enough", "")).toBe(true);
    expect(await model.create("kim", "long enough", "")).toBe(false);
    expect(app.notices.toasts.value.at(-1)?.text).toBe("A user with this name exists already.");
    expect(await model.setPassword("admin", "public", "next-password")).toBe(true);
    expect(await app.api.users()).toHaveLength(3);
    model.dispose();
  });
});

describe("accounts of the authentication plugins", () => {
  test("created, told when double, deleted after a question", async () => {
    const { app } = await loggedIn();
    const model = createAccounts(app, "username");
    await settle();
    expect(model.names.data.value).toEqual(["sensors", "gateway"]);
    expect(await model.create("plc", "x")).toBe(true);
    expect(await model.create("plc", "x")).toBe(false);
    const gone = model.remove("plc");
    app.notices.answer(true);
    await gone;
    await settle();
    expect(model.names.data.value).toEqual(["sensors", "gateway"]);
    expect([accountKind("emqx_auth_username"), accountKind("emqx_auth_clientid"), accountKind("emqx_recon")]).toEqual([
      "username",
      "clientid",
      null,
    ]);
    model.dispose();
  });

  test("searched and paged where they are: the API answers with all of them", async () => {
    const { app, broker } = await loggedIn();
    broker.state.accounts.username.clear();
    for (let i = 60; i > 0; i--) broker.state.accounts.username.add(`plc-${String(i).padStart(2, "0")}`);
    broker.state.accounts.username.add("Gateway");
    const model = createAccounts(app, "username");
    await settle();
    expect([model.count.value, model.pages.value, model.shown.value.slice(0, 2)]).toEqual([61, 7, ["Gateway", "plc-01"]]);
    model.setPage(7);
    expect(model.shown.value).toEqual(["plc-60"]);
    model.find("PLC-1");
    expect([model.page.value, model.count.value, model.shown.value.at(-1)]).toEqual([1, 10, "plc-19"]);
    model.find("");
    model.setLimit(50);
    model.setPage(2);
    expect([model.pages.value, model.shown.value.length]).toEqual([2, 11]);
    // Fewer than there were: the page that is left.
    broker.state.accounts.username.clear();
    broker.state.accounts.username.add("last");
    await model.names.refresh();
    expect([model.page.value, model.shown.value]).toEqual([1, ["last"]]);
    model.dispose();
  });

  test("commands name the ports this broker really has", () => {
    const list = [
      { protocol: "mqtt:tcp", listen_on: "127.0.0.1:11883", name: "internal" },
      { protocol: "mqtt:tcp", listen_on: "0.0.0.0:1884", name: "external" },
      { protocol: "http:management", listen_on: "8081", name: "management" },
    ];
    expect(addressesOf(list, "h")).toEqual({ api: "http://h:8081/api/v3", mqtt: "-h h -p 1884" });
    expect(addressesOf([], "h")).toEqual({ api: "http://h:8080/api/v3", mqtt: "-h h" });
  });
});

describe("system", () => {
  test("plugins: load at once, unload after a question, a refusal is told", async () => {
    const { app, broker } = await loggedIn("#/plugins");
    const model = createPlugins(app);
    await settle();
    const find = (name: string) => broker.state.plugins.find((p) => p.name === name);
    const off = find("emqx_reloader");
    if (off) await model.toggle("n", { ...off });
    expect(find("emqx_reloader")?.active).toBe(true);
    const on = find("emqx_recon");
    const stop = on && model.toggle("n", { ...on });
    app.notices.answer(true);
    await stop;
    expect(find("emqx_recon")?.active).toBe(false);
    model.dispose();
  });

  test("a plugin whose server is down is not called running", () => {
    const state = (...states: ("up" | "down" | "degraded" | "connecting")[]) =>
      stateOf({ active: true, status: status({ servers: states.map((s) => server({ state: s })) }) });
    expect([
      state(),
      state("up"),
      state("up", "connecting"),
      state("up", "degraded", "connecting"),
      state("up", "degraded", "down"),
    ]).toEqual(["running", "running", "connecting", "degraded", "down"]);
    expect(stateOf({ active: true, status: null })).toBe("running");
    expect(stateOf({ active: false, status: null })).toBe("stopped");
  });

  test("settings are tried with a client where the plugin judges clients, running or not", () => {
    const counts = { allowed: 0, denied: 0, ignored: 0, errors: 0 };
    expect(judgesClients({ name: "emqx_auth_pgsql", status: null })).toBe(true);
    expect(judgesClients({ name: "mine", status: status({ authentication: null, acl: counts }) })).toBe(true);
    expect(judgesClients({ name: "emqx_statsd", status: status({ authentication: null, acl: null }) })).toBe(false);
    expect(judgesClients({ name: "emqx_statsd", status: null })).toBe(false);
  });

  test("settings: groups, search, save, what waits for a restart", async () => {
    const { app } = await loggedIn("#/settings?q=max_packet");
    const model = createSettings(app);
    await settle();
    expect(model.groups.value.map(([g, rows]) => [g, rows.length])).toEqual([["mqtt", 1]]);
    const row = model.groups.value[0]?.[1][0];
    if (!row) throw new Error("no row");
    app.router.patch({ q: "node.name" });
    const node = model.groups.value[0]?.[1][0];
    expect(await model.save(row, "2MB")).toBeNull();
    expect(model.waiting.value.size).toBe(0);
    if (node) await model.save(node, "x@y");
    expect([...model.waiting.value]).toEqual(["node.name"]);
    const undo = () => app.notices.toasts.value.at(-1)?.action;
    expect(undo()).toBeDefined();
    // What stood there is shown masked: there is nothing to go back to.
    await model.save({ ...row, origin: "api", secret: true, value: "******" }, "3MB");
    expect(undo()).toBeUndefined();
    const bad = (await app.api.settings()).find((s) => s.type === "integer");
    expect(bad && (await model.save(bad, "x"))).toContain("expected an integer");
    expect([groupOf("acl_file"), groupOf("mqtt.a.b"), groupOf("zone.external.x"), groupOf("listener.tcp.external.acceptors")]).toEqual([
      "general",
      "mqtt",
      "zone.external",
      "listener.tcp.external",
    ]);
    model.dispose();
  });

  test("listeners: of two on one port the question names the one that is meant", async () => {
    const { app, broker } = await loggedIn();
    const on = (name: string): Listener => ({ ...(LISTENERS[0] as Listener), protocol: "mqtt:ws", name, listen_on: "8083" });
    app.api.listeners = async () => [{ node: "n", listeners: [on("inner"), on("outer")] }];
    const model = createListeners(app);
    await settle();
    const acting = model.act("n", on("outer"), "stop");
    expect(app.notices.question.value?.title).toBe("Stop mqtt:ws outer?");
    app.notices.answer(false);
    await acting;
    expect(broker.requests.filter((request) => request.startsWith("PUT"))).toEqual([]);
    model.dispose();
  });

  test("listeners: ports, and where the WebSocket client finds its address", () => {
    expect([portOf({ listen_on: "0.0.0.0:1883" }), portOf({ listen_on: "8883" }), portOf({ listen_on: "[::]:8083" })]).toEqual([
      "1883",
      "8883",
      "8083",
    ]);
    const ws = (name: string, listen_on: string) => ({ ...(LISTENERS[0] as Listener), protocol: "mqtt:ws", name, listen_on });
    const [inner, outer, third] = [ws("inner", "8083"), ws("outer", "8083"), ws("third", "8084")];
    expect([inner, outer, third].map((l) => addressOf(l, [inner, outer, third]))).toEqual(["inner", "outer", "8084"]);
    expect([nameOf(outer, [inner, outer, third]), nameOf(third, [inner, outer, third])]).toEqual(["mqtt:ws outer", "mqtt:ws 8084"]);
    const list = [
      { protocol: "mqtt:ws", listen_on: "9001", running: true },
      { protocol: "mqtt:wss", listen_on: "9002", running: false },
    ];
    expect(urlFrom(list, false, "h")).toBe("ws://h:9001/mqtt");
    expect(urlFrom(list, true, "h")).toBeNull();
  });

  test("alarms as text", () => {
    expect(alarmText({ id: "x", desc: "[]" })).toEqual({ title: "x", detail: "", severity: "warn" });
    expect(alarmText({ id: "x", desc: { severity: "error", title: "T", summary: "S", timestamp: "" } })).toEqual({
      title: "T",
      detail: "S",
      severity: "danger",
    });
  });

  test("samples are joined without doubles and fall off at the old end", () => {
    const p = (at_ms: number) => ({ at_ms }) as Parameters<typeof mergeSamples>[0][number];
    expect(mergeSamples([p(1), p(2)], [p(2), p(3)], 2).map((x) => x.at_ms)).toEqual([2, 3]);
    expect(mergeSamples([p(1)], [], 5)).toEqual([]);
  });

  test("the palette finds pages, clients and topics", async () => {
    const { app } = await loggedIn();
    const palette = createPalette(app);
    palette.query.value = "back";
    await until(() => palette.hits.value.some((h) => h.kind === "client"), "a client among the hits");
    const hit = palette.hits.value.find((h) => h.text === "backend-ingest");
    expect(hit?.href).toBe("#/clients/backend-ingest");
    if (hit) palette.choose(hit);
    expect(app.router.place.value.path).toEqual(["clients", "backend-ingest"]);
    palette.dispose();
  });

  test("operations of an OpenAPI document, with an example body", () => {
    const doc = {
      paths: {
        "/api/v3/apps/{id}": {
          get: { summary: "One", tags: ["apps"] },
          put: { requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/A" } } } } },
        },
      },
      components: {
        schemas: { A: { type: "object", required: ["name"], properties: { name: { type: "string" }, n: { type: "integer" } } } },
      },
    };
    const [get, put] = operationsOf(doc);
    expect(get).toMatchObject({
      method: "GET",
      path: "/apps/{id}",
      tag: "apps",
      body: null,
      params: [{ name: "id", in: "path", required: true }],
    });
    expect(JSON.parse(put?.body ?? "")).toEqual({ name: "" });
    expect(get && fillPath(get, { id: "a/b" })).toEqual({ path: "/apps/a%2Fb", query: {} });
    expect(queryText({ a: 1, b: undefined, c: "" })).toBe("?a=1");
  });
});
