import { describe, expect, test } from "bun:test";
import { Access, type AclHolder } from "../../../../server/core/access/access.ts";
import { type AnyTopic, Hooks } from "../../../../server/core/hooks.ts";
import type { AclStep, AclVerdict, Action, AuthResult, AuthStep, ClientInfo, Credentials } from "../../../../server/core/types.ts";
import { Metrics } from "../../../../server/core/watch/metrics.ts";
import { aClient, recordingLog, silentLog } from "../../../support/access.ts";
import { mono } from "../../../support/time.ts";
import { testZone } from "../../../support/zone.ts";

const PASSWORD: Credentials = { password: new TextEncoder().encode("secret") };
const NONE: Credentials = { password: null };

function setUp() {
  const log = recordingLog();
  const hooks = new Hooks(log);
  const metrics = new Metrics();
  return { log, hooks, metrics, access: new Access(hooks, metrics, { mono: () => mono(0) }) };
}
const code = (r: AuthResult | Promise<AuthResult>): number | "allow" | "promise" =>
  r instanceof Promise ? "promise" : r.allow ? "allow" : r.code;

describe("authentication", () => {
  test("without user name and password allow_anonymous alone decides", () => {
    const { hooks, access, metrics } = setUp();
    let asked = 0;
    hooks.add("client.authenticate", "p", () => {
      asked++;
      return { allow: true };
    });
    const on = aClient({ username: null });
    const off = aClient({ username: null, zone: testZone({ allowAnonymous: false }) });
    expect(code(access.authenticate(on, NONE))).toBe("allow");
    expect(code(access.authenticate(off, NONE))).toBe(0x87);
    expect(asked).toBe(0);
    expect([metrics.authSuccess, metrics.authAnonymous, metrics.authFailure]).toEqual([1, 1, 1]);
  });

  test("the handler that is asked last knows it, whether those before it answer at once or later", async () => {
    const { hooks, access } = setUp();
    const told: [string, boolean][] = [];
    for (const [name, answer, priority] of [
      ["now", null, 3],
      ["later", Promise.resolve(null), 2],
      ["last", null, 1],
    ] as const) {
      const see = (_: ClientInfo, { isLast = false }: Credentials) => {
        told.push([name, isLast]);
        return answer;
      };
      hooks.add("client.authenticate", name, see, priority);
      await access.authenticate(aClient(), PASSWORD);
    }
    expect(told).toEqual([
      ["now", true],
      ["now", false],
      ["later", true],
      ["now", false],
      ["later", false],
      ["last", true],
    ]);
  });

  test("a handler may ask to see anonymous clients too, also behind one that answers later", async () => {
    const { hooks, access } = setUp();
    const asked: string[] = [];
    hooks.add("client.authenticate", "later", () => Promise.resolve(null).finally(() => asked.push("later")), 2, { anonymous: true });
    hooks.add(
      "client.authenticate",
      "other",
      () => {
        asked.push("other");
        return { allow: true };
      },
      1,
    );
    hooks.add(
      "client.authenticate",
      "names",
      () => {
        asked.push("names");
        return { allow: false, code: 0x86, why: "listed" };
      },
      0,
      {
        anonymous: true,
      },
    );
    expect(code(await access.authenticate(aClient({ username: null }), NONE))).toBe(0x86);
    expect(asked).toEqual(["later", "names"]);
  });

  test("a user name alone, or a password alone, is asked for", () => {
    const { hooks, access } = setUp();
    hooks.add("client.authenticate", "p", () => ({ allow: false, code: 0x86, why: "no" }));
    expect(code(access.authenticate(aClient({}), NONE))).toBe(0x86);
    expect(code(access.authenticate(aClient({ username: null }), PASSWORD))).toBe(0x86);
    expect(code(access.authenticate(aClient({ username: "" }), NONE))).toBe(0x86);
  });

  test("the first answer decides, in order of priority", () => {
    const { hooks, access } = setUp();
    const asked: string[] = [];
    const step = (id: string, answer: AuthStep) => () => {
      asked.push(id);
      return answer;
    };
    hooks.add("client.authenticate", "late", step("late", { allow: true }), -1);
    hooks.add("client.authenticate", "first", step("first", null), 10);
    hooks.add("client.authenticate", "second", step("second", { allow: false, code: 0x86, why: "wrong" }));
    expect(access.authenticate(aClient({}), PASSWORD)).toEqual({ allow: false, code: 0x86, why: "wrong", told: "not authorized" });
    expect(asked).toEqual(["first", "second"]);
  });

  test("nobody answers: the zone's allow_anonymous", () => {
    const { hooks, access, metrics } = setUp();
    hooks.add("client.authenticate", "p", () => null);
    expect(code(access.authenticate(aClient({}), PASSWORD))).toBe("allow");
    expect(code(access.authenticate(aClient({ zone: testZone({ allowAnonymous: false }) }), PASSWORD))).toBe(0x87);
    expect(metrics.authAnonymous).toBe(1);
  });

  test("super user and mountpoint are passed on", () => {
    const { hooks, access, metrics } = setUp();
    hooks.add("client.authenticate", "p", () => ({ allow: true, isSuper: true, mountpoint: "x/%c/" }));
    expect(access.authenticate(aClient({}), PASSWORD)).toEqual({ allow: true, isSuper: true, mountpoint: "x/%c/" });
    hooks.add("client.authenticate", "p", () => ({ allow: true }));
    expect(access.authenticate(aClient({}), PASSWORD)).toEqual({ allow: true, isSuper: false });
    expect([metrics.authSuccess, metrics.authAnonymous]).toEqual([2, 0]);
  });

  test("a handler that throws refuses, is logged and counted; no later one is asked", () => {
    const { hooks, access, metrics, log } = setUp();
    hooks.add("client.authenticate", "broken", () => {
      throw new Error("boom");
    });
    hooks.add("client.authenticate", "yes", () => ({ allow: true }), -1);
    expect(code(access.authenticate(aClient({}), PASSWORD))).toBe(0x88);
    expect(metrics.authError).toBe(1);
    expect(hooks.at["client.authenticate"][0]?.failures).toBe(1);
    expect(log.lines).toHaveLength(1);
  });

  test("an answer that is no answer refuses", () => {
    const { hooks, access } = setUp();
    for (const nonsense of [{}, "yes", 1, { allow: "true" }, true]) {
      hooks.add("client.authenticate", "js", (() => nonsense) as never);
      expect(code(access.authenticate(aClient({}), PASSWORD))).toBe(0x87);
    }
    hooks.add("client.authenticate", "js", (() => undefined) as never);
    expect(code(access.authenticate(aClient({}), PASSWORD))).toBe("allow");
  });

  test("a refusal whose code is none, or no refusal's, is told as one all the same", () => {
    const { hooks, access } = setUp();
    for (const allow of [false, null])
      for (const nonsense of [undefined, null, 0, 1, 0x7f, 5, 0x100, 0xff, -121, 0x87 + 0.5, Number.NaN, "0x87", {}]) {
        hooks.add("client.authenticate", "js", (() => ({ allow, code: nonsense })) as never);
        expect(access.authenticate(aClient({}), PASSWORD)).toEqual({
          allow: false,
          code: 0x87,
          why: "refused without a reason",
          told: "not authorized",
        });
      }
    hooks.add("client.authenticate", "js", (() => ({ allow: false, code: 0x8a, why: "listed" })) as never);
    expect(access.authenticate(aClient({}), PASSWORD)).toMatchObject({ code: 0x8a, why: "listed" });
  });

  test("who is not decided about but doubted is let in by a later one, or not at all, whatever allow_anonymous says", async () => {
    const half: AuthStep = { allow: null, code: 0x86, why: "no password" };
    const no: AuthResult = { allow: false, code: 0x86, why: "no password", told: "not authorized" };
    for (const answer of [() => half, async () => half]) {
      const { hooks, access } = setUp();
      hooks.add("client.authenticate", "doubts", answer, 5);
      expect(await access.authenticate(aClient({}), PASSWORD)).toEqual(no);
      hooks.add("client.authenticate", "knows nothing", () => null, 1);
      expect(await access.authenticate(aClient({}), PASSWORD)).toEqual(no);
      hooks.add("client.authenticate", "knows", () => ({ allow: true }));
      expect(await access.authenticate(aClient({}), PASSWORD)).toEqual({ allow: true, isSuper: false });
    }
  });

  test("who is passed on because nobody could be asked comes in with allow_anonymous; else he hears so, and it is no wrong password", async () => {
    const away: AuthStep = { allow: null, failed: true, code: 0x88, why: "PostgreSQL at 10.0.0.1 is down" };
    const no: AuthResult = { allow: false, code: 0x88, why: away.why, told: "authentication is not available now" };
    const off = testZone({ allowAnonymous: false });
    for (const answer of [() => away, async () => away]) {
      const { hooks, access, metrics } = setUp();
      const asked = async (allowAnonymous = false): Promise<AuthResult> =>
        access.authenticate(aClient(allowAnonymous ? {} : { zone: off }), PASSWORD);
      hooks.add("client.authenticate", "away", answer, 5);
      expect(await asked(true)).toEqual({ allow: true, isSuper: false });
      expect(await asked()).toEqual(no);
      expect([metrics.authSuccess, metrics.authAnonymous, metrics.authFailure, metrics.authError]).toEqual([1, 1, 1, 1]);
      // Who is doubted is not let in by allow_anonymous, and might have been by the one that is away.
      for (const priority of [9, 1]) {
        hooks.add("client.authenticate", "doubts", () => ({ allow: null, code: 0x86, why: "no password" }), priority);
        expect([await asked(true), await asked()]).toEqual([no, no]);
      }
      hooks.add("client.authenticate", "knows", () => ({ allow: false, code: 0x87, why: "wrong" }));
      expect(await asked()).toEqual({ allow: false, code: 0x87, why: "wrong", told: "not authorized" });
    }
  });

  test("what is told to the client names nothing behind the node", async () => {
    const { hooks, access } = setUp();
    hooks.add("client.authenticate", "db", () => ({ allow: false, code: 0x88, why: "PostgreSQL at 10.0.0.1 is down", failed: true }));
    expect(access.authenticate(aClient({}), PASSWORD)).toMatchObject({ told: "authentication is not available now" });
  });

  test("a promise makes the rest asynchronous, with the same rules", async () => {
    const { hooks, access, metrics } = setUp();
    hooks.add("client.authenticate", "sync", () => null, 10);
    hooks.add("client.authenticate", "async", async () => null, 5);
    hooks.add("client.authenticate", "end", () => ({ allow: false, code: 0x86, why: "no" }));
    const r = access.authenticate(aClient({}), PASSWORD);
    expect(r).toBeInstanceOf(Promise);
    expect(await r).toEqual({ allow: false, code: 0x86, why: "no", told: "not authorized" });
    hooks.remove("client.authenticate", "end");
    expect(code(await access.authenticate(aClient({}), PASSWORD))).toBe("allow");
    hooks.add("client.authenticate", "rejects", () => Promise.reject(new Error("down")), 1);
    expect(code(await access.authenticate(aClient({}), PASSWORD))).toBe(0x88);
    hooks.add(
      "client.authenticate",
      "rejects",
      () => {
        throw new Error("down");
      },
      1,
    );
    expect(code(await access.authenticate(aClient({}), PASSWORD))).toBe(0x88);
    expect(metrics.authError).toBe(2);
  });

  test("a handler that is taken away while another is waited for is still asked: the fold is that of its beginning", async () => {
    const { hooks, access } = setUp();
    let answer: (s: AuthStep) => void = () => {};
    hooks.add("client.authenticate", "slow", () => new Promise<AuthStep>((done) => (answer = done)), 5);
    hooks.add("client.authenticate", "guard", () => ({ allow: false, code: 0x86, why: "no" }));
    const r = access.authenticate(aClient({}), PASSWORD);
    hooks.remove("client.authenticate", "guard");
    answer(null);
    expect(code(await r)).toBe(0x86);
  });
});

describe("ACL", () => {
  test("super users and zones without ACL are not asked", () => {
    const { hooks, access, metrics } = setUp();
    hooks.add("client.check_acl", "p", () => ({ verdict: "deny" }));
    expect(access.checkAcl(aClient({ isSuper: true }), "publish", "a")).toBe("allow");
    expect(access.checkAcl(aClient({ zone: testZone({ enableAcl: false }) }), "publish", "a")).toBe("allow");
    expect(access.checkAcl(aClient({}), "publish", "a")).toBe("deny");
    expect([metrics.aclAllow, metrics.aclDeny]).toEqual([0, 1]);
  });

  test("the first answer decides; none: acl_nomatch", () => {
    const { hooks, access } = setUp();
    const deny = aClient({ zone: testZone({ aclNomatch: "deny" }) });
    expect(access.checkAcl(aClient({}), "publish", "a")).toBe("allow");
    expect(access.checkAcl(deny, "publish", "a")).toBe("deny");
    hooks.add("client.check_acl", "one", (_c, action) => (action === "publish" ? { verdict: "allow" } : null), 1);
    hooks.add("client.check_acl", "two", () => ({ verdict: "deny" }));
    expect(access.checkAcl(deny, "publish", "a")).toBe("allow");
    expect(access.checkAcl(aClient({}), "subscribe", "a")).toBe("deny");
  });

  test("failures and nonsense deny", async () => {
    const { hooks, access, metrics } = setUp();
    hooks.add("client.check_acl", "p", () => {
      throw new Error("boom");
    });
    expect(access.checkAcl(aClient({}), "publish", "a")).toBe("deny");
    hooks.add("client.check_acl", "p", (() => ({ verdict: "perhaps" })) as never);
    expect(access.checkAcl(aClient({}), "publish", "a")).toBe("deny");
    hooks.add("client.check_acl", "p", () => Promise.reject(new Error("down")));
    expect(await access.checkAcl(aClient({}), "publish", "a")).toBe("deny");
    expect(metrics.aclError).toBe(2);
    expect(metrics.aclDeny).toBe(3);
  });

  test("asynchronous handlers", async () => {
    const { hooks, access } = setUp();
    hooks.add("client.check_acl", "async", async () => null, 1);
    const verdict = access.checkAcl(aClient({}), "publish", "a");
    expect(verdict).toBeInstanceOf(Promise);
    expect(await verdict).toBe("allow");
    hooks.add("client.check_acl", "end", () => ({ verdict: "deny" }));
    expect(await access.checkAcl(aClient({}), "publish", "a")).toBe("deny");
  });
});

function withCache(answer: AclStep | Promise<AclStep> = { verdict: "allow" }) {
  const hooks = new Hooks(silentLog);
  const metrics = new Metrics();
  const state = { asked: 0, answer };
  hooks.add("client.check_acl", "p", () => {
    state.asked++;
    return state.answer;
  });
  const time = { now: 0 };
  const access = new Access(hooks, metrics, { mono: () => mono(time.now) });
  const holder: AclHolder & { readonly client: ClientInfo } = { client: aClient({}), aclCache: null };
  let until: number = Number.NaN;
  const check = (action: Action, topic: string): AclVerdict | Promise<AclVerdict> => {
    const answer = access.checkCached(holder, action, topic, mono(time.now));
    if (answer instanceof Promise) return answer;
    until = answer.until;
    return answer.verdict;
  };
  /** Of the last verdict that was given at once. */
  const fresh = () => until;
  return { hooks, metrics, state, access, holder, time, check, fresh };
}

describe("checks of a connected client", () => {
  test("ask once per topic and action while the verdict is fresh", () => {
    const { time, check, fresh, metrics, state } = withCache();
    time.now = 1000;
    expect(check("publish", "a")).toBe("allow");
    expect(fresh()).toBe(61_000);
    time.now = 31_000;
    expect(check("publish", "a")).toBe("allow");
    expect(state.asked).toBe(1);
    expect(fresh()).toBe(61_000);
    expect(check("subscribe", "a")).toBe("allow");
    time.now = 61_000;
    expect(check("publish", "a")).toBe("allow");
    expect(state.asked).toBe(3);
    expect([metrics.aclCacheHit, metrics.aclCacheMiss]).toEqual([1, 3]);
  });

  test("without a cache every check asks, and nothing may be reused", () => {
    const { holder, check, fresh, state } = withCache();
    holder.client.zone.enableAclCache = false;
    check("publish", "a");
    check("publish", "a");
    expect(state.asked).toBe(2);
    expect(holder.aclCache).toBeNull();
    expect(fresh()).toBe(0);
  });

  test("who is not asked has no cache, and is looked at again after a second", () => {
    const { time, holder, check, fresh, state } = withCache({ verdict: "deny" });
    time.now = 5;
    holder.client.isSuper = true;
    expect(check("publish", "a")).toBe("allow");
    expect(fresh()).toBe(1005);
    holder.client.isSuper = false;
    holder.client.zone.enableAcl = false;
    expect(check("publish", "a")).toBe("allow");
    expect(fresh()).toBe(1005);
    expect(holder.aclCache).toBeNull();
    expect(state.asked).toBe(0);
  });

  test("a cache of no verdicts keeps none: every message is asked about", () => {
    const { access, holder, state, metrics } = withCache();
    holder.client.zone.aclCacheMaxSize = 0;
    const check = (): unknown => ({ ...(access.checkCached(holder, "publish", "a", mono(1000)) as object) });
    expect([check(), check()]).toEqual([check(), check()]);
    expect([state.asked, holder.aclCache ?? null, metrics.aclCacheMiss, metrics.aclCacheHit]).toEqual([4, null, 0, 0]);
  });

  test("a client of more topics than the cache holds is not asked about each, where the answer is the same for all", () => {
    const { hooks, access, holder, time, state, metrics } = withCache();
    hooks.remove("client.check_acl", "p");
    let any: AnyTopic = "silent";
    const ask = (): AclStep => {
      state.asked++;
      return null;
    };
    hooks.add("client.check_acl", "first", ask, 2, { anyTopic: () => any });
    hooks.add("client.check_acl", "second", ask, 1, { anyTopic: () => "silent" });
    holder.client.zone.aclCacheMaxSize = 2;
    holder.client.zone.aclNomatch = "deny";
    time.now = 1000;
    const check = (action: Action, topic: string): unknown => {
      const a = access.checkCached(holder, action, topic, mono(time.now));
      return a instanceof Promise ? a : { verdict: a.verdict, until: Number(a.until), anyTopic: a.anyTopic };
    };
    const one = { verdict: "deny", until: 61_000, anyTopic: false };
    expect([check("publish", "a"), check("publish", "b")]).toEqual([one, one]);
    expect(state.asked).toBe(4);
    expect(check("publish", "c")).toEqual({ ...one, anyTopic: true });
    any = "allow";
    expect(check("publish", "d")).toEqual({ verdict: "allow", until: 61_000, anyTopic: true });
    expect([state.asked, metrics.aclAllow, metrics.aclDeny]).toEqual([4, 1, 3]);
    // Of subscriptions there are few, and their filters are not topics.
    expect(check("subscribe", "d")).toEqual(one);
    any = "depends";
    expect(check("publish", "e")).toEqual(one);
    any = "silent";
    hooks.add("client.check_acl", "third", ask);
    expect(check("publish", "f")).toEqual(one);
    expect(state.asked).toBe(4 + 2 + 2 + 3);
  });

  test("without a cache, an answer that comes later comes all the same", async () => {
    const { hooks, access, holder } = withCache();
    hooks.remove("client.check_acl", "p");
    holder.client.zone.enableAclCache = false;
    hooks.add("client.check_acl", "later", async () => ({ verdict: "deny", why: "test" }));
    const answer = access.checkCached(holder, "publish", "a", mono(1000));
    expect(answer).toBeInstanceOf(Promise);
    expect(await (answer as unknown as Promise<string>)).toBe("deny");
  });

  test("a handler that fails to say so is asked about each topic", () => {
    const { hooks, access, holder, state, check, metrics } = withCache({ verdict: "allow" });
    hooks.remove("client.check_acl", "p");
    const ask = (): AclStep => {
      state.asked++;
      return { verdict: "allow" };
    };
    const anyTopic = (): AnyTopic => {
      throw new Error("a bug");
    };
    hooks.add("client.check_acl", "p", ask, 0, { anyTopic });
    holder.client.zone.aclCacheMaxSize = 1;
    expect(["a", "b", "c"].map((topic) => check("publish", topic))).toEqual(["allow", "allow", "allow"]);
    expect([state.asked, hooks.at["client.check_acl"][0]?.failures, metrics.aclError]).toEqual([3, 2, 0]);
    expect(access.checkAcl(holder.client, "publish", "d")).toBe("allow");
  });

  test("new rules make every kept verdict void", () => {
    const { access, check, state } = withCache();
    check("publish", "a");
    const before = access.epoch;
    access.invalidate();
    expect(access.epoch).not.toBe(before);
    state.answer = { verdict: "deny" };
    expect(check("publish", "a")).toBe("deny");
    expect(check("publish", "a")).toBe("deny");
    expect(state.asked).toBe(2);
  });

  test("what came about by a failure is kept for a second: what others say, a denial of one who says so, throws or rejects", async () => {
    const failures: Record<string, [fail: () => AclStep | Promise<AclStep>, verdict: AclVerdict]> = {
      "passed on": [() => ({ verdict: null, why: "the service is down", failed: true }), "allow"],
      "passed on later": [async () => ({ verdict: null, why: "the service is down", failed: true }), "allow"],
      denied: [() => ({ verdict: "deny", failed: true }), "deny"],
      "denied later": [async () => ({ verdict: "deny", failed: true }), "deny"],
      thrown: [
        () => {
          throw new Error("down");
        },
        "deny",
      ],
      rejected: [() => Promise.reject(new Error("down")), "deny"],
    };
    for (const [how, [fail, verdict]] of Object.entries(failures)) {
      const { hooks, check, fresh, metrics, time } = withCache();
      const otherwise = verdict === "allow" ? "deny" : "allow";
      let down = true;
      let asked = 0;
      hooks.add("client.check_acl", "outside", () => {
        asked++;
        return down ? fail() : { verdict: otherwise };
      });
      hooks.add("client.check_acl", "p", () => ({ verdict: "allow" }), -1);
      time.now = 5000;
      expect([how, await check("publish", "a"), asked]).toEqual([how, verdict, 1]);
      time.now = 5999;
      // By now it is given at once, also where it was promised.
      expect([how, check("publish", "a"), fresh(), asked]).toEqual([how, verdict, 6000, 1]);
      // Another topic, and another action, are other questions.
      expect([await check("publish", "b"), await check("subscribe", "a"), asked]).toEqual([verdict, verdict, 3]);
      down = false;
      expect([how, check("publish", "a"), asked]).toEqual([how, verdict, 3]);
      time.now = 6000;
      expect([how, await check("publish", "a"), asked]).toEqual([how, otherwise, 4]);
      time.now = 65_999;
      expect([how, check("publish", "a"), fresh(), asked]).toEqual([how, otherwise, 66_000, 4]);
      expect([metrics.aclError, metrics.aclCacheHit]).toEqual([3, 3]);
    }
  });

  test("such a verdict stands as long as others where those are kept for less, and not at all where none are", () => {
    const { holder, check, fresh, time, state, access } = withCache({ verdict: "deny", failed: true });
    holder.client.zone.aclCacheTtlMs = 200;
    time.now = 5000;
    expect([check("publish", "a"), fresh(), state.asked]).toEqual(["deny", 5200, 1]);
    time.now = 5199;
    expect([check("publish", "a"), fresh(), state.asked]).toEqual(["deny", 5200, 1]);
    time.now = 5200;
    expect([check("publish", "a"), fresh(), state.asked]).toEqual(["deny", 5400, 2]);
    holder.client.zone.enableAclCache = false;
    expect([check("publish", "a"), check("publish", "a"), fresh(), state.asked]).toEqual(["deny", "deny", 0, 4]);
    // Nor does `checkAcl` know of it.
    holder.client.zone.enableAclCache = true;
    expect([access.checkAcl(holder.client, "publish", "a"), state.asked]).toEqual(["deny", 5]);
  });

  test("its second begins with the answer: to ask again at once somebody who does not answer would hold the client up each time", async () => {
    const answer = Promise.withResolvers<AclStep>();
    const { check, time, state, fresh } = withCache(answer.promise);
    time.now = 5000;
    const pending = check("publish", "a");
    time.now = 10_000;
    answer.resolve({ verdict: "deny", failed: true });
    expect(await pending).toBe("deny");
    state.answer = { verdict: "allow" };
    time.now = 10_999;
    expect([check("publish", "a"), state.asked, fresh()]).toEqual(["deny", 1, 11_000]);
    time.now = 11_000;
    expect([check("publish", "a"), state.asked]).toEqual(["allow", 2]);
  });

  test("new rules, and what is thrown away of the client, end it", async () => {
    for (const promised of [false, true]) {
      const step: AclStep = { verdict: "deny", failed: true };
      const { access, check, state, holder } = withCache(promised ? Promise.resolve(step) : step);
      await check("publish", "a");
      expect([promised, check("publish", "a"), state.asked]).toEqual([promised, "deny", 1]);
      access.invalidate();
      await check("publish", "a");
      expect([promised, check("publish", "a"), state.asked]).toEqual([promised, "deny", 2]);
      holder.aclCache?.clear();
      await check("publish", "a");
      expect([promised, state.asked]).toEqual([promised, 3]);
    }
  });

  test("nor is it kept where either happened while the question was under way", async () => {
    for (const what of ["rules", "client"]) {
      const { access, check, state, holder } = withCache(Promise.resolve({ verdict: "deny", failed: true }));
      const pending = check("publish", "a");
      if (what === "rules") access.invalidate();
      else holder.client.aclGeneration = 1;
      await pending;
      expect([what, check("publish", "a") instanceof Promise, state.asked]).toEqual([what, true, 2]);
    }
  });

  test("a verdict that was asked for before what is kept of the client was thrown away is not kept", async () => {
    const { check, state, holder } = withCache(Promise.resolve({ verdict: "deny" }));
    const pending = check("publish", "a");
    holder.client.aclGeneration = 1;
    await pending;
    expect(check("publish", "a")).toBeInstanceOf(Promise);
    expect(state.asked).toBe(2);
  });

  test("a failure costs nobody else a verdict that was under way meanwhile", async () => {
    for (const failing of ["says so", "throws", "rejects"]) {
      const answer = Promise.withResolvers<AclStep>();
      const { access, hooks, check, state, holder } = withCache(answer.promise);
      const other: AclHolder = { client: aClient({ clientId: "other", zone: holder.client.zone }), aclCache: null };
      const fail = (): AclStep | Promise<AclStep> => {
        if (failing === "throws") throw new Error("down");
        return failing === "rejects" ? Promise.reject(new Error("down")) : { verdict: "deny", failed: true };
      };
      hooks.add("client.check_acl", "q", (client) => (client === other.client ? fail() : null), 2);
      const pending = check("publish", "a");
      await access.checkCached(other, "publish", "b", mono(0));
      answer.resolve({ verdict: "allow" });
      expect([failing, await pending, check("publish", "a"), state.asked]).toEqual([failing, "allow", "allow", 1]);
    }
  });

  test("promised verdicts are kept when they come, unless the rules changed meanwhile", async () => {
    const { access, check, state } = withCache(Promise.resolve({ verdict: "deny" }));
    expect(await check("publish", "a")).toBe("deny");
    expect(check("publish", "a")).toBe("deny");
    expect(state.asked).toBe(1);
    const pending = check("publish", "b");
    access.invalidate();
    await pending;
    expect(check("publish", "b")).toBeInstanceOf(Promise);
    expect(state.asked).toBe(3);
  });
});
