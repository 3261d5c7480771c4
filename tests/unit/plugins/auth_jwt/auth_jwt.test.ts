/** emqx_auth_jwt on the core: where the token stands, claims from the configuration, keys from a file, the end of a connection. */
import { afterAll, describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { explain } from "../../../../server/core/access/explain.ts";
import { authJwt } from "../../../../server/plugins/auth_jwt/index.ts";
import { aClient } from "../../../support/access.ts";
import type { TestKit } from "../../../support/test_broker.ts";
import { removeTempDirs, running, tempDir, turns } from "../harness.ts";

afterAll(removeTempDirs);

const SECRET = { "auth.jwt.secret": "emqxsecret" };
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function signed(claims: object, secret = "emqxsecret"): string {
  const body = `${b64({ alg: "HS256", typ: "JWT" })}.${b64(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** The reason code of CONNACK. */
function code(kit: TestKit, username: string | null, password: string | null, clientId = "c1"): number {
  const c = kit.client(5).connect(clientId, {
    ...(username !== null && { username }),
    ...(password !== null && { password: Buffer.from(password) }),
  });
  const [packet] = c.take();
  return packet?.cmd === "connack" ? (packet.reasonCode ?? -1) : -1;
}

describe("the token", () => {
  test("stands for the password, or for the user name when that is set", async () => {
    const { kit } = await running(authJwt);
    kit.zone.allowAnonymous = false;
    expect([code(kit, "joe", signed({})), code(kit, "joe", signed({}, "x")), code(kit, "joe", "plain")]).toEqual([0, 0x87, 0x87]);
    expect(code(kit, signed({}), "x")).toBe(0x87);
    const other = await running(authJwt, { settings: { ...SECRET, "auth.jwt.from": "username" } });
    other.kit.zone.allowAnonymous = false;
    expect([code(other.kit, signed({}), null), code(other.kit, "joe", signed({}))]).toEqual([0, 0x87]);
  });

  test("in the user name is guessed at no more often than a password, while it is looked for there", async () => {
    const settings = { ...SECRET, "auth.jwt.from": "username" };
    const { kit, replaceConfig } = await running(authJwt, { settings });
    kit.zone.authFailureLimit = { count: 5, intervalMs: 50_000 };
    const guess = (i: number): number => code(kit, signed({}, `word${i}`), null);
    const codes = (): number[] => Array.from({ length: 7 }, (_, i) => guess(i));
    await replaceConfig("emqx_auth_jwt", { ...settings, "auth.jwt.from": "password" });
    expect(codes()).toEqual(Array(7).fill(0x87));
    await replaceConfig("emqx_auth_jwt", settings);
    expect(codes()).toEqual([...Array(5).fill(0x87), 0x9f, 0x9f]);
    expect([code(kit, signed({}), null), code(kit, null, null)]).toEqual([0x9f, 0]);
    const client = aClient({ zone: kit.zone, username: signed({}), clientId: "c1", ip: "127.0.0.1" });
    const { authentication } = await explain(kit.broker, client, { password: null }, { action: "publish", topic: "a/b" });
    expect(authentication.steps.at(-1)?.step).toBe("auth_failure_limit");
  });

  test("who brings none is left to the next one, who brings a bad one is not", async () => {
    const { kit, manager } = await running(authJwt);
    expect([code(kit, "joe", "plain"), code(kit, "joe", signed({}, "x")), code(kit, "joe", signed({}))]).toEqual([0, 0x87, 0]);
    expect(manager.report("emqx_auth_jwt")).toEqual({
      servers: [],
      authentication: { allowed: 1, denied: 1, ignored: 1, errors: 0 },
      acl: null,
    });
  });

  test("who has a user name and no password is let in by another plugin or not at all, whatever allow_anonymous says", async () => {
    const { kit, manager } = await running(authJwt);
    expect([code(kit, "joe", null), code(kit, "joe", ""), code(kit, null, null)]).toEqual([0x87, 0x87, 0]);
    const request = { clientId: "c", username: "joe", password: null, ip: "127.0.0.1", action: null, topic: null };
    const steps = await manager.test("emqx_auth_jwt", {}, request, () => aClient({ username: "joe" }));
    expect(steps.at(-1)).toMatchObject({ step: "authenticate", verdict: "ignore", why: expect.stringContaining("token_undefined") });
    kit.hooks.add("client.authenticate", "other", ({ username }) => (username === "joe" ? { allow: true } : null), 0);
    expect([code(kit, "joe", null), code(kit, "jim", null)]).toEqual([0, 0x87]);
  });

  test("the secret that everybody knows is good where nothing else is, as EMQ X 3.1's file has it; beside another key it lets nobody in", async () => {
    const pubkey = join(tempDir(), "key.pem");
    writeFileSync(pubkey, generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" }));
    for (const settings of [{ "auth.jwt.pubkey": pubkey }, { "auth.jwt.jwks": "http://127.0.0.1:1/keys" }] as Record<string, string>[]) {
      for (const [secret, found] of [
        [undefined, 0x87],
        ["emqxsecret", 0x87],
        ["my own", 0],
      ] as const) {
        const { kit, manager } = await running(authJwt, {
          settings: { ...settings, ...(secret !== undefined && { "auth.jwt.secret": secret }) },
        });
        expect([settings, secret, code(kit, "joe", signed({}, secret))]).toEqual([settings, secret, found]);
        await manager.stopAll();
      }
    }
  });

  test("without any key it does not start, nor take settings that leave it none", async () => {
    const none = { "auth.jwt.secret": "" };
    await expect(running(authJwt, { settings: none })).rejects.toThrow("auth.jwt.secret: there is no key");
    const { kit, replaceConfig } = await running(authJwt, { settings: SECRET });
    await expect(replaceConfig("emqx_auth_jwt", none)).rejects.toThrow("auth.jwt.secret: there is no key");
    expect([code(kit, "joe", signed({})), code(kit, "joe", signed({}, ""))]).toEqual([0, 0x87]);
  });

  test("that never ends is told of once, whatever settings come, and without a name", async () => {
    const { kit, replaceConfig } = await running(authJwt, { settings: SECRET });
    const told = (): unknown[] => kit.log.lines.filter(({ message }) => message.includes("without exp"));
    const exp = Math.floor(kit.clock.now() / 1000) + 600;
    expect([code(kit, "joe", signed({ exp })), code(kit, "joe", signed({}, "x")), told()]).toEqual([0, 0x87, []]);
    const client = aClient({ zone: kit.zone, username: "joe", clientId: "c1", ip: "127.0.0.1" });
    await explain(kit.broker, client, { password: Buffer.from(signed({})) }, { action: "publish", topic: "a/b" });
    expect(told()).toEqual([]);
    expect([code(kit, "joe", signed({})), code(kit, "jim", signed({}), "c2")]).toEqual([0, 0]);
    await replaceConfig("emqx_auth_jwt", { ...SECRET, "auth.jwt.leeway": "1s" });
    expect(code(kit, "joe", signed({}))).toBe(0);
    expect(told()).toEqual([
      { level: "warn", message: expect.stringContaining("a token without exp"), fields: { plugin: "emqx_auth_jwt" } },
    ]);
  });

  test("claims as the lines say, while they are to be looked at", async () => {
    const lines = { "auth.jwt.verify_claims.username": "%u", "auth.jwt.verify_claims.site": "north" };
    const off = await running(authJwt, { settings: { ...SECRET, ...lines } });
    expect(code(off.kit, "joe", signed({ username: "jim" }))).toBe(0);
    const { kit } = await running(authJwt, { settings: { ...SECRET, ...lines, "auth.jwt.verify_claims": "on" } });
    expect([
      code(kit, "joe", signed({ username: "joe", site: "north" })),
      code(kit, "joe", signed({ username: "jim", site: "north" })),
      code(kit, "joe", signed({ username: "joe" })),
    ]).toEqual([0, 0x87, 0x87]);
  });
});

describe("rules that a token brings", () => {
  test("hold whatever user name stands beside the token, also one that begins with $", async () => {
    const { kit, manager } = await running(authJwt, { settings: { ...SECRET, "auth.jwt.acl_claim_name": "acl" } });
    const token = signed({ acl: { sub: ["mine/#"] } });
    for (const [i, username] of ["joe", "$joe", "$"].entries()) {
      const c = kit.client(5).connect(`r${i}`, { username, password: Buffer.from(token) });
      c.take();
      c.send({
        cmd: "subscribe",
        messageId: 1,
        subscriptions: [
          { topic: "mine/a", qos: 0 },
          { topic: "other/a", qos: 0 },
        ],
      } as never);
      const [suback] = c.take();
      expect([username, suback]).toEqual([username, expect.objectContaining({ cmd: "suback", granted: [0, 0x87] })]);
    }
    const request = { clientId: "c", username: "$joe", password: token, ip: "127.0.0.1", action: "publish", topic: "other/a" } as const;
    const steps = await manager.test("emqx_auth_jwt", {}, request, () => aClient({ username: "$joe" }));
    expect(steps.at(-1)).toMatchObject({ step: "acl", verdict: "deny" });
  });
});

describe("what is told to whoever asks why", () => {
  const lines = { ...SECRET, "auth.jwt.verify_claims": "on", "auth.jwt.verify_claims.site": "north", "auth.jwt.acl_claim_name": "acl" };

  async function explained(token: string, username = "joe", more: Record<string, string> = {}) {
    const { kit } = await running(authJwt, { settings: { ...lines, ...more } });
    const client = aClient({ username });
    return explain(kit.broker, client, { password: Buffer.from(token) }, { action: "publish", topic: "a/b" });
  }

  test("algorithm, key, claims as found and as expected; never the signature, nor the secret", async () => {
    const token = signed({ exp: 9e9, site: "north", acl: { pub: "a/#" } });
    const { authentication, acl } = await explained(token);
    const step = authentication.steps.find((s) => s.step === "emqx_auth_jwt");
    expect(step).toMatchObject({ verdict: "allow", why: "a good token, signed with auth.jwt.secret" });
    expect(step?.asked).toMatchObject([
      { question: "token in the password", values: ['alg = "HS256"', "no kid"], answer: "signed with auth.jwt.secret" },
    ]);
    const rows = step?.asked?.[0]?.rows?.map((row) => row.map(({ name, value }) => `${name}: ${value}`)) ?? [];
    expect(rows[0]?.slice(0, 2)).toEqual(["claim: exp", "found: 9000000000 (2255-03-14T16:00:00.000Z)"]);
    expect(rows[1]).toEqual(["claim: site", "found: north", "expected: north"]);
    // Its rules came with the token: the question about a topic knows of them.
    expect(acl?.steps.at(-1)).toMatchObject({ step: "emqx_auth_jwt", verdict: "allow", why: "allow publish a/#" });
    const text = JSON.stringify([authentication, acl]);
    for (const secret of [token, token.split(".")[2] as string, "emqxsecret"]) expect(text).not.toContain(secret);
  });

  test("of one that nobody signed no claim is shown", async () => {
    const { authentication } = await explained(signed({ site: "forged" }, "other"));
    expect(authentication.steps.at(-1)).toMatchObject({
      verdict: "deny",
      why: "invalid_signature: it was not signed with auth.jwt.secret",
      asked: [{ answer: "it is not known to be anybody's" }],
    });
    expect(JSON.stringify(authentication)).not.toContain("forged");
  });

  test("a token in the user name is shown nowhere, either", async () => {
    const token = signed({ site: "north" });
    const result = await explained("x", token, { "auth.jwt.from": "username" });
    expect(result.authentication.steps.at(-1)?.asked?.[0]?.question).toBe("token in the user name");
    expect(JSON.stringify(result)).not.toContain(token.split(".")[2] as string);
  });
});

describe("keys", () => {
  test("a public key from a file; what is none keeps the plugin from starting, and says why", async () => {
    const dir = tempDir();
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const good = join(dir, "good.pem");
    writeFileSync(good, publicKey.export({ type: "spki", format: "pem" }).toString());
    const { kit } = await running(authJwt, { settings: { "auth.jwt.pubkey": good, "auth.jwt.secret": "s" } });
    kit.zone.allowAnonymous = false;
    expect(code(kit, "joe", signed({}, "s"))).toBe(0);
    const bad = join(dir, "bad.pem");
    writeFileSync(bad, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    await expect(running(authJwt, { settings: { "auth.jwt.pubkey": bad } })).rejects.toThrow(
      `auth.jwt.pubkey = ${bad}: this is a private key`,
    );
    await expect(running(authJwt, { settings: { "auth.jwt.pubkey": join(dir, "none.pem") } })).rejects.toThrow("auth.jwt.pubkey = ");
  });
});

describe("when it runs out", () => {
  const entered = (kit: TestKit, exp: number, clientId = "c1") => {
    const c = kit.client(5).connect(clientId, { username: "joe", password: Buffer.from(signed({ exp })) });
    expect(c.take()[0]).toMatchObject({ cmd: "connack", reasonCode: 0 });
    return c;
  };

  test("the connection stays by default", async () => {
    const { kit } = await running(authJwt);
    const c = entered(kit, Math.floor(kit.clock.now() / 1000) + 5);
    kit.pass(10_000);
    expect(c.take()).toEqual([]);
  });

  test("and ends with 0xA0 when that is set, that very connection alone", async () => {
    const { kit } = await running(authJwt, { settings: { ...SECRET, "auth.jwt.disconnect_after_expire": "on" } });
    const now = Math.floor(kit.clock.now() / 1000);
    const c = entered(kit, now + 5);
    kit.pass(4000);
    expect(c.take()).toEqual([]);
    kit.pass(2000);
    await turns(kit);
    expect(c.take()).toEqual([expect.objectContaining({ cmd: "disconnect", reasonCode: 0xa0 })]);
    const first = entered(kit, now + 20);
    const second = entered(kit, now + 1000);
    expect(first.take()).toEqual([expect.objectContaining({ cmd: "disconnect", reasonCode: 0x8e })]);
    kit.pass(30_000);
    await turns(kit);
    expect(second.take()).toEqual([]);
  });

  const KEY = "auth.jwt.disconnect_after_expire";
  const ends = expect.objectContaining({ cmd: "disconnect", reasonCode: 0xa0 });

  test("while that is on: it counts for those who are there already, and no more when it is off again", async () => {
    const { kit, settings } = await running(authJwt);
    const now = Math.floor(kit.clock.now() / 1000);
    const turn = async (to: string): Promise<void> => {
      await settings.apply(new Map([[KEY, to]]));
      kit.pass(1000);
      await turns(kit);
    };
    const [soon, later] = [entered(kit, now + 10, "soon"), entered(kit, now + 100, "later")];
    await turn("on");
    expect([...soon.take(), ...later.take()]).toEqual([]);
    kit.pass(10_000);
    await turns(kit);
    expect([soon.take(), later.take()]).toEqual([[ends], []]);
    await turn("off");
    kit.pass(200_000);
    await turns(kit);
    expect(later.take()).toEqual([]);
    await turn("on");
    expect(later.take()).toEqual([ends]);
  });

  test("of many that end together a part in each turn, so that nobody else waits for all of them", async () => {
    const { kit } = await running(authJwt, { settings: { ...SECRET, [KEY]: "on" } });
    const now = Math.floor(kit.clock.now() / 1000);
    const all = Array.from({ length: 500 }, (_, i) => entered(kit, now + 10, `c${i}`));
    const left: number[] = [];
    kit.pass(11_000);
    for (let i = 0; i < 3; i++) {
      left.push(kit.broker.connections);
      await turns(kit, 1);
    }
    expect(left).toEqual([300, 100, 0]);
    expect(all.map((c) => c.take().length)).toEqual(all.map(() => 1));
  });

  test("unloaded it ends nobody, loaded again it ends those of before who are there still", async () => {
    const { kit, manager } = await running(authJwt, { settings: { ...SECRET, [KEY]: "on" } });
    const now = Math.floor(kit.clock.now() / 1000);
    const [stays, leaves] = [entered(kit, now + 10, "stays"), entered(kit, now + 10, "leaves")];
    await manager.unload("emqx_auth_jwt");
    kit.pass(20_000);
    leaves.drop();
    await turns(kit);
    expect(stays.take()).toEqual([]);
    await manager.load("emqx_auth_jwt");
    kit.pass(1000);
    await turns(kit);
    expect(stays.take()).toEqual([ends]);
    expect(kit.log.errors).toEqual([]);
  });
});
