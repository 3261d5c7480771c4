/** Log-ins by a table of users, where a row holds something that cannot be checked. */
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
    (what) => odd("auth.x.auth_query", what),
  );
  const tried = () => auth.authenticate({} as never, Buffer.from("public"), () => true);
  for (stored of [`$2a$10$${"a".repeat(53)}`, "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"]) {
    log.lines.length = 0;
    for (let i = 0; i < 3; i++) expect(await tried()).toMatchObject({ allow: false, why: "password_error" });
    expect(log.lines.map((l) => [l.level, l.message, l.fields?.key])).toEqual([["warn", "odd answer", "auth.x.auth_query"]]);
    expect(JSON.stringify(log.lines)).not.toContain(stored);
  }
});
