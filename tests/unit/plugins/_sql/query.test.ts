/** Queries of EMQ X 3.1's users become prepared statements; nothing is ever put into the text. */
import { describe, expect, test } from "bun:test";
import { ACL_QUERY, AUTH_QUERY } from "../../../../server/plugins/_sql/keys.ts";
import { compileQuery } from "../../../../server/plugins/_sql/query.ts";

describe("what 3.1 ships", () => {
  test("for MySQL each place has its value", () => {
    expect(compileQuery(AUTH_QUERY, "mysql")).toEqual({ text: "select password from mqtt_user where username = ? limit 1", values: ["u"] });
    expect(compileQuery(ACL_QUERY, "mysql")).toEqual({
      text: "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = ? or username = ? or username = '$all' or clientid = ?",
      values: ["a", "u", "c"],
    });
  });

  test("for PostgreSQL each value has its number", () => {
    expect(compileQuery("select 1 from t where a = '%u' or b = '%cn' or c = '%u' or d = '%c'", "postgres")).toEqual({
      text: "select 1 from t where a = $1 or b = $2 or c = $3 or d = $4",
      values: ["u", "cn", "u", "c"],
    });
  });
});

test("later versions' names, with and without quotes", () => {
  expect(compileQuery("select p from t where u = '${username}' and c = ${clientid} and a = ${peerhost};", "mysql")).toEqual({
    text: "select p from t where u = ? and c = ? and a = ?",
    values: ["u", "c", "a"],
  });
});

test("texts, quoted names and comments stay as they are", () => {
  for (const text of [
    "select p from t where n like '%c%'",
    "select p from t where n = 'it''s %u'",
    'select "%u" from t',
    "select `%c` from t",
    "select 1 -- '%u' and %u",
    "select 1 /* %u\n'%c' */",
    "select '100%'",
    "select 5 %user from t",
  ])
    expect(compileQuery(text, "mysql")).toEqual({ text, values: [] });
});

test("a variable outside quotes is refused in words: 3.1 sent it literally and found nobody", () => {
  expect(compileQuery("select p from t where u = %u", "postgres")).toBe("%u must stand in quotes, as '%u': it is a value");
  expect(compileQuery("select p from t where u = '%u' and c = %c", "mysql")).toContain("%c must stand in quotes");
});
