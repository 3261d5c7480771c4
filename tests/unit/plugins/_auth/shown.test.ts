/** What is shown of an answer, and what never is. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { countWords, flagField, hiddenField, isSecret, ruleField } from "../../../../server/plugins/_auth/shown.ts";
import { aClient } from "../../../support/access.ts";

const TOKEN = `${btoa('{"alg":"HS256"}').replaceAll("=", "")}.${btoa('{"sub":"x"}').replaceAll("=", "")}.c2ln`;
const HASHES = [
  ...["md5", "sha1", "sha256", "sha512"].map((name) => createHash(name).update("x").digest("hex")),
  "$2a$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
  "$argon2id$v=19$m=4096,t=2,p=1$c2FsdA$aGFzaA",
  "{SSHA}c2VjcmV0",
  "{CLEARTEXT}public",
  TOKEN,
];
const client = aClient({ username: "joe", clientId: "0123456789abcdef0123456789abcdef" });

test("of a password's question: that there is something, or nothing", () => {
  expect(
    [hiddenField("password", "x"), hiddenField("salt", ""), hiddenField("password", null), hiddenField("n", 7)].map((f) => f.value),
  ).toEqual(["***", "***", null, "***"]);
});

test("a flag is shown, whatever else stands there is not", () => {
  for (const [value, shown] of [
    [1, "1"],
    [true, "true"],
    [Buffer.from("0"), "0"],
    ["t", "t"],
    [null, null],
    ["1234", "***"],
    ["public", "***"],
    ...HASHES.map((hash) => [hash, "***"] as const),
  ] as const)
    expect([value, flagField("is_superuser", value).value]).toEqual([value, shown]);
});

test("rules are shown in full, unless by name or form they are secrets; the client's own names are none", () => {
  const shown = (name: string, value: unknown) => ruleField(name, value, client).value;
  for (const topic of ["a/b/#", "$SYS/#", "eq #", "$share/g/#", "secret/#", "{id}/x", "0123456789abcdef0123456789abcdef/#", "%u"])
    expect([topic, shown("topic", topic)]).toEqual([topic, topic]);
  for (const hash of HASHES) expect([hash, shown("topic", hash)]).toEqual([hash, "***"]);
  for (const name of ["password", "PASSWD", "pwd_old", "salt", "api_token", "password_hash"])
    expect([name, shown(name, "x")]).toEqual([name, "***"]);
  expect([shown("clientid", client.clientId), shown("clientid", client.clientId.replaceAll("0", "f"))]).toEqual([client.clientId, "***"]);
  expect(ruleField("username", TOKEN, { username: TOKEN, clientId: "" }).value).toBe("***");
  expect([shown("allow", 1), shown("ipaddr", null), shown("topic", "x".repeat(500))?.length]).toEqual(["1", null, 200]);
});

test("by its name or by what it looks like", () => {
  expect([isSecret("password", ""), isSecret("topic", "a"), isSecret("", HASHES[0] as string)]).toEqual([true, false, true]);
});

test("many are counted, the first ones shown", () => {
  expect([0, 1, 7, 101].map((n) => countWords(n, "row"))).toEqual(["no row", "1 row", "7 rows", "101 rows, the first 100 of them"]);
});
