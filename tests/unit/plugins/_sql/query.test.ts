/** Queries of EMQ X 3.1's users become prepared statements; nothing is ever put into the text. */
import { describe, expect, test } from "bun:test";
import { ACL_QUERY, AUTH_QUERY } from "../../../../server/plugins/_sql/keys.ts";
import { compileQuery } from "../../../../server/plugins/_sql/query.ts";

describe("what 3.1 ships", () => {
  test("for MySQL each place has its value", () => {
    expect(compileQuery(AUTH_QUERY, "mysql")).toEqual({
      text: "select password from mqtt_user where username = ? limit 1",
      values: ["u"],
      asTheTable: [],
    });
    expect(compileQuery(ACL_QUERY, "mysql")).toEqual({
      text: "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = ? or username = ? or username = '$all' or clientid = ?",
      values: ["a", "u", "c"],
      asTheTable: [],
    });
  });

  test("for PostgreSQL each value has its number", () => {
    expect(compileQuery("select 1 from t where a = '%u' or b = '%cn' or c = '%u' or d = '%c'", "postgres")).toEqual({
      text: "select 1 from t where a = $1 or b = $2 or c = $3 or d = $4",
      values: ["u", "cn", "u", "c"],
      asTheTable: [],
    });
  });
});

test("later versions' names, with and without quotes", () => {
  expect(compileQuery("select p from t where u = '${username}' and c = ${clientid} and a = ${peerhost};", "mysql")).toEqual({
    text: "select p from t where u = ? and c = ? and a = ?",
    values: ["u", "c", "a"],
    asTheTable: [],
  });
});

describe("names byte by byte", () => {
  const exact = (column: string): string =>
    `${column} = ? and cast(convert(${column} using utf8mb4) as binary) = cast(convert(? using utf8mb4) as binary)`;

  test("in MySQL, where a name stands alone behind a column and =, beside the comparison that finds the index", () => {
    expect(compileQuery(AUTH_QUERY, "mysql", true)).toEqual({
      text: `select password from mqtt_user where ${exact("username")} limit 1`,
      values: ["u", "u"],
      asTheTable: [],
    });
    expect(compileQuery(ACL_QUERY, "mysql", true)).toMatchObject({
      text: expect.stringContaining(`where ipaddr = ? or ${exact("username")} or username = '$all' or ${exact("clientid")}`),
      values: ["a", "u", "u", "c", "c"],
    });
    expect(
      compileQuery("select p from d.`my t` t join u on t.`i d`='${clientid}' where (u.name = ${username}) for update", "mysql", true),
    ).toEqual({
      text: `select p from d.\`my t\` t join u on ${exact("t.`i d`").replace(" = ?", "=?")} where (${exact("u.name")}) for update`,
      values: ["c", "c", "u", "u"],
      asTheTable: [],
    });
  });

  test("wherever blanks and comments stand, behind && and before it, and where one name alone is looked for in a list", () => {
    const also = " and cast(convert(u using utf8mb4) as binary) = cast(convert(? using utf8mb4) as binary)";
    // ! is where the comparison goes.
    for (const text of [
      "select p from t where id > 0 && u = '%u'! && x = 1",
      "select p from t where id > 0 &&u='%u'!&&x = 1",
      "select p from t where u /* who */ = '%u'! limit 1",
      "select p from t where/**/u = /* who is it? */ -- it's who\n '%u'!/**/limit 1",
      "select p from t where u = '%u'! # it's '%c'\n limit 1",
      "select p from t where u = '%u'! -- it's '%c'",
      "select p from t where u in ('%u')! limit 1",
      "select p from t where (u IN( '%u' /* ) '%c' */ # ) '%c'\n )!) and x = 1",
    ])
      expect(compileQuery(text.replace("!", ""), "mysql", true)).toEqual({
        text: text.replace("'%u'", "?").replace("!", also),
        values: ["u", "u"],
        asTheTable: [],
      });
    expect(compileQuery("select p from t where u in ('%u') and c in ('%c') and d = '%c'", "mysql", true)).toMatchObject({
      values: ["u", "u", "c", "c", "c", "c"],
      asTheTable: [],
    });
  });

  test("what compares otherwise stays as it is, and is named", () => {
    for (const text of [
      "select p from t where lower(u) = '%u'",
      "select p from t where u = '%u' collate utf8mb4_general_ci",
      "select p from t where not u = '%u'",
      "select p from t where u like '%u'",
      "select p from t where u not in ('%u')",
      "select p from t where not u in ('%u')",
      "select p from t where u in ('%u', 'all')",
      "select p from t where u in ('%u') is true",
      "select p from t where u in ('%u' + 1)",
      "select p from t where a || u = '%u'",
      "select p from t where lower(u) /* binary */ = '%u'",
      "select p from t where u = '%u' /*! collate utf8mb4_general_ci */",
      "select p from t where u = '%u' --1",
      "select p from t where 1 + u = '%u'",
      "select p from t where u = '%u' is true",
      "select p from t where if(u = '%u', 1, 0)",
    ])
      expect(compileQuery(text, "mysql", true)).toEqual({ text: text.replace("'%u'", "?"), values: ["u"], asTheTable: ["u"] });
    for (const text of ["select p from t where binary u = '%u'", "select p from t where u = binary '%u'", "select p from t where u = '%a'"])
      expect(compileQuery(text, "mysql", true)).toMatchObject({ text: text.replace(/'.*'/, "?"), asTheTable: [] });
  });

  test("PostgreSQL does so by itself", () => {
    expect(compileQuery(AUTH_QUERY, "postgres", true)).toEqual({
      text: "select password from mqtt_user where username = $1 limit 1",
      values: ["u"],
      asTheTable: [],
    });
  });
});

test("texts, quoted names and comments stay as they are", () => {
  for (const text of [
    "select p from t where n like '%c%'",
    "select p from t where n = 'it''s %u'",
    'select "%u" from t',
    "select `%c` from t",
    "select 1 -- '%u' and %u",
    "select 1 --\tit's %u\n, 2",
    "select 1 /* %u\n'%c' */",
    "select '100%'",
    "select 5 %user from t",
    "select 1 # '%u' and %c",
  ])
    expect(compileQuery(text, "mysql")).toEqual({ text, values: [], asTheTable: [] });
  const bare = "select p from t --\nwhere u = '%u' and note = 'a' --";
  for (const [dialect, place] of [
    ["mysql", "?"],
    ["postgres", "$1"],
  ] as const)
    expect(compileQuery(bare, dialect)).toMatchObject({ text: bare.replace("'%u'", place), values: ["u"] });
  // Elsewhere # is an operator, and -- no comment without a blank behind it.
  expect(compileQuery("select j #> '%u'", "postgres")).toMatchObject({ text: "select j #> $1" });
  expect(compileQuery("select 1 --'%u'", "mysql")).toMatchObject({ text: "select 1 --?" });
  expect(compileQuery("select 1 --'%u'", "postgres")).toMatchObject({ values: [] });
});

test("a variable outside quotes is refused in words: 3.1 sent it literally and found nobody", () => {
  expect(compileQuery("select p from t where u = %u", "postgres")).toBe("%u must stand in quotes, as '%u': it is a value");
  expect(compileQuery("select p from t where u = '%u' and c = %c", "mysql")).toContain("%c must stand in quotes");
});
