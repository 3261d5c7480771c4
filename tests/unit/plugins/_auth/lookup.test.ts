/** Log-ins by a table of users, where a row holds something that cannot be checked, or nobody waits for the check any more. */
import { describe, expect, spyOn, test } from "bun:test";
import { createHash } from "node:crypto";
import { watchClient } from "../../../../server/core/access/trace.ts";
import { HashQueue } from "../../../../server/plugins/_auth/hash_queue.ts";
import { type Lookup, lookupAuth, type User } from "../../../../server/plugins/_auth/lookup.ts";
import { oddAnswers } from "../../../../server/plugins/_auth/odd_answers.ts";
import { parseStoredKind, StoredCheck, type StoredKind } from "../../../../server/plugins/_auth/stored.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import { aClient } from "../../../support/access.ts";
import { TestClock, TestLog } from "../../../support/test_broker.ts";

const KEYS = { user: "auth.x.auth_query", isSuper: "auth.x.super_query", rules: "auth.x.acl_query", hash: "auth.x.password_hash" };

test("a hash that cannot be checked is a wrong password, told once a minute, whoever tries how often", async () => {
  const [clock, log] = [new TestClock(), new TestLog()];
  const odd = oddAnswers({ clock, log });
  let stored = "";
  const auth = lookupAuth(
    { clock, aclEpoch: 0, count: () => {} },
    { user: async () => ({ password: stored, salt: "" }), isSuper: async () => true, rules: null, keys: KEYS },
    () => parseStoredKind("bcrypt") as StoredKind,
    (client, what) => odd(client)("auth.x.auth_query", what),
  );
  const tried = () => auth.authenticate(aClient(), Buffer.from("public"), () => true);
  for (stored of [`$2a$10$${"a".repeat(53)}`, "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"]) {
    log.lines.length = 0;
    for (let i = 0; i < 3; i++) expect(await tried()).toMatchObject({ allow: false, why: "password_error" });
    expect(log.lines.map((l) => [l.level, l.message, l.fields?.key])).toEqual([["warn", "odd answer", "auth.x.auth_query"]]);
    expect(JSON.stringify(log.lines)).not.toContain(stored);
  }
});

test("who has left before its password was looked at has not given a wrong one", async () => {
  const auth = lookupAuth(
    { clock: new TestClock(), aclEpoch: 0, count: () => {} },
    {
      user: async () => ({ password: "$2b$04$Ro0CUfOqk6cXEKf3dyaM7O3xh9Rnm2d1a9MGWt7rUzYK5TbqnRHW2", salt: "" }),
      isSuper: async () => false,
      rules: null,
      keys: KEYS,
    },
    () => parseStoredKind("bcrypt") as StoredKind,
    () => {},
  );
  const asked = (wanted: boolean) => auth.authenticate(aClient(), Buffer.from("no such password"), () => wanted);
  await expect(asked(false) as Promise<unknown>).rejects.toMatchObject({ name: "BackendError", kind: "gone" });
  expect(await asked(true)).toMatchObject({ allow: false, why: "password_error" });
});

describe("names that are nobody's", () => {
  /** Hashes of `kind`; `stored`: what the table has of "u", who has a row. */
  function table(kind: string, stored: string | null, waitingMs = 15_000) {
    let looked = 0;
    const queue = new HashQueue(1, waitingMs, () => {
      looked++;
      return 0;
    });
    const auth = lookupAuth(
      { clock: new TestClock(), aclEpoch: 0, count: () => {} },
      {
        user: async ({ username }) => (username === "u" ? { password: stored, salt: "" } : null),
        isSuper: async () => false,
        rules: null,
        keys: KEYS,
      },
      () => parseStoredKind(kind) as StoredKind,
      () => {},
      new StoredCheck(queue),
    );
    /** The answer, and how many hashes were made for it: the clock is looked at before and behind each. */
    const asked = async (username: string, { lastWord = true, wanted = true } = {}): Promise<[unknown, number]> => {
      const before = looked;
      const step = await auth.authenticate(aClient({ username }), Buffer.from("guess"), () => wanted, lastWord);
      return [step === null ? null : step.allow === false && step.why, (looked - before) / 2];
    };
    return { auth, queue, asked };
  }
  const bcrypt = (cost: string): string => `$2b$${cost}$Ro0CUfOqk6cXEKf3dyaM7O3xh9Rnm2d1a9MGWt7rUzYK5TbqnRHW2`;

  for (const [kind, stored] of [
    ["bcrypt", bcrypt("04")],
    ["pbkdf2,sha256,10,20", "00"],
  ] as const)
    test(`${kind}: where it is the last word, who is not there is refused as late as who gives a wrong password`, async () => {
      const { asked } = table(kind, stored);
      expect(await asked("u")).toEqual(["password_error", 1]);
      expect(await asked("nobody")).toEqual([null, 1]);
      // Somebody else is asked, or nobody waits.
      expect(await asked("nobody", { lastWord: false })).toEqual([null, 0]);
      expect(await asked("nobody", { wanted: false })).toEqual([null, 0]);
    });

  test("who has no password, or one that cannot be any, is refused as late", async () => {
    expect(await table("bcrypt", null).asked("u")).toEqual(["the user has no password", 1]);
    expect(await table("bcrypt", "no hash").asked("u")).toEqual(["password_error", 1]);
    expect(await table("bcrypt", "no hash").asked("u", { lastWord: false })).toEqual(["password_error", 0]);
  });

  test("where hashes take no time, nobody is made to wait", async () => {
    for (const kind of ["plain", "sha256", "salt,sha512"]) expect(await table(kind, null).asked("nobody")).toEqual([null, 0]);
  });

  test("it costs as much as the bcrypt hash that was looked at last, and the least there is at least", async () => {
    const costs: string[] = [];
    const queue = new HashQueue(1);
    const run = spyOn(queue, "run");
    run.mockImplementation(({ kind }) => {
      costs.push(kind);
      return null;
    });
    const check = new StoredCheck(queue);
    const kind = parseStoredKind("bcrypt") as StoredKind;
    for (const cost of ["12", "05", "00"]) {
      check.verifyNobody(kind, Buffer.from("p"));
      check.verify(kind, { stored: bcrypt(cost), salt: "" }, Buffer.from("p"));
    }
    check.verifyNobody(kind, Buffer.from("p"));
    expect(costs).toEqual(["bcrypt,10", "bcrypt,12", "bcrypt,12", "bcrypt,5", "bcrypt,5", "bcrypt,0", "bcrypt,4"]);
  });

  test("they have together half as much of the queue as an address, and beyond it are answered at once", async () => {
    const { asked, queue } = table("pbkdf2,sha256,1000,20", null, 20);
    const { promise, resolve } = Promise.withResolvers<void>();
    const other = queue.run({ kind: "other", guessMs: 1 }, "10.0.0.9", () => promise);
    const answers = Array.from({ length: 300 }, (_, i) => asked(`no${i}`));
    let answered = 0;
    for (const answer of answers) void answer.then(() => answered++);
    for (let i = 0; i < 30; i++) await Promise.resolve();
    // Half of half of 20 ms, of 1 ms each.
    expect([queue.size, answered]).toEqual([1 + 5, 295]);
    resolve();
    await Promise.all([other, ...answers]);
    expect([queue.size, answered]).toEqual([0, 300]);
  });
});

describe("why, for whoever asks", () => {
  interface World {
    user?: User | null | "nobody is asked";
    isSuper?: boolean | "nobody is asked" | BackendError;
    kind?: string;
  }

  async function told({ user = null, isSuper = false, kind = "sha256" }: World, password = "public"): Promise<string | null> {
    const lookup: Lookup = {
      user: user === "nobody is asked" ? null : async () => user,
      isSuper: isSuper === "nobody is asked" ? null : () => (isSuper instanceof Error ? Promise.reject(isSuper) : Promise.resolve(isSuper)),
      rules: null,
      keys: KEYS,
    };
    const host = { clock: new TestClock(), aclEpoch: 0, count: () => {} };
    const auth = lookupAuth(
      host,
      lookup,
      () => parseStoredKind(kind) as StoredKind,
      () => {},
    );
    const client = aClient();
    const take = watchClient(client);
    await auth.authenticate(client, Buffer.from(password), () => true);
    return take().why;
  }
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const joe = { password: sha256("public"), salt: "" };

  test("unknown, without a password, nobody asked", async () => {
    expect(await told({})).toBe("unknown user: auth.x.auth_query finds nobody");
    expect(await told({ user: { password: null, salt: "" } })).toBe("auth.x.auth_query finds the user, but no password");
    expect(await told({ user: "nobody is asked" })).toBe("auth.x.auth_query is not set: nobody is asked");
  });

  test("wrong, or nothing that any password could fit; never what stands there", async () => {
    expect(await told({ user: joe }, "other")).toBe("wrong password, with auth.x.password_hash = sha256");
    for (const [kind, user, why] of [
      ["md5", joe, "what is stored is not 32 hexadecimal digits"],
      ["sha256", { password: "public", salt: "" }, "what is stored is not 64 hexadecimal digits"],
      ["salt,sha256", joe, "there is no salt: it has to be the second one that is asked for"],
      ["sha,salt", joe, "what is stored is not 40 hexadecimal digits"],
      ["pbkdf2,sha256,1000,20", joe, "what is stored is not 40 hexadecimal digits"],
      ["pbkdf2,sha256,1000,32", joe, "there is no salt"],
      ["bcrypt", joe, "what is stored is no bcrypt hash"],
      [
        "salt,bcrypt",
        { password: "$2b$04$Ro0CUfOqk6cXEKf3dyaM7O3xh9Rnm2d1a9MGWt7rUzYK5TbqnRHW2", salt: "" },
        "the salt is not the hash's first 29",
      ],
      ["bcrypt", { password: "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", salt: "" }, "a bcrypt hash of cost 31"],
    ] as const) {
      const said = (await told({ user, kind }, "other")) ?? "";
      expect(said).toStartWith(`no password fits, with auth.x.password_hash = ${kind}: ${why}`);
      expect(said).not.toContain(user.password);
    }
    expect(await told({ user: { password: "x", salt: "" }, kind: "plain" })).toBe("wrong password, with auth.x.password_hash = plain");
  });

  test("let in, and whether as a super user", async () => {
    const fits = "the password fits, with auth.x.password_hash = sha256; ";
    expect([
      await told({ user: joe, isSuper: true }),
      await told({ user: joe }),
      await told({ user: joe, isSuper: "nobody is asked" }),
      await told({ user: joe, isSuper: new BackendError("refused", "no such column") }),
    ]).toEqual([
      `${fits}a super user, by auth.x.super_query`,
      `${fits}no super user, by auth.x.super_query`,
      `${fits}no super user: auth.x.super_query is not set`,
      `${fits}no super user, for auth.x.super_query has no answer: no such column`,
    ]);
  });
});
