/** Keys from a URL: when they are fetched, which of them count, and what holds while they are not to be had. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { authJwt } from "../../../../server/plugins/auth_jwt/index.ts";
import type { TestKit } from "../../../support/test_broker.ts";
import { until } from "../../../support/until.ts";
import { logIn, removeTempDirs, running, tempDir } from "../harness.ts";
import { jwk, keys, pair, signed } from "./keys.ts";

afterAll(removeTempDirs);

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function broker(url: string, more: Record<string, string> = {}) {
  const b = await running(authJwt, { settings: { "auth.jwt.secret": "", "auth.jwt.jwks": url, "auth.jwt.jwks.timeout": "1s", ...more } });
  b.kit.zone.allowAnonymous = false;
  stops.push(() => b.manager.unload("emqx_auth_jwt"));
  return b;
}

const code = (kit: TestKit, token: string, passing = 0): Promise<number> => logIn(kit, "joe", token, passing);
/** So many seconds, in which the back end's own looks are answered. */
async function slowly(kit: TestKit, seconds: number): Promise<void> {
  for (let i = 0; i < 2 * seconds; i++) {
    kit.pass(500);
    await Bun.sleep(2);
  }
}
const state = (b: Awaited<ReturnType<typeof broker>>): string | undefined => b.manager.report("emqx_auth_jwt")?.servers[0]?.state;

test("keys that come without TLS from elsewhere are warned of, once for each URL", async () => {
  const b = await broker("http://192.0.2.1/jwks.json?key=k3y");
  const said = (): unknown[] => b.kit.log.lines.filter((l) => l.message.startsWith("auth.jwt.jwks is not https")).map((l) => l.fields);
  const url = "http://192.0.2.1/jwks.json";
  expect(said()).toEqual([{ url, plugin: "emqx_auth_jwt" }]);
  for (const [jwks, n] of [
    ["http://192.0.2.1/jwks.json", 1],
    ["http://127.0.0.1:1/jwks.json", 1],
    ["http://[::1]:1/jwks.json", 1],
    ["https://192.0.2.1/jwks.json", 1],
    ["http://192.0.2.1/others.json", 2],
  ] as const) {
    await b.replaceConfig("emqx_auth_jwt", { "auth.jwt.secret": "x", "auth.jwt.jwks": jwks, "auth.jwt.jwks.timeout": "1s" });
    expect([jwks, said().length]).toEqual([jwks, n]);
  }
});

test("the URL itself is asked, whatever proxy the environment names", async () => {
  const [a, evil] = [pair(), pair()];
  const [k, proxy] = [keys(), keys()];
  stops.push(
    () => k.server.stop(true),
    () => proxy.server.stop(true),
  );
  k.set(jwk(a.publicKey, { kid: "a" }));
  proxy.set(jwk(evil.publicKey, { kid: "a" }));
  const names = ["http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"];
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = /^http/i.test(name) ? `http://127.0.0.1:${proxy.server.port}` : "";
  try {
    const it = await broker(k.url);
    expect(await code(it.kit, signed(a.privateKey, { kid: "a" }))).toBe(0);
    expect(await code(it.kit, signed(evil.privateKey, { kid: "a" }))).toBe(0x87);
    expect(proxy.state.requests).toBe(0);
  } finally {
    for (const [i, name] of names.entries()) {
      const value = before[i];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

describe("keys from a URL", () => {
  test("by their names; of two with none each may have signed; of another kind, for something else, or broken: left out", async () => {
    const [a, b, c] = [pair(), pair(), pair()];
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(
      jwk(a.publicKey, { kid: "a" }),
      jwk(b.publicKey),
      jwk(c.publicKey, { kid: "c", use: "enc" }),
      jwk(rsa.publicKey, { kid: "rsa", alg: "RS256" }),
      { kty: "oct", k: "c2VjcmV0", kid: "oct" },
      { kty: "OKP", crv: "Ed25519", x: "short", kid: "broken" },
      null,
      7,
    );
    const it = await broker(k.url);
    await until(() => state(it) === "up", "the keys are there");
    const { kit } = it;
    expect([await code(kit, signed(a.privateKey, { kid: "a" })), await code(kit, signed(a.privateKey))]).toEqual([0, 0]);
    expect([await code(kit, signed(b.privateKey)), await code(kit, signed(b.privateKey, { kid: "anything" }))]).toEqual([0, 0]);
    expect([await code(kit, signed(c.privateKey, { kid: "c" })), await code(kit, signed(c.privateKey, { kid: "a" }))]).toEqual([
      0x87, 0x87,
    ]);
    expect(await code(kit, signed(a.privateKey, { kid: "a", alg: "RS256" }))).toBe(0x87);
  });

  test("an answer that comes behind that to a later request is no news", async () => {
    const [a, b] = [pair(), pair()];
    const answers: ((response: Response) => void)[] = [];
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>((done) => answers.push(done)) });
    stops.push(() => server.stop(true));
    const { kit, manager } = await broker(`http://127.0.0.1:${server.port}/`);
    const set = (key: KeyObject, kid: string): Response => Response.json({ keys: [jwk(key, { kid })] });
    await until(() => answers.length === 1, "the first request");
    const asked = code(kit, signed(b.privateKey, { kid: "b" }));
    await until(() => answers.length === 2, "the one for a new name");
    answers[1]?.(set(b.publicKey, "b"));
    expect(await asked).toBe(0);
    answers[0]?.(set(a.publicKey, "a"));
    await until(() => server.pendingRequests === 0, "all are answered");
    await Bun.sleep(20);
    expect(await code(kit, signed(b.privateKey, { kid: "b" }))).toBe(0);
    expect(manager.report("emqx_auth_jwt")?.servers[0]).toMatchObject({ state: "up", failed: 0 });
  });

  test("a new one is fetched when a token names it, but not for every name that somebody makes up", async () => {
    const [a, b] = [pair(), pair()];
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(a.publicKey, { kid: "a" }));
    const it = await broker(k.url);
    await until(() => state(it) === "up", "the keys are there");
    k.set(jwk(b.publicKey, { kid: "b" }));
    expect(await code(it.kit, signed(b.privateKey, { kid: "b" }))).toBe(0x88);
    await slowly(it.kit, 11);
    const before = k.state.requests;
    const answers = await Promise.all([
      code(it.kit, signed(b.privateKey, { kid: "b" })),
      code(it.kit, signed(a.privateKey, { kid: "x1" })),
    ]);
    expect(answers).toEqual([0, 0x87]);
    for (let i = 0; i < 5; i++) expect(await code(it.kit, signed(b.privateKey, { kid: `made-up-${i}` }))).toBe(0x88);
    expect(k.state.requests - before).toBe(1);
    // What is gone from there is nobody's any more.
    await slowly(it.kit, 11);
    expect(await code(it.kit, signed(a.privateKey, { kid: "a" }))).toBe(0x87);
  });

  test("however many wait for a new one: one request is made, and all come in", async () => {
    const [a, b] = [pair(), pair()];
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(a.publicKey, { kid: "a" }));
    const { kit, manager } = await broker(k.url);
    await until(() => manager.report("emqx_auth_jwt")?.servers[0]?.state === "up", "the keys are there");
    await slowly(kit, 11);
    const before = k.state.requests;
    k.set(jwk(b.publicKey, { kid: "b" }));
    k.state.gate = Promise.withResolvers<void>();
    const token = signed(b.privateKey, { kid: "b" });
    const codes = Array.from({ length: 300 }, (_, i) => logIn(kit, `device ${i}`, token));
    await until(() => k.state.requests > before, "the keys are fetched");
    k.state.gate.resolve();
    expect(new Set(await Promise.all(codes))).toEqual(new Set([0]));
    expect(k.state.requests - before).toBe(1);
  });

  test("one that came just behind the last look is no wrong password of whoever brings it", async () => {
    const [a, b] = [pair(), pair()];
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(a.publicKey, { kid: "a" }));
    const it = await broker(k.url);
    it.kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
    await until(() => state(it) === "up", "the keys are there");
    k.set(jwk(b.publicKey, { kid: "b" }));
    const token = signed(b.privateKey, { kid: "b" });
    for (let i = 0; i < 10; i++) expect(await code(it.kit, token)).toBe(0x88);
    expect(it.manager.report("emqx_auth_jwt")?.authentication).toMatchObject({ denied: 0, errors: 10 });
    await slowly(it.kit, 11);
    expect(await code(it.kit, token)).toBe(0);
  });

  test("where keys without a name were tried and have not signed, a made-up name is a wrong password", async () => {
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(pair().publicKey), jwk(pair().publicKey, { kid: "a" }));
    const it = await broker(k.url);
    it.kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
    await until(() => state(it) === "up", "the keys are there");
    const codes: number[] = [];
    for (let i = 0; i < 5; i++) codes.push(await code(it.kit, signed(pair().privateKey, { kid: `made up ${i}` })));
    expect(codes).toEqual([0x87, 0x87, 0x87, 0x9f, 0x9f]);
    expect(it.manager.report("emqx_auth_jwt")?.authentication).toMatchObject({ denied: 3, errors: 0 });
  });

  test("while they are not to be had: nobody is let in by them, and by on_error = ignore the next one decides", async () => {
    const a = pair();
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.state.status = 500;
    const it = await broker(k.url);
    await until(() => state(it) === "down", "they are not there");
    expect(await code(it.kit, signed(a.privateKey, { kid: "a" }))).toBe(0x88);
    const lax = await broker(k.url, { "auth.jwt.on_error": "ignore" });
    lax.kit.zone.allowAnonymous = true;
    expect(await code(lax.kit, signed(a.privateKey, { kid: "a" }))).toBe(0);
    for (const body of ["no json", "[]", "{}", `{"keys":{}}`, "x".repeat(2_000_000)]) {
      k.state.status = 200;
      k.state.body = body;
      const other = await broker(k.url);
      await until(() => state(other) === "down", `${body.slice(0, 20)} is told`);
      expect(other.manager.report("emqx_auth_jwt")?.servers[0]?.lastError).not.toBe("");
    }
  });

  test("a new one is fetched where a key in a file, or one without a name, might have signed too", async () => {
    const dir = tempDir();
    const [file, nameless, fresh] = [pair(), pair(), pair()];
    writeFileSync(join(dir, "key.pem"), file.publicKey.export({ type: "spki", format: "pem" }).toString());
    for (const [others, pubkey] of [
      [[], join(dir, "key.pem")],
      [[jwk(nameless.publicKey)], ""],
    ] as const) {
      const k = keys();
      stops.push(() => k.server.stop(true));
      k.set(...others, jwk(pair().publicKey, { kid: "old" }));
      const it = await broker(k.url, { "auth.jwt.pubkey": pubkey });
      await until(() => state(it) === "up", "the keys are there");
      k.set(...others, jwk(fresh.publicKey, { kid: "new" }));
      await slowly(it.kit, 11);
      const before = k.state.requests;
      expect(await code(it.kit, signed(fresh.privateKey, { kid: "new" }))).toBe(0);
      // Whoever makes up names is not asked for again, and neither is the file's own key.
      expect(await code(it.kit, signed(pair().privateKey, { kid: "made up" }))).toBe(0x87);
      expect(await code(it.kit, signed((pubkey === "" ? nameless : file).privateKey, { kid: "any" }))).toBe(0);
      expect(k.state.requests - before).toBe(1);
    }
  });

  for (const [name, spoil] of [
    ["is gone", (k) => k.server.stop(true)],
    ["has something else", (k) => (k.state.body = "x".repeat(2_000_000))],
  ] as readonly [string, (k: ReturnType<typeof keys>) => unknown][])
    test(`where the URL ${name}, names that somebody makes up neither bring it back nor have it asked without end`, async () => {
      const k = keys();
      stops.push(() => k.server.stop(true));
      k.set(jwk(pair().publicKey, { kid: "a" }));
      const it = await broker(k.url);
      await until(() => state(it) === "up", "the keys are there");
      await slowly(it.kit, 11);
      await spoil(k);
      const [lines, before] = [it.kit.log.lines.length, k.state.requests];
      for (let i = 0; i < 60; i++) {
        expect(await code(it.kit, signed(pair().privateKey, { kid: `made up ${i}` }))).toBe(0x88);
        it.kit.pass(100);
        await Bun.sleep(2);
      }
      const told = it.kit.log.lines.slice(lines).filter((line) => line.message.startsWith("server is "));
      expect([told.map((line) => line.message), state(it)]).toEqual([["server is down"], "down"]);
      // Five until it counts as down, then the back end's own looks, a second apart.
      expect(k.state.requests - before).toBeLessThanOrEqual(20);
    });

  test("time-outs over, the keys are there again, and are fetched as often as before: what is withdrawn is nobody's", async () => {
    const a = pair();
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(a.publicKey, { kid: "a" }));
    const it = await broker(k.url, { "auth.jwt.jwks.refresh_interval": "1m" });
    await until(() => state(it) === "up", "the keys are there");
    await slowly(it.kit, 11);
    k.state.hangs = true;
    for (let i = 0; i < 6; i++) expect(await code(it.kit, signed(pair().privateKey, { kid: `made up ${i}` }), 200)).toBe(0x88);
    expect(state(it)).toBe("down");
    expect(await code(it.kit, signed(a.privateKey, { kid: "a" }))).toBe(0);
    k.state.hangs = false;
    await until(() => {
      it.kit.pass(100);
      return state(it) === "up";
    }, "a look was answered");
    k.set();
    await slowly(it.kit, 71);
    expect(await code(it.kit, signed(a.privateKey, { kid: "a" }))).toBe(0x87);
  });

  test("what was fetched is kept where another setting changes, though the URL is away; for another URL it is not", async () => {
    const a = pair();
    const [k, other] = [keys(), keys()];
    stops.push(() => k.server.stop(true));
    stops.push(() => other.server.stop(true));
    k.set(jwk(a.publicKey, { kid: "a" }));
    const it = await broker(k.url);
    const settings = { "auth.jwt.secret": "", "auth.jwt.jwks": k.url, "auth.jwt.jwks.timeout": "1s" };
    const token = signed(a.privateKey, { kid: "a" });
    await until(() => state(it) === "up", "the keys are there");
    k.state.status = 500;
    other.state.status = 500;
    await it.replaceConfig("emqx_auth_jwt", { ...settings, "auth.jwt.leeway": "5s" });
    expect(await code(it.kit, token)).toBe(0);
    // Whether it is there with these settings is found out at once, all the same.
    await until(() => {
      it.kit.pass(100);
      return state(it) === "down";
    }, "it is known to be away");
    expect(await code(it.kit, token)).toBe(0);
    await it.replaceConfig("emqx_auth_jwt", { ...settings, "auth.jwt.jwks": other.url });
    expect(await code(it.kit, token, 100)).toBe(0x88);
    await it.replaceConfig("emqx_auth_jwt", settings);
    expect(await code(it.kit, token, 100)).toBe(0x88);
  });

  test("a URL that was refused together with another setting is asked by nobody", async () => {
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.state.status = 500;
    const it = await running(authJwt, { settings: { "auth.jwt.secret": "s" } });
    stops.push(() => it.manager.unload("emqx_auth_jwt"));
    const change = new Map([
      ["auth.jwt.jwks", k.url],
      ["auth.jwt.pubkey", "/nonexistent.pem"],
    ]);
    await expect(it.settings.apply(change)).rejects.toThrow("auth.jwt.pubkey = /nonexistent.pem");
    await slowly(it.kit, 10);
    expect([k.state.requests, it.kit.alarms.present()]).toEqual([0, []]);
  });
});

describe("rules in a token", () => {
  test("hold for the connection that brought it, where a claim is named for them", async () => {
    const a = pair();
    const k = keys();
    stops.push(() => k.server.stop(true));
    k.set(jwk(a.publicKey));
    const it = await broker(k.url, { "auth.jwt.acl_claim_name": "acl" });
    await until(() => state(it) === "up", "the keys are there");
    const enter = (id: string, claims: object) =>
      it.kit.client(5).connect(id, { username: "joe", password: Buffer.from(signed(a.privateKey, {}, claims)) });
    const granted = (c: ReturnType<typeof enter>, topic: string): number => {
      c.take();
      c.subscribe(topic, 0);
      return (c.take()[0] as { granted: number[] }).granted[0] as number;
    };
    const limited = enter("limited", { acl: { sub: ["down/%u/#"] } });
    expect([granted(limited, "down/joe/x"), granted(limited, "other")]).toEqual([0, 0x87]);
    const free = enter("free", {});
    expect(granted(free, "other")).toBe(0);
    expect(it.manager.report("emqx_auth_jwt")?.acl).toEqual({ allowed: 1, denied: 1, ignored: 1, errors: 0 });
  });
});
