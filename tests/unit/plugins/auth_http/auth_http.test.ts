/** emqx_auth_http on the core: what is told of several services, what their answers come to, who is asked about first. */
import { afterAll, afterEach, describe, expect, spyOn, test } from "bun:test";
import { createServer } from "node:net";
import { authHttp } from "../../../../server/plugins/auth_http/index.ts";
import { aClient } from "../../../support/access.ts";
import { until } from "../../../support/until.ts";
import { logIn, removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** The plugin with a service that answers as `state.answer` says. */
async function served(more: Record<string, string> = {}) {
  const state = { asked: [] as string[], answer: (_what: string): Response | Promise<Response> => new Response("") };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const what = pathname + (searchParams.get("topic") ?? "");
      state.asked.push(what);
      return state.answer(what);
    },
  });
  const stop = (): unknown => server.stop(true);
  const at = (path: string): string => `http://127.0.0.1:${server.port}/${path}`;
  const own = { auth_req: at("auth"), super_req: "", acl_req: at("acl/"), ...more };
  const b = await running(authHttp, { settings: Object.fromEntries(Object.entries(own).map(([key, text]) => [`auth.http.${key}`, text])) });
  stops.push(stop, () => b.manager.unload("emqx_auth_http"));
  const service = () => b.manager.report("emqx_auth_http")?.servers[0];
  await until(() => service()?.state === "up", "the service is reached");
  return { ...b, state, service, stop };
}

test("who logs in is asked about before the many topics of somebody who is in", async () => {
  const { kit, state, service } = await served({ pool: "1" });
  const held: ((response: Response) => void)[] = [];
  const c = kit.client(4).connect("greedy", { username: "greedy", password: Buffer.from("x") });
  await until(() => c.take().some((p) => p.cmd === "connack"), "CONNACK");
  state.answer = () => new Promise<Response>((done) => held.push(done));
  const subscriptions = Array.from({ length: 400 }, (_, i) => ({ topic: `t/${i}`, qos: 0 as const }));
  c.send({ cmd: "subscribe", messageId: 7, subscriptions });
  await until(() => held.length === 1, "one is asked about");
  const joe = logIn(kit, "joe", "x");
  await until(() => service()?.waiting === 8, "few others wait, and the one who logs in");
  held[0]?.(new Response(""));
  await until(() => held.length === 2, "the next one is asked about");
  expect(state.asked).toEqual(["/auth", "/acl/t/0", "/auth"]);
  held[1]?.(new Response(""));
  expect(await joe).toBe(0);
});

test("a request ends a little behind its call, however long that has waited for its turn", async () => {
  const { kit, state, service } = await served({ pool: "1" });
  const held: ((response: Response) => void)[] = [];
  state.answer = () => new Promise<Response>((done) => held.push(done));
  const timeout = spyOn(AbortSignal, "timeout");
  try {
    const first = logIn(kit, "joe", "x");
    await until(() => held.length === 1, "one is asked about");
    const second = logIn(kit, "jim", "x");
    await until(() => service()?.waiting === 1, "the other one waits");
    kit.pass(3000);
    held[0]?.(new Response(""));
    await until(() => held.length === 2, "the other one is asked about");
    held[1]?.(new Response(""));
    expect([await first, await second]).toEqual([0, 0]);
    expect(timeout.mock.calls).toEqual([[5500], [2500]]);
  } finally {
    timeout.mockRestore();
  }
});

const denying = (status: number, body?: ConstructorParameters<typeof Response>[0]) => (): Response =>
  new Response(body ?? "no", { status, headers: status < 400 ? { location: "/login" } : {} });

describe("of an answer that is not 200", () => {
  test("the status counts: a long page with it, or one that does not end, changes nothing", async () => {
    const { kit, state, service, manager } = await served();
    const endless = () => new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("no")) });
    state.answer = denying(401, "x".repeat(70_000));
    expect(await logIn(kit, "joe", "wrong")).toBe(0x87);
    for (let i = 0; i < 6; i++) {
      state.answer = denying(401, endless());
      expect(await logIn(kit, "joe", "wrong")).toBe(0x87);
    }
    expect(manager.report("emqx_auth_http")?.authentication).toMatchObject({ denied: 7, errors: 0 });
    expect(service()).toMatchObject({ state: "up", answered: 7, refused: 0 });
  });

  test("what comes behind its head costs no connection, and the verdict does not wait for it", async () => {
    const state = { connections: 0, behind: null as (() => void) | null };
    const raw = createServer((socket) => {
      socket.on("error", () => {});
      // A probe sends nothing.
      socket.once("data", () => state.connections++);
      socket.on("data", () => {
        socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n");
        state.behind = () => socket.write("no");
      });
    });
    await new Promise<void>((done) => raw.listen(0, "127.0.0.1", done));
    stops.push(() => raw.close());
    const { port } = raw.address() as { port: number };
    const { kit } = await served({ auth_req: `http://127.0.0.1:${port}/` });
    for (let i = 0; i < 20; i++) {
      expect(await logIn(kit, "joe", "wrong")).toBe(0x87);
      state.behind?.();
    }
    // The next one may be asked about before what was sent has been read.
    expect(state.connections).toBeLessThan(10);
  });

  test("that the service has moved, or cannot be asked now, is no wrong password, and no verdict that is kept for long", async () => {
    for (const status of [301, 307, 308, 407, 408, 429, 500, 502, 503, 504]) {
      const { kit, state, service } = await served();
      kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
      const c = kit.client(5).connect(`c${status}`, { username: "joe", password: Buffer.from("x") });
      await until(() => c.take().some((p) => p.cmd === "connack"), "CONNACK");
      const granted = async (): Promise<number | undefined> => {
        let found: number | undefined;
        c.subscribe("t");
        await until(() => {
          kit.settle();
          for (const p of c.take()) if (p.cmd === "suback") found = p.granted[0] as number;
          return found !== undefined;
        }, "SUBACK");
        return found;
      };
      state.answer = denying(status);
      for (let i = 0; i < 6; i++) expect([status, await logIn(kit, "bob", "right")]).toEqual([status, 0x88]);
      expect(await granted()).toBe(0x87);
      expect(service()).toMatchObject({ state: "degraded", refused: 7, lastError: expect.stringContaining(`http ${status}`) });
      state.answer = () => new Response("");
      kit.pass(1000);
      expect([await logIn(kit, "bob", "right"), await granted()]).toEqual([0, 0]);
    }
  });

  test("to be sent to a log-in page is a wrong password that counts", async () => {
    for (const status of [300, 302, 303, 304]) {
      const { kit, state } = await served();
      kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
      state.answer = denying(status);
      const codes: number[] = [];
      for (let i = 0; i < 5; i++) codes.push(await logIn(kit, "bob", `guess ${i}`));
      expect([status, codes, state.asked.length]).toEqual([status, [0x87, 0x87, 0x87, 0x9f, 0x9f], 3]);
    }
  });
});

describe("a service that says that it is not available", () => {
  const present = ({ kit }: Awaited<ReturnType<typeof served>>): (readonly [id: string, desc: string])[] =>
    kit.broker.alarms.present().map((a) => [a.id, JSON.stringify(a.desc)]);

  test("to one client, who comes again and again, keeps nobody else out, whatever was asked", async () => {
    for (const what of ["log-in", "topic"]) {
      const b = await served();
      const c = b.kit.client(4).connect("greedy", { username: "greedy", password: Buffer.from("x") });
      await until(() => c.take().some((p) => p.cmd === "connack"), "CONNACK");
      let fails = what === "log-in";
      b.state.answer = (asked) => new Response("", { status: fails || asked.startsWith("/acl/") ? 503 : 200 });
      for (let i = 0; i < 8; i++)
        if (what === "log-in") expect(await logIn(b.kit, "greedy", "x")).toBe(0x88);
        else {
          c.subscribe(`t/${i}`);
          await until(() => {
            b.kit.settle();
            return c.take().some((p) => p.cmd === "suback");
          }, "SUBACK");
        }
      fails = false;
      expect([what, await logIn(b.kit, "good", "x"), b.service()?.state]).toEqual([what, 0, "degraded"]);
      expect(present(b)).toEqual([]);
    }
  });

  for (const status of [502, 503, 504])
    test(`to everybody for three time limits (${status}): an alarm, until the first answer`, async () => {
      const b = await served();
      b.state.answer = denying(status);
      for (let i = 0; i < 6; i++) expect(await logIn(b.kit, "joe", "x")).toBe(0x88);
      b.kit.pass(14_000);
      expect(await logIn(b.kit, "joe", "x")).toBe(0x88);
      expect(present(b)).toEqual([]);
      b.kit.pass(1000);
      expect(await logIn(b.kit, "joe", "x")).toBe(0x88);
      expect(present(b)).toEqual([
        [expect.stringMatching(/^emqx_auth_http_unavailable_http_127\.0\.0\.1_\d+$/), expect.stringContaining(`http ${status}`)],
      ]);
      expect(b.service()).toMatchObject({ state: "degraded", refused: 8, notAsked: 0 });
      b.state.answer = denying(401);
      expect(await logIn(b.kit, "joe", "x")).toBe(0x87);
      expect(present(b)).toEqual([]);
    });

  test("now and then, among answers, is none", async () => {
    const b = await served();
    for (let i = 0; i < 12; i++) {
      b.state.answer = i % 4 === 3 ? () => new Response("") : denying(503);
      await logIn(b.kit, "joe", "x");
      b.kit.pass(2000);
    }
    expect(present(b)).toEqual([]);
  });

  test("which nobody hears any more: the alarm ends a minute later, also with other settings", async () => {
    for (const isReplaced of [false, true]) {
      const b = await served();
      b.state.answer = denying(503);
      for (let i = 0; i < 5; i++) await logIn(b.kit, "joe", "x");
      b.kit.pass(15_000);
      await logIn(b.kit, "joe", "x");
      const own = Object.fromEntries(
        b.manager.configRows("emqx_auth_http").flatMap(({ key, value }) => (value === "" ? [] : [[key, value]])),
      );
      if (isReplaced) await b.replaceConfig("emqx_auth_http", { ...own, "auth.http.pool": "7" });
      b.kit.pass(59_000);
      expect([isReplaced, present(b).length]).toEqual([isReplaced, 1]);
      b.kit.pass(2000);
      expect([isReplaced, present(b)]).toEqual([isReplaced, []]);
      await logIn(b.kit, "joe", "x");
      expect([isReplaced, present(b)]).toEqual([isReplaced, []]);
    }
  });

  test("and is gone then, while everybody asks on: the alarm stands until nobody has asked for a minute", async () => {
    const b = await served();
    b.state.answer = denying(503);
    for (let i = 0; i < 5; i++) await logIn(b.kit, "joe", "x");
    b.kit.pass(15_000);
    await logIn(b.kit, "joe", "x");
    await b.stop();
    for (let i = 0; i < 13; i++) {
      b.kit.pass(10_000);
      expect(await logIn(b.kit, "joe", "x")).toBe(0x88);
    }
    const kinds = (): string[] => present(b).map(([id]) => id.split("_")[3] as string);
    expect(kinds().sort()).toEqual(["down", "unavailable"]);
    b.kit.pass(59_000);
    expect(kinds().sort()).toEqual(["down", "unavailable"]);
    b.kit.pass(2000);
    expect(kinds()).toEqual(["down"]);
  });

  test("is told on by settings that follow, and ends with them", async () => {
    const b = await served();
    const rows = b.manager.configRows("emqx_auth_http").filter((row) => row.value !== "");
    const own = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    b.state.answer = denying(503);
    for (let i = 0; i < 5; i++) await logIn(b.kit, "joe", "x");
    b.kit.pass(15_000);
    await logIn(b.kit, "joe", "x");
    await b.replaceConfig("emqx_auth_http", { ...own, "auth.http.pool": "7" });
    expect(present(b)).toEqual([[expect.stringContaining("unavailable"), expect.any(String)]]);
    b.state.answer = () => new Response("");
    expect([await logIn(b.kit, "joe", "x"), present(b)]).toEqual([0, []]);
    b.state.answer = denying(503);
    for (let i = 0; i < 5; i++) await logIn(b.kit, "joe", "x");
    b.kit.pass(15_000);
    await logIn(b.kit, "joe", "x");
    expect(present(b)).toHaveLength(1);
    const nobody = { "auth.http.auth_req": "http://127.0.0.2:1/", "auth.http.acl_req": "http://127.0.0.2:1/" };
    await b.replaceConfig("emqx_auth_http", { ...own, ...nobody });
    expect(present(b).filter(([id]) => id.includes("unavailable"))).toEqual([]);
  });

  test("with on_error = ignore no topic is allowed for it, as in EMQ X 3.1", async () => {
    const { kit, state, service } = await served({ on_error: "ignore" });
    const c = kit.client(4).connect("c", { username: "joe", password: Buffer.from("x") });
    await until(() => c.take().some((p) => p.cmd === "connack"), "CONNACK");
    state.answer = denying(503);
    const granted: unknown[] = [];
    for (let i = 0; i < 8; i++) {
      c.subscribe(`t/${i}`);
      await until(() => {
        kit.settle();
        for (const p of c.take()) if (p.cmd === "suback") granted.push(...p.granted);
        return granted.length === i + 1;
      }, "SUBACK");
    }
    expect([granted, service()?.state]).toEqual([Array.from({ length: 8 }, () => 0x80), "degraded"]);
  });
});

test("each service that is down has an alarm of its own, however alike their addresses are", async () => {
  // Nobody listens there.
  const services = { auth_req: "https://127.0.0.1:1/auth", super_req: "http://127.0.0.1:1/super", acl_req: "http://[::1]:1/acl" };
  const settings = Object.fromEntries(Object.entries(services).map(([key, url]) => [`auth.http.${key}`, url]));
  const b = await running(authHttp, { settings });
  const present = (): string[] => b.kit.broker.alarms.present().map((a) => a.id);
  try {
    await until(() => b.manager.report("emqx_auth_http")?.servers.every((s) => s.state === "down") === true, "all are down");
    expect(present().sort()).toEqual([
      "emqx_auth_http_down_http_127.0.0.1_1",
      "emqx_auth_http_down_http__5b_3a_3a1_5d_1",
      "emqx_auth_http_down_https_127.0.0.1_1",
    ]);
    for (const id of present()) expect(id).not.toMatch(/[/+#]/);
  } finally {
    await b.manager.unload("emqx_auth_http");
  }
  expect(present()).toEqual([]);
});

test("there are no more requests at a time than the runtime carries, to all services together", async () => {
  const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
  const b = await running(authHttp, { settings: { "auth.http.acl_req": "http://127.0.0.2:8991/mqtt/acl" } });
  const first = async (texts: Record<string, string>) => (await b.manager.test("emqx_auth_http", texts, request, () => aClient()))[0];
  const why = "auth.http.pool: expected at most 75 for each of 2 services, got 76";
  expect(await first({ "auth.http.pool": "76" })).toMatchObject({ verdict: "error", why });
  expect(await first({ "auth.http.pool": "75" })).toMatchObject({ verdict: "ok" });
  expect(await first({ "auth.http.pool": "150", "auth.http.acl_req": "" })).toMatchObject({ verdict: "ok" });
  await expect(first({ "auth.http.pool": "151" })).rejects.toThrow("expected a whole number from 1 to 150");
  await b.manager.unload("emqx_auth_http");
});

describe("secrets in URLs and parameters", () => {
  const AUTH = "http://127.0.0.1:1/auth?token=t0p-s3cret&app=mqtt";
  const PARAMS = "clientid=%c,username=%u,password=%P,key=k3y-s3cret";
  const own = { "auth.http.auth_req": AUTH, "auth.http.auth_req.params": PARAMS, "auth.http.super_req": "", "auth.http.acl_req": "" };
  const request = { clientId: "c", username: "u", password: "p", ip: "127.0.0.1", action: null, topic: null };

  /** Of a plugin that runs, what stands in its settings and what is shown of them. */
  async function kit() {
    const b = await running(authHttp, { settings: own });
    const rows = () => Object.fromEntries(b.manager.configRows("emqx_auth_http").map((r) => [r.key, r.value]));
    const refusal = async (work: Promise<unknown>): Promise<string> => {
      const err = await work.then(
        () => null,
        (e: unknown) => e,
      );
      expect(err).toBeInstanceOf(Error);
      return (err as Error).message;
    };
    const kept = () => [b.config.raw("auth.http.auth_req"), b.config.raw("auth.http.auth_req.params")];
    return { ...b, rows, refusal, kept };
  }

  test("are masked wherever settings are shown; what is sent back as it is shown leaves them", async () => {
    const { manager, settings, replaceConfig, setLive, rows, kept, kit: k } = await kit();
    const shown = rows();
    expect(shown).toMatchObject({
      "auth.http.auth_req": "http://127.0.0.1:1/auth?token=******&app=mqtt",
      "auth.http.auth_req.params": "clientid=%c,username=%u,password=%P,key=******",
    });
    const all = [
      manager.configRows("emqx_auth_http"),
      manager.liveItems(),
      await settings.list(() => true),
      manager.report("emqx_auth_http"),
    ];
    await replaceConfig("emqx_auth_http", Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== "")));
    for (const key of ["auth.http.auth_req", "auth.http.auth_req.params"]) await setLive("emqx_auth_http", key, shown[key] ?? "");
    expect(kept()).toEqual([AUTH, PARAMS]);
    await manager.test("emqx_auth_http", { "auth.http.auth_req": shown["auth.http.auth_req"] }, request, () => aClient());
    expect(JSON.stringify([all, k.log.lines, k.broker.alarms.present()])).not.toContain("s3cret");
    await manager.unload("emqx_auth_http");
  });

  test("are typed again with what else is changed of the same text: the mask is not saved for them", async () => {
    const { manager, settings, replaceConfig, setLive, refusal, kept } = await kit();
    for (const [key, text] of [
      ["auth.http.auth_req", "http://127.0.0.1:1/other?token=******&app=mqtt"],
      ["auth.http.auth_req.params", "clientid=%c,key=******"],
    ] as const) {
      for (const change of [
        replaceConfig("emqx_auth_http", { ...own, [key]: text }),
        setLive("emqx_auth_http", key, text),
        settings.apply(new Map([[key, text]])),
        manager.test("emqx_auth_http", { [key]: text }, request, () => aClient()),
      ])
        expect(await refusal(change)).toStartWith(`${key}: ****** stands for what is kept only while`);
    }
    expect(kept()).toEqual([AUTH, PARAMS]);
    await setLive("emqx_auth_http", "auth.http.auth_req", "http://127.0.0.1:1/auth?token=n3w");
    expect(kept()).toEqual(["http://127.0.0.1:1/auth?token=n3w", PARAMS]);
    await manager.unload("emqx_auth_http");
  });

  test("of parameters go to no other service than they were saved for", async () => {
    const { manager, setLive, refusal, replaceConfig, kept } = await kit();
    const away = "http://127.0.0.2:1/auth?token=mine";
    const again = /names another server: auth\.http\.auth_req\.params has to be typed again/;
    expect(await refusal(setLive("emqx_auth_http", "auth.http.auth_req", away))).toMatch(again);
    expect(await refusal(manager.test("emqx_auth_http", { "auth.http.auth_req": away }, request, () => aClient()))).toMatch(again);
    await replaceConfig("emqx_auth_http", { ...own, "auth.http.auth_req": away });
    expect(kept()).toEqual([away, PARAMS]);
    await manager.unload("emqx_auth_http");
  });

  test("what is wrong with such a text is told without them", async () => {
    const b = await running(authHttp, { settings: own });
    b.rewrite("auth.http.auth_req = htp://127.0.0.1:1/auth?token=t0p-s3cret\n");
    await b.manager.reload("emqx_auth_http").catch(() => {});
    const told = JSON.stringify([b.kit.log.lines, b.manager.list()]);
    expect(told).toContain("token=******");
    expect(told).not.toContain("s3cret");
    await b.manager.unload("emqx_auth_http");
  });
});
