/** Log-ins by a table of users, where a row holds something that cannot be checked, or nobody waits for the check any more. */
import { expect, test } from "bun:test";
import { lookupAuth } from "../../../../server/plugins/_auth/lookup.ts";
import { oddAnswers } from "../../../../server/plugins/_auth/odd_answers.ts";
import { parseStoredKind, type StoredKind } from "../../../../server/plugins/_auth/stored.ts";
import { TestClock, TestLog } from "../../../support/test_broker.ts";

test("a hash that cannot be checked is a wrong password, told once a minute, whoever tries how often", async () => {
  const [clock, log] = [new TestClock(), new TestLog()];
  const odd = oddAnswers({ clock, log });
  let stored = "";
  const auth = lookupAuth(
    { clock, aclEpoch: 0, count: () => {} },
    { user: async () => ({ password: stored, salt: "" }), isSuper: async () => true, rules: null },
    () => parseStoredKind("bcrypt") as StoredKind,
    (client, what) => odd(client)("auth.x.auth_query", what),
  );
  const tried = () => auth.authenticate({} as never, Buffer.from("public"), () => true);
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
    },
    () => parseStoredKind("bcrypt") as StoredKind,
    () => {},
  );
  const asked = (wanted: boolean) => auth.authenticate({} as never, Buffer.from("no such password"), () => wanted);
  await expect(asked(false) as Promise<unknown>).rejects.toMatchObject({ name: "BackendError", kind: "gone" });
  expect(await asked(true)).toMatchObject({ allow: false, why: "password_error" });
});
