/** Queries that read are taken as they are; whatever may change something is none. */
import { expect, test } from "bun:test";
import { ACL_QUERY, AUTH_QUERY, authQueryEntry, SUPER_QUERY } from "../../../../server/plugins/_sql/keys.ts";
import { oneSelect } from "../../../../server/plugins/_sql/one_select.ts";

test("one select, however it is written", () => {
  for (const text of [
    AUTH_QUERY,
    SUPER_QUERY,
    ACL_QUERY,
    "",
    "  SELECT password FROM mqtt_user WHERE username = '%u' LIMIT 1 ;  ",
    "(select password from a where u = '%u') union (select password from b where u = '%u')",
    "/* ours */ select password -- the hash\nfrom mqtt_user where username = '%u'",
    "select password from mqtt_user --\nwhere username = '%u' --",
    "with one as (select * from mqtt_user where username = '%u') select password from one",
    "select password from u where note = 'delete from u; drop table u'",
    "select password from u where \"into\" = 1 and x = 'it''s; so'",
    "select password, insert('abc', 1, 0, salt), replace(salt, 'a', 'b') from u",
    "select password from u where name = lookup('%u') for update",
    "select password from u for no key update",
    "select deleted, updated_at, is_inserted from u where deleted = 0",
    "select password from users u where u.update = 1",
  ])
    for (const dialect of ["postgres", "mysql"] as const) expect([text, oneSelect(text, dialect)]).toEqual([text, text]);
});

test("anything else is refused, wherever it hides", () => {
  for (const text of [
    "delete from mqtt_acl",
    "update mqtt_user set password = ''",
    "drop table mqtt_user",
    "truncate mqtt_user",
    "call find('%u')",
    "set password = ''",
    "select 1; delete from mqtt_acl",
    "select 'a\\'; delete from mqtt_acl; -- '",
    "select 'a\\\\'; delete from mqtt_acl",
    "with gone as (delete from mqtt_user returning password) select password from gone",
    "with new as (insert into mqtt_user values (1) returning 1) select 1 from new",
    "with new as (update mqtt_user set password = '' returning 1) select 1 from new",
    "with x as (select 1) delete from mqtt_user",
    "select * into copy from mqtt_user",
    "select password from mqtt_user into outfile '/tmp/x'",
    "explain analyze delete from mqtt_user",
    "select 1.into outfile '/tmp/x'",
    "select 1 --\n into outfile '/tmp/x'",
    "select 'a",
  ])
    for (const dialect of ["postgres", "mysql"] as const) expect([text, oneSelect(text, dialect)]).toEqual([text, null]);
});

test("what the one server takes for a text or a comment is none for the other", () => {
  const hidden = "; delete from mqtt_acl";
  const only = {
    postgres: [
      "select password -> '#' from u where a #> b and u = '%u'",
      "select $$it's$$, $t$ $$ ' $t$, password from u where \"a\"\"'\" = '%u'",
      `select 1 --1${hidden}`,
    ],
    mysql: [
      "select `it's`, `update` from u -- '\n where u = '%u' # '",
      "select password from u where a --1 = 0 and u = '%u'",
      `select 1 -- \r${hidden}`,
    ],
  };
  const none = {
    postgres: [
      `select 1 --\r${hidden}`,
      `select $$ ' $$${hidden} --'`,
      `select $a$ $A$ ' $a$${hidden} --'`,
      `select 1 /* /* */ ' */${hidden} --'`,
      `select E'\\'', '\\'${hidden} --'`,
      `select E'a'\n'\\'', '\\'${hidden} --'`,
      `select 1 # '${hidden}`,
    ],
    mysql: [
      "select 1 # '\n into outfile '/tmp/x'",
      "select 5 --1 into outfile '/tmp/x'",
      "select 1 /*!50000 into outfile '/tmp/x' */",
      "select 1 /*!99999 ' */ into outfile '/tmp/x' -- '",
      "select 1 /*M!99999 ' */ into outfile '/tmp/x' -- '",
      'select "\\"", a from t into outfile "/tmp/x" -- "',
      `select 1 --1${hidden}`,
      "with x as (select 1) update (u) set password = ''",
    ],
  };
  for (const dialect of ["postgres", "mysql"] as const) {
    for (const text of only[dialect]) expect([text, oneSelect(text, dialect)]).toEqual([text, text]);
    for (const text of none[dialect]) expect([text, oneSelect(text, dialect)]).toEqual([text, null]);
  }
});

test("the key says what is expected", () => {
  expect(() => authQueryEntry("mysql").parse("delete from mqtt_acl")).toThrow("expected one select, which only reads");
});
