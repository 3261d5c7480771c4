import { describe, expect, test } from "bun:test";
import { Access } from "../../../../server/core/access/access.ts";
import { registerAclFile } from "../../../../server/core/access/acl_file.ts";
import { Banned } from "../../../../server/core/access/banned.ts";
import { type ExplainRequest, type ExplainStep, explain } from "../../../../server/core/access/explain.ts";
import { Flapping } from "../../../../server/core/access/flapping.ts";
import { Guesses } from "../../../../server/core/access/guesses.ts";
import { noteOf, sayWhy } from "../../../../server/core/access/trace.ts";
import { Hooks } from "../../../../server/core/hooks.ts";
import type { ClientInfo } from "../../../../server/core/types.ts";
import { Metrics } from "../../../../server/core/watch/metrics.ts";
import { aClient, FakeClock, silentLog } from "../../../support/access.ts";
import { mono } from "../../../support/time.ts";
import { testZone } from "../../../support/zone.ts";

const PASSWORD = { password: new Uint8Array(1) };
function setUp() {
  const clock = new FakeClock();
  const hooks = new Hooks(silentLog);
  const metrics = new Metrics();
  const banned = new Banned({ load: () => [], put() {}, delete() {} }, clock);
  const flapping = new Flapping(banned, clock, silentLog, metrics);
  return { clock, hooks, metrics, banned, flapping, guesses: new Guesses(clock, silentLog, metrics) };
}
const short = (steps: readonly ExplainStep[] | undefined): string[] =>
  (steps ?? []).map((s) => `${s.step}:${s.verdict}${s.final ? "!" : ""}`);
const PUBLISH: ExplainRequest = { action: "publish", topic: "a/b" };

describe("explain authentication", () => {
  test("no credentials", async () => {
    const r = await explain(setUp(), aClient({ username: null }), { password: null });
    expect(r.authentication.allow).toBe(true);
    expect(short(r.authentication.steps)).toEqual(["limits:ignore", "banned:ignore", "flapping:ignore", "allow_anonymous:allow!"]);
    expect(r.acl).toBeNull();
  });

  test("too many wrong passwords before: nobody is asked", async () => {
    const s = setUp();
    let asked = 0;
    s.hooks.add("client.authenticate", "one", () => {
      asked++;
      return null;
    });
    for (let i = 0; i < 30; i++) s.guesses.failed(aClient());
    const r = await explain(s, aClient(), PASSWORD);
    expect(short(r.authentication.steps)).toEqual(["limits:ignore", "banned:ignore", "flapping:ignore", "auth_failure_limit:deny!"]);
    expect(r.authentication.allow).toBe(false);
    expect(asked).toBe(0);
    expect((await explain(s, aClient({ ip: "10.0.0.9" }), PASSWORD)).authentication.allow).toBe(true);
  });

  test("every handler up to the one that decides", async () => {
    const s = setUp();
    s.hooks.add("client.authenticate", "one", async () => null, 3);
    s.hooks.add("client.authenticate", "two", () => ({ allow: false, code: 0x86, why: "wrong password" }), 2);
    s.hooks.add("client.authenticate", "three", () => ({ allow: true }), 1);
    const r = await explain(s, aClient({}), PASSWORD, PUBLISH);
    expect(short(r.authentication.steps).slice(3)).toEqual(["one:ignore", "two:deny!"]);
    expect(r.authentication.steps.at(-1)?.why).toBe("wrong password");
    expect(r.authentication.allow).toBe(false);
    expect(r.acl).toBeNull();
  });

  test("what a handler asked others belongs to its step, and nobody else is watched", async () => {
    const s = setUp();
    const asked = (question: string) => ({ question, values: ['1 = "joe"'], answer: "no row", ms: 1 });
    const seen: (readonly unknown[] | undefined)[] = [];
    s.hooks.add("client.authenticate", "db", async (client) => {
      noteOf(client)?.push(asked("select password"));
      return { allow: true };
    });
    s.hooks.add("client.check_acl", "db", async (client) => {
      noteOf(client)?.push(asked("select allow"), asked("and more"));
      return { verdict: "allow" };
    });
    const client = aClient();
    const r = await explain(s, client, PASSWORD, PUBLISH);
    seen.push(noteOf(client));
    expect(r.authentication.steps.map((x) => x.asked?.map((a) => a.question))).toEqual([
      undefined,
      undefined,
      undefined,
      ["select password"],
    ]);
    expect(r.acl?.steps.at(-1)?.asked?.map((a) => a.question)).toEqual(["select allow", "and more"]);
    expect(seen).toEqual([undefined]);
  });

  test("a ban, with its end and its author", async () => {
    const s = setUp();
    s.banned.add({ who: "joe", as: "username", reason: "spam", desc: null, by: "admin", until: s.clock.ms / 1000 + 90 });
    const r = await explain(s, aClient({}), PASSWORD);
    expect(short(r.authentication.steps)).toEqual(["limits:ignore", "banned:deny!"]);
    expect(r.authentication.steps[1]?.why).toBe("username joe is banned for 90 more seconds, by admin: spam");
    const off = await explain(s, aClient({ zone: testZone({ enableBan: false }) }), PASSWORD);
    expect(off.authentication.allow).toBe(true);
  });

  test("what is known of its coming and going, or that nobody counts", async () => {
    const s = setUp();
    const why = async (enableFlappingDetect: boolean): Promise<string | undefined> => {
      const r = await explain(s, aClient({ zone: testZone({ enableFlappingDetect }) }), PASSWORD);
      return r.authentication.steps.find((x) => x.step === "flapping")?.why;
    };
    expect(await why(true)).toContain("came or went 0 times lately");
    expect(await why(false)).toContain("enable_flapping_detect is off in zone");
  });

  test("limits of the zone", async () => {
    const r = await explain(setUp(), aClient({ clientId: "toolong", zone: testZone({ maxClientidLen: 3 }) }), PASSWORD);
    expect(short(r.authentication.steps)).toEqual(["limits:deny!"]);
  });

  test("an error in a handler", async () => {
    const s = setUp();
    s.hooks.add("client.authenticate", "down", () => Promise.reject(new Error("no database")));
    const r = await explain(s, aClient({}), PASSWORD);
    expect(r.authentication.steps.at(-1)).toMatchObject({ step: "down", verdict: "error", final: true });
    expect(r.authentication.steps.at(-1)?.why).toContain("no database");
    expect(r.authentication.allow).toBe(false);
  });

  test("nobody knows the client", async () => {
    const s = setUp();
    s.hooks.add("client.authenticate", "p", () => null);
    const r = await explain(s, aClient({ zone: testZone({ allowAnonymous: false }) }), PASSWORD);
    expect(r.authentication.steps.at(-1)).toMatchObject({ step: "allow_anonymous", verdict: "deny", final: true });
    expect(r.authentication.steps.at(-1)?.why).toContain("no authentication plugin knows this client");
  });
});

describe("explain ACL", () => {
  const acl = async (s: ReturnType<typeof setUp>, client: Partial<ClientInfo>, request: ExplainRequest) =>
    (await explain(s, aClient(client), PASSWORD, request)).acl;

  test("the rule that decides", async () => {
    const s = setUp();
    s.hooks.add("client.check_acl", "plugin", () => null);
    registerAclFile(s.hooks, '{allow, {user, "ann"}, publish, ["a/#"]}.\n{deny, all, publish, ["a/#"]}.');
    const r = await acl(s, {}, PUBLISH);
    expect(r?.allow).toBe(false);
    expect(short(r?.steps)).toEqual(["limits:ignore", "plugin:ignore", "acl_file:deny!"]);
    expect(r?.steps.at(-1)?.why).toBe('rule in line 2: {deny, all, publish, ["a/#"]}');
    expect((await acl(s, { username: "ann" }, PUBLISH))?.allow).toBe(true);
    expect(short((await acl(s, {}, { action: "publish", topic: "x" }))?.steps).at(-1)).toBe("acl_nomatch:allow!");
  });

  test("super users, and zones without ACL", async () => {
    const s = setUp();
    s.hooks.add("client.check_acl", "plugin", () => ({ verdict: "deny" }));
    expect(short((await acl(s, { zone: testZone({ enableAcl: false }) }, PUBLISH))?.steps).at(-1)).toBe("enable_acl:allow!");
    s.hooks.add("client.authenticate", "p", () => ({ allow: true, isSuper: true }));
    const r = await explain(s, aClient({}), PASSWORD, PUBLISH);
    expect(r.authentication.isSuper).toBe(true);
    expect(short(r.acl?.steps).at(-1)).toBe("superuser:allow!");
  });

  test("limits on topics", async () => {
    const s = setUp();
    const refused = async (request: ExplainRequest, zone = testZone()): Promise<string> => {
      const r = await acl(s, { zone }, request);
      expect(r?.allow).toBe(false);
      return r?.steps[0]?.why ?? "";
    };
    expect(await refused({ action: "publish", topic: "a/#" })).toContain("topic name");
    expect(await refused({ action: "subscribe", topic: "a/#/b" })).toContain("topic filter");
    expect(await refused({ action: "subscribe", topic: "a/b/c" }, testZone({ maxTopicLevels: 2 }))).toContain("2 topic levels");
    expect(await refused({ action: "subscribe", topic: "$share/g/a" }, testZone({ sharedSubscription: false }))).toContain(
      "shared_subscription",
    );
    expect(await refused({ action: "subscribe", topic: "a/+" }, testZone({ wildcardSubscription: false }))).toContain(
      "wildcard_subscription",
    );
  });

  test("the chain is asked for the filter without its share group", async () => {
    const s = setUp();
    const asked: string[] = [];
    s.hooks.add("client.check_acl", "p", (_c, _a, topic) => {
      asked.push(topic);
      return null;
    });
    await acl(s, {}, { action: "subscribe", topic: "$share/g/a/+" });
    await acl(s, {}, { action: "subscribe", topic: "$queue/b" });
    expect(asked).toEqual(["a/+", "b"]);
  });

  test("nothing is counted, nobody's object is changed", async () => {
    const s = setUp();
    s.hooks.add("client.authenticate", "p", (c) => {
      c.isSuper = true;
      return { allow: true, isSuper: true };
    });
    s.hooks.add("client.check_acl", "down", () => {
      throw new Error("x");
    });
    const before = s.metrics.extra();
    const client = aClient({});
    await explain(s, client, PASSWORD, PUBLISH);
    expect(client.isSuper).toBe(false);
    expect(s.metrics.extra()).toEqual(before);
    expect(s.hooks.at["client.check_acl"][0]?.failures).toBe(0);
    expect(s.flapping.size).toBe(0);
  });
});

test("a handler's reason in words stands for the one in its answer, and is forgotten with its step", async () => {
  const s = setUp();
  s.hooks.add(
    "client.authenticate",
    "unknown",
    async (client) => {
      sayWhy(client, () => "unknown user");
      return null;
    },
    4,
  );
  s.hooks.add("client.authenticate", "silent", () => null, 3);
  s.hooks.add(
    "client.authenticate",
    "half",
    (client) => {
      sayWhy(client, () => "half of it");
      return { allow: null, code: 0x86, why: "bad_username_or_password" };
    },
    2,
  );
  s.hooks.add("client.authenticate", "broken", (client) => {
    sayWhy(client, () => "about to say yes");
    throw new Error("broken");
  });
  const { authentication } = await explain(s, aClient(), PASSWORD);
  expect(authentication.steps.slice(3).map((x) => `${x.step}: ${x.why}`)).toEqual([
    "unknown: unknown user",
    "silent: has no answer for this client",
    "half: half of it; the next one is asked, and whoever none lets in is refused",
    "broken: failed, so the client is refused: broken",
  ]);
});

test("a handler that could ask nobody passes on: allow_anonymous decides, and the step says what the client hears", async () => {
  const s = setUp();
  s.hooks.add("client.authenticate", "db", () => ({ allow: null, failed: true, code: 0x88, why: "MySQL is down" }), 3);
  s.hooks.add("client.authenticate", "silent", () => null, 2);
  const steps = async (allowAnonymous: boolean): Promise<string[]> => {
    const { authentication } = await explain(s, aClient({ zone: testZone({ allowAnonymous }) }), PASSWORD);
    return authentication.steps.slice(3).map((x) => `${x.step} ${x.verdict}: ${x.why}`);
  };
  const asked = ["db ignore: MySQL is down", "silent ignore: has no answer for this client"];
  expect(await steps(true)).toEqual([
    ...asked,
    "allow_anonymous allow: db could ask nobody, and no other authentication plugin knows this client; allow_anonymous is on in zone external",
  ]);
  expect(await steps(false)).toEqual([
    ...asked,
    "allow_anonymous deny: db could ask nobody, and no other authentication plugin knows this client, who hears that the server is unavailable; allow_anonymous is off in zone external",
  ]);
});

test("one that knows half of it and one that could ask nobody: the client hears of the second, and the step says so", async () => {
  for (const order of [[1, 2] as const, [2, 1] as const]) {
    for (const allowAnonymous of [true, false]) {
      const s = setUp();
      s.hooks.add("client.authenticate", "half", () => ({ allow: null, code: 0x86, why: "no password" }), order[0]);
      s.hooks.add("client.authenticate", "db", () => ({ allow: null, failed: true, code: 0x88, why: "HTTP is down" }), order[1]);
      const client = aClient({ zone: testZone({ allowAnonymous }) });
      expect(await new Access(s.hooks, new Metrics(), { mono: () => mono(0) }).authenticate(client, PASSWORD)).toMatchObject({
        allow: false,
        code: 0x88,
      });
      const { authentication } = await explain(s, client, PASSWORD);
      expect(authentication.steps.at(-1)).toMatchObject({
        step: "authentication",
        verdict: "deny",
        why: "half knows no more than this: no password; db could ask nobody, so the client hears that the server is unavailable",
      });
    }
  }
});

test("what is known of a client from its log-in is known when a topic is asked about", async () => {
  const s = setUp();
  const known = new WeakSet<ClientInfo>();
  s.hooks.add("client.authenticate", "token", (client) => {
    known.add(client);
    return { allow: true };
  });
  s.hooks.add("client.check_acl", "token", (client) => (known.has(client) ? { verdict: "allow", why: "known" } : null));
  const r = await explain(s, aClient(), PASSWORD, PUBLISH);
  expect(r.acl?.steps.at(-1)).toMatchObject({ step: "token", verdict: "allow", why: "known" });
});

describe("explain the mountpoint", () => {
  const mounted = async (mountpoint: string, client: Partial<ClientInfo> = {}, request = PUBLISH) =>
    explain(setUp(), aClient({ zone: testZone({ mountpoint }), ...client }), PASSWORD, request);

  test("where its topics are, and nothing where there is none", async () => {
    const r = await mounted("dev/%c/");
    expect(r.authentication.steps.at(-1)).toMatchObject({ step: "mountpoint", verdict: "ignore", final: false });
    expect(r.authentication.steps.at(-1)?.why).toMatch(/^of zone \w+: its topics are those below dev\/c1\/$/);
    expect(r.authentication.allow).toBe(true);
    expect(short((await mounted("")).authentication.steps).at(-1)).toBe("allow_anonymous:allow!");
  });

  test("a client whose names make none is refused, as CONNECT does, though it was let in before", async () => {
    for (const [mountpoint, client, why] of [
      ["dev/%c/", { clientId: "a#b" }, "client identifier with a wildcard"],
      ["dev/%u/", { username: "+" }, "user name with a wildcard"],
      [`${"%u/".repeat(100)}`, { username: "x".repeat(1000) }, "is too long for this client"],
      ["a/+/", {}, "has a wildcard or a share in it"],
      ["%u/", { username: "$SYS" }, 'begins with "$" for this client'],
    ] as const) {
      const r = await mounted(mountpoint, client);
      expect([mountpoint, r.authentication.allow, r.acl]).toEqual([mountpoint, false, null]);
      expect(short(r.authentication.steps).slice(-2)).toEqual(["allow_anonymous:allow", "mountpoint:deny!"]);
      expect(r.authentication.steps.at(-1)?.why).toContain(why);
    }
  });

  test("one that a plugin gives stands for the zone's", async () => {
    const s = setUp();
    s.hooks.add("client.authenticate", "web", () => ({ allow: true, isSuper: true, mountpoint: "tenant/#/" }));
    const { authentication } = await explain(s, aClient({ zone: testZone({ mountpoint: "dev/" }) }), PASSWORD);
    expect([authentication.isSuper, ...short(authentication.steps).slice(-2)]).toEqual([false, "web:allow", "mountpoint:deny!"]);
    expect(authentication.steps.at(-1)?.why).toBe("of web: mountpoint tenant/#/ has a wildcard or a share in it");
  });

  test("a topic that is too long with it is refused, though it would do without", async () => {
    for (const action of ["publish", "subscribe"] as const) {
      const topic = "t".repeat(65_530);
      expect((await mounted("", {}, { action, topic })).acl?.allow).toBe(true);
      const r = await mounted("dev/%c/", {}, { action, topic });
      expect(r.acl?.steps).toMatchObject([{ step: "limits", verdict: "deny", final: true, why: "too long with the mountpoint before it" }]);
    }
  });
});
