/** emqx_auth_http in the executable, with a web service of the test's own: what is asked how, and what each answer comes to. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PluginStatus } from "../../server/admin/rows.ts";
import { AuthKit } from "../support/auth_kit.ts";
import { connectPacket, RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { Nginx } from "../support/nginx.ts";
import { NGINX, needing } from "../support/peers.ts";
import { Rest } from "../support/rest.ts";
import { mostDuring } from "../support/sockets.ts";
import { whenAway, whenFar } from "./away.ts";

const NAME = "emqx_auth_http";

interface Asked {
  method: string;
  path: string;
  type: string;
  fields: Record<string, string>;
  headers: Record<string, string>;
}

let baomq: Installation;
let broker: RunningBroker;
let service: ReturnType<typeof Bun.serve>;
let asked: Asked[] = [];
/** That of the broker's environment, and what it was asked for. */
let proxy: ReturnType<typeof Bun.serve>;
const proxied: string[] = [];
/** Path -> what it answers. */
let answers: Record<string, (fields: Record<string, string>) => Response | Promise<Response>> = {};

const ok = (body = ""): Response => new Response(body);

function serve(port = 0): void {
  service = Bun.serve({
    port,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      const type = request.headers.get("content-type") ?? "";
      const text = await request.text();
      const fields =
        request.method === "GET"
          ? Object.fromEntries(url.searchParams)
          : type.includes("json")
            ? (JSON.parse(text) as Record<string, string>)
            : Object.fromEntries(new URLSearchParams(text));
      asked.push({ method: request.method, path: url.pathname, type, fields, headers: Object.fromEntries(request.headers) });
      return (await answers[url.pathname]?.(fields)) ?? new Response("", { status: 404 });
    },
  });
}

beforeAll(async () => {
  baomq = new Installation();
  serve();
  const at = (path: string): string => `http://127.0.0.1:${service.port}/${path}`;
  const lines = { auth_req: at("auth"), super_req: at("super"), acl_req: at("acl"), timeout: "1s" };
  mkdirSync(join(baomq.dir, "etc/plugins"), { recursive: true });
  const text = Object.entries(lines).map(([key, value]) => `auth.http.${key} = ${value}\n`);
  writeFileSync(join(baomq.dir, `etc/plugins/${NAME}.conf`), text.join(""));
  proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      proxied.push(request.url);
      return new Response("", { status: 404 });
    },
  });
  broker = await baomq.start({
    set: { "listener.tcp.external.max_conn_rate": "0", "zone.external.auth_failure_limit": "off", "log.level": "debug" },
    env: { http_proxy: proxy.url.href, HTTPS_PROXY: proxy.url.href },
  });
  await api("PUT", `plugins/${NAME}/load`);
  await until(async () => (await status()).servers[0]?.state === "up", "the service is reached");
});
afterAll(async () => {
  const code = await broker.stop();
  await service.stop(true);
  await proxy.stop(true);
  await baomq.remove();
  expect(code).toBe(0);
  expect(broker.complaints).toEqual([]);
  expect(broker.log).not.toContain("s3cret");
});
beforeEach(() => {
  asked = [];
  answers = { "/auth": () => ok(), "/super": () => new Response("", { status: 403 }), "/acl": () => ok() };
});

const rest = new Rest(() => broker);
/** Of this node. */
const api = <T>(method: string, path: string, body?: unknown): Promise<T> => rest.api<T>(method, `nodes/emqx@127.0.0.1/${path}`, body);
const status = async (): Promise<PluginStatus> =>
  (await api<{ name: string; status: PluginStatus }[]>("GET", "plugins")).find((p) => p.name === NAME)?.status as PluginStatus;

async function enter(username: string, password: string | null, clientId = `c-${Math.random()}`): Promise<RawClient | number> {
  const c = await RawClient.open(broker.ports.tcp);
  c.send(connectPacket(4, clientId, { username, ...(password !== null && { password: Buffer.from(password) }) }));
  const { returnCode } = await c.next("connack");
  if (returnCode === 0) return c;
  c.drop();
  return returnCode ?? -1;
}
async function code(username: string, password: string | null, clientId?: string): Promise<number> {
  const c = await enter(username, password, clientId);
  if (typeof c === "number") return c;
  c.drop();
  return 0;
}
async function client(username = "joe", clientId = "dev"): Promise<RawClient> {
  const c = await enter(username, "s3cret", clientId);
  if (typeof c === "number") throw new Error(`refused: ${c}`);
  return c;
}
const may = async (c: RawClient, topic: string): Promise<boolean> => {
  c.send({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic, qos: 0 }] } as never);
  return (await c.next("suback")).granted[0] !== 0x80;
};

describe("what is asked", () => {
  test("a form to authenticate and for the super user, the query for a topic, as EMQ X 3.1 has it", async () => {
    const c = await client();
    expect(await may(c, "a/b")).toBe(true);
    c.publish("c/d", "x", 1, 9);
    await c.next("puback");
    expect(asked).toMatchObject([
      {
        method: "POST",
        path: "/auth",
        type: "application/x-www-form-urlencoded;charset=UTF-8",
        fields: { clientid: "dev", username: "joe", password: "s3cret" },
      },
      {
        method: "POST",
        path: "/super",
        type: "application/x-www-form-urlencoded;charset=UTF-8",
        fields: { clientid: "dev", username: "joe" },
      },
      {
        method: "GET",
        path: "/acl",
        type: "",
        fields: { access: "1", username: "joe", clientid: "dev", ipaddr: "127.0.0.1", topic: "a/b" },
      },
      {
        method: "GET",
        path: "/acl",
        type: "",
        fields: { access: "2", username: "joe", clientid: "dev", ipaddr: "127.0.0.1", topic: "c/d" },
      },
    ]);
    c.drop();
  });

  test("the service itself, whatever proxy the environment names", async () => {
    expect(await code("joe", "s3cret")).toBe(0);
    expect([asked.map(({ path }) => path), proxied]).toEqual([["/auth", "/super"], []]);
  });

  test("a value is one field, whatever is in it", async () => {
    for (const name of ["a&password=x", "a=b c+d#%", "%u", "a?b#c", "../../%2F..", "😀", "x".repeat(60_000)]) {
      asked = [];
      expect(await code(name, "p&w=1")).toBe(0);
      expect([asked[0]?.fields.username, asked[0]?.fields.password]).toEqual([name, "p&w=1"]);
      expect(Object.keys(asked[0]?.fields ?? {})).toEqual(["clientid", "username", "password"]);
    }
  });

  test("JSON when that is set", async () => {
    const rows = await api<{ key: string; value: string }[]>("GET", `plugin_configs/${NAME}`);
    const before = Object.fromEntries(rows.filter((r) => r.value !== "").map((r) => [r.key, r.value]));
    await api("PUT", `plugin_configs/${NAME}`, { ...before, "auth.http.content_type": "json" });
    asked = [];
    expect(await code('j"oe', "s3cret", "dev")).toBe(0);
    expect(asked[0]).toMatchObject({ type: "application/json", fields: { clientid: "dev", username: 'j"oe', password: "s3cret" } });
    await api("PUT", `plugin_configs/${NAME}`, before);
  });

  test("nobody is asked about who gives no password, and nobody lets it in", async () => {
    expect([await code("joe", null), await code("joe", "")]).toEqual([4, 4]);
    expect(asked).toEqual([]);
  });

  test("super user and rights are asked of nobody when that is empty", async () => {
    const rows = await api<{ key: string; value: string }[]>("GET", `plugin_configs/${NAME}`);
    const before = Object.fromEntries(rows.filter((r) => r.value !== "").map((r) => [r.key, r.value]));
    await api("PUT", `plugin_configs/${NAME}`, { ...before, "auth.http.super_req": "", "auth.http.acl_req": "" });
    asked = [];
    const c = await client();
    expect(await may(c, "a")).toBe(true);
    expect(asked.map((a) => a.path)).toEqual(["/auth"]);
    c.drop();
    const joe = { username: "joe", password: "s3cret", action: "publish", topic: "a" };
    const steps = await api<{ why: string }[]>("POST", `plugins/${NAME}/test`, joe);
    expect(steps.slice(2).map((s) => s.why)).toEqual([
      "http 200 lets in; no super user: auth.http.super_req is not set",
      "no auth.http.acl_req is set: nothing is asked",
    ]);
    expect((await status()).acl).toBeNull();
    await api("PUT", `plugin_configs/${NAME}`, before);
  });
});

describe("what an answer comes to", () => {
  test("to authenticate", async () => {
    for (const [answer, expected] of [
      [ok(), 0],
      [ok("anything"), 0],
      [ok("ignore"), 0],
      [ok(" ignore\n"), 0],
      [new Response("", { status: 401 }), 5],
      [new Response("ignore", { status: 403 }), 5],
      [new Response("", { status: 201 }), 5],
      [new Response("", { status: 500 }), 3],
      [new Response("", { status: 302, headers: { location: `http://127.0.0.1:${service.port}/other` } }), 5],
      [new Response("", { status: 308, headers: { location: `http://127.0.0.1:${service.port}/other` } }), 3],
      [new Response("", { status: 429 }), 3],
      [new Response("x".repeat(100_000), { status: 403 }), 5],
    ] as const) {
      answers["/auth"] = () => answer.clone() as Response;
      asked = [];
      expect([answer.status, await code("joe", "s3cret")]).toEqual([answer.status, expected]);
      expect(asked.map((a) => a.path)).not.toContain("/other");
    }
  });

  test("a super user may do everything, unasked", async () => {
    answers["/super"] = () => ok();
    answers["/acl"] = () => new Response("", { status: 403 });
    const c = await client();
    expect(await may(c, "a")).toBe(true);
    expect(asked.map((a) => a.path)).toEqual(["/auth", "/super"]);
    c.drop();
  });

  test("a service that fails where the super user is asked about makes none", async () => {
    answers["/super"] = () => new Response("", { status: 503 });
    answers["/acl"] = () => new Response("", { status: 403 });
    const c = await client();
    expect(await may(c, "a")).toBe(false);
    c.drop();
  });

  test("a JSON object may name the mountpoint", async () => {
    answers["/auth"] = () => ok(JSON.stringify({ mountpoint: "tenant/%c/" }));
    const inside = await client("joe", "dev");
    answers["/auth"] = () => ok("{broken");
    const outside = await client("joe", "watch");
    await outside.subscribe("tenant/#");
    inside.publish("x", "hello", 1, 3);
    await inside.next("puback");
    expect((await outside.next("publish")).topic).toBe("tenant/dev/x");
    inside.drop();
    outside.drop();
  });

  test("for a topic: allowed, denied, or left to the next one; asked once while the verdict is kept", async () => {
    answers["/acl"] = ({ topic }) => (topic === "yes" ? ok() : topic === "next" ? ok("ignore") : new Response("", { status: 403 }));
    const c = await client();
    expect([await may(c, "yes"), await may(c, "no"), await may(c, "next"), await may(c, "yes")]).toEqual([true, false, true, true]);
    expect(asked.filter((a) => a.path === "/acl" && a.fields.topic === "yes").length).toBe(1);
    c.drop();
  });
});

describe("when it does not answer", () => {
  test("too late: refused in time, and a topic is denied, but not for long", async () => {
    const held: (() => void)[] = [];
    answers["/auth"] = () => new Promise((resolve) => held.push(() => resolve(ok())));
    const t0 = performance.now();
    expect(await code("joe", "s3cret")).toBe(3);
    expect(performance.now() - t0).toBeGreaterThan(900);
    for (const go of held) go();
    answers["/auth"] = () => ok();
    const c = await client();
    answers["/acl"] = () => new Promise(() => {});
    expect(await may(c, "a")).toBe(false);
    answers["/acl"] = () => ok();
    // What failed stands for a second.
    await until(() => may(c, "a"), "the topic is asked about anew");
    c.drop();
  });

  test("error pages that nobody reads are not held, neither they nor their connections", async () => {
    const files = (): number => readdirSync(`/proc/${broker.pid}/fd`).length;
    const load = (page: string) => async (): Promise<void> => {
      answers["/auth"] = () => new Response(page, { status: 500 });
      for (let round = 0; round < 20; round++) {
        const codes = await Promise.all(Array.from({ length: 50 }, () => code("joe", "s3cret")));
        expect(new Set(codes)).toEqual(new Set([3]));
      }
    };
    const withSmall = await mostDuring(files, load("no"));
    const before = broker.rss();
    const withLarge = await mostDuring(files, load("x".repeat(1024 * 1024)));
    expect(withLarge).toBeLessThan(withSmall + 50);
    expect(broker.rss() - before).toBeLessThan(100 * 1024);
  });

  test("more than a verdict needs is no answer", async () => {
    answers["/auth"] = () => ok("x".repeat(100_000));
    expect(await code("joe", "s3cret")).toBe(3);
  });

  test("gone: everybody is refused with 3; back: let in", async () => {
    const { port } = service;
    await service.stop(true);
    for (let i = 0; i < 10; i++) expect(await code("joe", "s3cret")).toBe(3);
    await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
    serve(port);
    await until(async () => (await code("joe", "s3cret")) === 0, "it is back");
    expect(await Promise.all(Array.from({ length: 20 }, () => code("joe", "s3cret")))).toEqual(Array.from({ length: 20 }, () => 0));
  });
});

test("headers of one's own go with every request, and are shown to nobody", async () => {
  const rows = await api<{ key: string; value: string }[]>("GET", `plugin_configs/${NAME}`);
  const before = Object.fromEntries(rows.filter((r) => r.value !== "").map((r) => [r.key, r.value]));
  await api("PUT", `plugin_configs/${NAME}`, {
    ...before,
    "auth.http.header.authorization": "Bearer s3cret",
    "auth.http.header.x-from": "baomq",
  });
  const c = await client();
  expect(await may(c, "a/b")).toBe(true);
  expect(asked.map(({ headers }) => [headers.authorization, headers["x-from"]])).toEqual([
    ["Bearer s3cret", "baomq"],
    ["Bearer s3cret", "baomq"],
    ["Bearer s3cret", "baomq"],
  ]);
  expect(JSON.stringify(await api("GET", `plugin_configs/${NAME}`))).not.toContain("s3cret");
  await api("PUT", `plugin_configs/${NAME}`, before);
  expect(await may(c, "c/d")).toBe(true);
  expect(asked.at(-1)?.headers.authorization).toBeUndefined();
  c.drop();
});

test("what is told of it: the request, its fields without the password, the answer", async () => {
  const steps = await api<
    { step: string; verdict: string; why: string; asked: { question: string; values: string[]; answer: string }[] }[]
  >("POST", `plugins/${NAME}/test`, { client_id: "dev", username: "joe", password: "s3cret", action: "publish", topic: "a" });
  expect(steps.map((s) => `${s.step} ${s.verdict}`)).toEqual(["settings ok", "connect ok", "authenticate allow", "acl allow"]);
  expect(steps[2]?.asked[0]).toMatchObject({
    question: `POST http://127.0.0.1:${service.port}/auth`,
    values: ['clientid = "dev"', 'username = "joe"', "password = ******"],
    answer: "200, 0 characters",
  });
  answers["/auth"] = () => Response.json({ mountpoint: "t/%c/", token: "s3cret" });
  answers["/super"] = () => new Response("s3cret", { headers: { "content-type": "text/html; charset=utf-8" } });
  const more = await api<typeof steps>("POST", `plugins/${NAME}/test`, { client_id: "dev", username: "joe", password: "s3cret" });
  expect(more[2]?.asked.map((a) => a.answer)).toEqual(['200, application/json, mountpoint "t/%c/"', "200, text/html, 6 characters"]);
  expect(JSON.stringify(more)).not.toContain("s3cret");
  expect(more[2]?.why).toBe('http 200 lets in, with the mountpoint "t/%c/"; a super user, by auth.http.super_req');
  const why = async (answer: Response): Promise<string | undefined> => {
    answers["/auth"] = () => answer;
    return (await api<typeof steps>("POST", `plugins/${NAME}/test`, { username: "joe", password: "s3cret" }))[2]?.why;
  };
  expect(await why(new Response("", { status: 403 }))).toBe("http 403: only 200 of auth.http.auth_req lets in");
  expect(await why(new Response("", { status: 308 }))).toContain("a redirect is not followed");
  expect(await why(new Response("", { status: 500 }))).toBe("http 500; see auth.http.auth_req");
  expect(await why(ok("ignore"))).toBe("http 200 with ignore: the next one is asked");
  expect(JSON.stringify(steps)).not.toContain("s3cret");
});

test("figures for Prometheus, and the words of the command line", async () => {
  expect(await code("joe", "s3cret")).toBe(0);
  const answer = await rest.ask("GET", "prometheus/metrics");
  const lines = (await answer.text()).split("\n");
  const labels = `plugin="${NAME}",server="HTTP service at http://127.0.0.1:${service.port}"`;
  expect(lines).toContain(`baomq_plugin_server_up{${labels}} 1`);
  expect(lines.filter((line) => line.startsWith("# TYPE baomq_plugin_server_calls_total"))).toEqual([
    "# TYPE baomq_plugin_server_calls_total counter",
  ]);
  const answered = lines.find((line) => line.startsWith(`baomq_plugin_server_calls_total{${labels},result="answered"}`));
  expect(Number(answered?.split(" ").at(-1))).toBe((await status()).servers[0]?.answered ?? -1);
  expect(lines).toContain(`baomq_plugin_server_pool{${labels}} 50`);
  expect(lines).toContain(`baomq_plugin_server_state{${labels},state="up"} 1`);
  expect(lines).toContain(`baomq_plugin_server_state{${labels},state="down"} 0`);
  expect(lines.filter((line) => line.includes(`${labels}`) && line.startsWith("baomq_plugin_server_retries_total"))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith(`baomq_plugin_server_calls_total{${labels}`)).map((line) => line.split('"')[5])).toEqual([
    "answered",
    "refused",
    "failed",
    "timeouts",
    "busy",
    "gone",
    "not_asked",
  ]);
  expect(lines.find((line) => line.startsWith(`baomq_plugin_server_seconds{${labels},quantile="0.99"}`))).toBeDefined();
  expect(
    lines.find((line) => line.startsWith(`baomq_plugin_verdicts_total{plugin="${NAME}",chain="authentication",verdict="denied"}`)),
  ).toBeDefined();

  const ctl = (...words: string[]) => baomq.run(["ctl", "--data-dir", broker.dataDir, "plugins", "test", NAME, ...words]);
  const good = await ctl("joe", "s3cret", "publish", "a/b");
  expect([good.code, good.stdout.split("\n").filter((line) => /^(?:settings|connect|authenticate|acl) /.test(line)).length]).toEqual([
    0, 4,
  ]);
  expect(good.stdout).toContain("password = ******");
  const no = () => new Response("", { status: 403 });
  const outcome = async (...words: string[]): Promise<[code: number, last: string]> => {
    const { code: exit, stdout } = await ctl(...words);
    return [exit, stdout.trimEnd().split("\n").at(-1) ?? ""];
  };
  answers["/acl"] = no;
  expect(await outcome("joe", "s3cret", "publish", "a")).toEqual([1, expect.stringMatching(/^Not allowed: acl: deny: /)]);
  expect(await outcome("-", "-", "publish", "a")).toEqual([1, expect.stringMatching(/^Not allowed: acl: deny: /)]);
  expect((await outcome("joe", "s3cret"))[0]).toBe(0);
  answers["/auth"] = no;
  answers["/acl"] = () => ok();
  expect(await outcome("joe", "s3cret")).toEqual([1, expect.stringMatching(/^Not allowed: authenticate: deny: /)]);
  expect(await outcome("joe", "s3cret", "publish", "a")).toEqual([1, expect.stringMatching(/^Not allowed: authenticate: deny: /)]);
  for (const words of [[], ["-", "-"], ["-", "-", "publish", "a"]]) expect([words, (await outcome(...words))[0]]).toEqual([words, 0]);
  const json = await ctl("joe", "s3cret", "--json");
  expect([json.code, (JSON.parse(json.stdout) as { step: string }[]).map((s) => s.step)]).toEqual([
    1,
    ["settings", "connect", "authenticate"],
  ]);
  answers["/auth"] = () => ok("x".repeat(100_000));
  const bad = await ctl("joe", "s3cret");
  expect([bad.code, bad.stdout + bad.stderr]).toEqual([1, expect.stringContaining("Error: authenticate: ")]);
  const none = await baomq.run(["ctl", "--data-dir", broker.dataDir, "plugins", "test", "emqx_retainer"]);
  expect([none.code, none.stdout + none.stderr]).toEqual([1, expect.stringContaining("there is nothing to test")]);
});

needing(NGINX, describe)("with nginx", () => {
  const nowhere = "http://127.0.0.1:1/auth";
  const kit = new AuthKit(NAME, "auth.http", { auth_req: nowhere, super_req: nowhere, acl_req: nowhere });
  let nginx: Nginx;

  beforeAll(async () => {
    nginx = new Nginx();
    await nginx.start();
    await kit.start({ ...nginx.settings, timeout: "1s" });
  });
  afterAll(async () => {
    await kit.stop([]);
    await nginx.remove();
  });

  test("a service that is not there, whose host there is not, or that does not speak TLS: the setting to look at", async () => {
    const at = (auth_req: string): Promise<string> => kit.why({ username: "u1", password: "p1" }, { "auth.http.auth_req": auth_req });
    expect(await at("http://127.0.0.1:1/auth")).toMatch(/nobody listens there: .*; see auth\.http\.auth_req/);
    expect(await at("http://nix.invalid/auth")).toMatch(/there is no such host: .*; see auth\.http\.auth_req/);
    expect(await at(`https://127.0.0.1:${nginx.port}/auth`)).toMatch(/it does not speak TLS there: .*; see auth\.http\.auth_req/);
  });

  const known = { username: "u1", password: "p1" };
  whenFar(
    kit,
    () => nginx,
    known,
    (port) => ({ ...nginx.settingsAt(port), pool: "25" }),
  );
  whenAway(kit, () => nginx, known, { many: 10_000, refusesAllTheSame: true, hearsOfEnds: false });
});
