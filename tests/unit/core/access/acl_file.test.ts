import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AclFile, DEFAULT_ACL, parseAclRules, registerAclFile } from "../../../../server/core/access/acl_file.ts";
import { Hooks } from "../../../../server/core/hooks.ts";
import type { Action, ClientInfo } from "../../../../server/core/types.ts";
import { TermError } from "../../../../server/lib/erlang_term.ts";
import { aClient, silentLog } from "../../../support/access.ts";

function verdict(text: string, client: Partial<ClientInfo>, action: Action, topic: string): string {
  const file = new AclFile(new Hooks(silentLog), text, () => {});
  return file.check(aClient(client), action, topic)?.verdict ?? "nomatch";
}
const allows = (text: string, client: Partial<ClientInfo>, action: Action, topic: string): boolean =>
  verdict(text, client, action, topic) === "allow";

describe("the rules EMQ X ships", () => {
  test.each([
    ["anybody publishes", { ip: "10.0.0.1" }, "publish", "a/b", "allow"],
    ["anybody publishes to $SYS (as 3.1)", { ip: "10.0.0.1" }, "publish", "$SYS/x", "allow"],
    ["anybody subscribes", { ip: "10.0.0.1" }, "subscribe", "a/#", "allow"],
    ["nobody subscribes to #", { ip: "10.0.0.1" }, "subscribe", "#", "deny"],
    ["nobody subscribes to $SYS", { ip: "10.0.0.1" }, "subscribe", "$SYS/brokers", "deny"],
    ["nobody subscribes to $SYS/#", { ip: "10.0.0.1" }, "subscribe", "$SYS/#", "deny"],
    ["+/# is no literal #", { ip: "10.0.0.1" }, "subscribe", "+/#", "allow"],
    ["this machine subscribes to #", { ip: "127.0.0.1" }, "subscribe", "#", "allow"],
    ["this machine subscribes to $SYS/#", { ip: "127.0.0.1" }, "subscribe", "$SYS/#", "allow"],
    ["the dashboard subscribes to $SYS", { ip: "10.0.0.1", username: "dashboard" }, "subscribe", "$SYS/brokers/+/stats/#", "allow"],
    ["the dashboard does not subscribe to #", { ip: "10.0.0.1", username: "dashboard" }, "subscribe", "#", "deny"],
  ] as const)("%s", (_name, client, action, topic, expected) => {
    expect(verdict(DEFAULT_ACL, client, action, topic)).toBe(expected);
  });
});

describe("all forms", () => {
  test("no rule, no answer", () => {
    expect(verdict("", {}, "publish", "a")).toBe("nomatch");
    expect(verdict('{allow, all, publish, ["b"]}.', {}, "publish", "a")).toBe("nomatch");
  });

  test("{allow | deny, all}", () => {
    expect(verdict("{deny, all}.", {}, "subscribe", "a")).toBe("deny");
    expect(verdict("{allow, all}.", {}, "publish", "a")).toBe("allow");
  });

  test("publish, subscribe, pubsub", () => {
    expect(allows('{allow, all, publish, ["a"]}.', {}, "publish", "a")).toBe(true);
    expect(allows('{allow, all, publish, ["a"]}.', {}, "subscribe", "a")).toBe(false);
    expect(allows('{allow, all, subscribe, ["a"]}.', {}, "publish", "a")).toBe(false);
    expect(allows('{allow, all, pubsub, ["a"]}.', {}, "publish", "a")).toBe(true);
    expect(allows('{allow, all, pubsub, ["a"]}.', {}, "subscribe", "a")).toBe(true);
  });

  test.each([
    ['{user, "u"}', { username: "u" }, true],
    ['{user, <<"u">>}', { username: "u" }, true],
    ['{user, "u"}', { username: "v" }, false],
    ['{user, "u"}', { username: null }, false],
    ["{user, all}", { username: null }, true],
    ['{client, "c"}', { clientId: "c" }, true],
    ['{client, "c"}', { clientId: "d" }, false],
    ["{client, all}", { clientId: "d" }, true],
    ['{ipaddr, "127.0.0.1"}', { ip: "127.0.0.1" }, true],
    ['{ipaddr, "127.0.0.1"}', { ip: "127.0.0.2" }, false],
    ['{ipaddr, "10.0.0.0/8"}', { ip: "10.9.8.7" }, true],
    ['{ipaddr, "10.0.0.0/8"}', { ip: "11.9.8.7" }, false],
    ['{ipaddr, "::1"}', { ip: "::1" }, true],
    ['{ipaddr, "2001:db8::/32"}', { ip: "2001:db8:1::5" }, true],
    [`{'and', [{user, "u"}, {ipaddr, "10.0.0.0/8"}]}`, { username: "u", ip: "10.0.0.1" }, true],
    [`{'and', [{user, "u"}, {ipaddr, "10.0.0.0/8"}]}`, { username: "u", ip: "9.0.0.1" }, false],
    [`{'or', [{user, "u"}, {client, "c"}]}`, { username: "x", clientId: "c" }, true],
    [`{'or', [{user, "u"}, {client, "c"}]}`, { username: "x", clientId: "x" }, false],
    [`{'or', [{'and', [{user, "a"}, {client, "b"}]}, {user, "u"}]}`, { username: "u", clientId: "x" }, true],
    ["{'and', []}", {}, true],
    ["{'or', []}", {}, false],
    ["all", {}, true],
  ] as const)("who %s of %p", (who, client, expected) => {
    expect(allows(`{allow, ${who}, publish, ["a"]}.`, client, "publish", "a")).toBe(expected);
  });

  test.each([
    ['"a/+"', "a/b", true],
    ['"a/+"', "a/b/c", false],
    ['"a/#"', "a", true],
    ['"a/#"', "a/b/c", true],
    ['<<"a/#">>', "a/b", true],
    ['{eq, "a/+"}', "a/b", false],
    ['{eq, "a/b"}', "a/b", true],
    ['"x", "a/b"', "a/b", true],
    ['"#"', "$SYS/a", true],
    ['"+"', "a", true],
    ['"a/"', "a", false],
    ['"client/%c"', "client/me", true],
    ['"client/%c"', "client/%c", false],
    ['"user/%u/#"', "user/joe/x", true],
    ['"x%c"', "xme", false],
  ])("topic %s and %s", (topic, name, expected) => {
    expect(allows(`{allow, all, publish, [${topic}]}.`, { clientId: "me", username: "joe" }, "publish", name)).toBe(expected);
  });

  test("one topic may stand without a list", () => {
    expect(allows('{allow, all, publish, <<"a">>}.', {}, "publish", "a")).toBe(true);
    expect(allows('{allow, all, subscribe, {eq, "#"}}.', {}, "subscribe", "#")).toBe(true);
  });

  test("the first rule that matches decides", () => {
    const text = '{deny, {user, "bad"}, pubsub, ["#"]}.\n{allow, all, pubsub, ["#"]}.';
    expect(verdict(text, { username: "bad" }, "publish", "a")).toBe("deny");
    expect(verdict(text, { username: "good" }, "publish", "a")).toBe("allow");
  });
});

describe("subscriptions are compared as text", () => {
  test("wildcards of the client are levels like others", () => {
    expect(allows('{allow, all, subscribe, ["a/#"]}.', {}, "subscribe", "a/+/c")).toBe(true);
    expect(allows('{allow, all, subscribe, ["a/+"]}.', {}, "subscribe", "a/+")).toBe(true);
    expect(allows('{allow, all, subscribe, ["a/b"]}.', {}, "subscribe", "a/+")).toBe(false);
    expect(allows('{allow, all, subscribe, ["a/b"]}.', {}, "subscribe", "#")).toBe(false);
    expect(allows('{allow, all, subscribe, [{eq, "a/#"}]}.', {}, "subscribe", "a/#")).toBe(true);
  });

  test("a rule for one level does not grant all below it, but forbids it", () => {
    expect(verdict('{allow, all, subscribe, ["a/+"]}.', {}, "subscribe", "a/#")).toBe("nomatch");
    expect(verdict('{deny, all, subscribe, ["a/+"]}.', {}, "subscribe", "a/#")).toBe("deny");
  });

  test("a client named like a wildcard gains nothing", () => {
    for (const name of ["#", "+"]) {
      const rule = '{allow, all, subscribe, ["c/%c", "u/%u"]}.';
      expect(verdict(rule, { clientId: name, username: name }, "subscribe", `c/${name}`)).toBe("nomatch");
      expect(verdict(rule, { clientId: name, username: name }, "subscribe", `u/${name}`)).toBe("nomatch");
      expect(verdict(rule, { clientId: name, username: name }, "subscribe", "c/other")).toBe("nomatch");
    }
  });

  test("%u without a user name is a level named %u", () => {
    expect(verdict('{allow, all, publish, ["u/%u"]}.', { username: null }, "publish", "u/null")).toBe("nomatch");
    expect(verdict('{allow, all, publish, ["u/%u"]}.', { username: null }, "publish", "u/%u")).toBe("allow");
  });
});

describe("errors", () => {
  test.each([
    ["{permit, all}.", 1, 2, "allow or deny", "permit"],
    ["{allow, some}.", 1, 9, "all, or a rule of four parts: {allow, Who, pubsub, [Topics]}", "some"],
    ["all.", 1, 1, "a rule such as {allow, all}", "all"],
    ["{}.", 1, 1, "allow or deny", "{}"],
    ["{allow}.", 1, 1, "a rule of two or four parts", "{allow}"],
    ['{allow, all, both, ["a"]}.', 1, 14, "publish, subscribe or pubsub", "both"],
    ["{allow, all,\n publish, [a]}.", 2, 12, 'a topic filter in quotes or {eq, "topic"}', "a"],
    ['{allow, all, publish, ["a/#/b"]}.', 1, 24, "a topic filter, with # only as its last level", '"a/#/b"'],
    ["{allow, all, publish, all}.", 1, 23, "a list of topics", "all"],
    ['{allow, {ipaddr, "300.0.0.1"}, publish, ["a"]}.', 1, 18, 'an address or range such as "10.0.0.0/8"', '"300.0.0.1"'],
    ['{allow, {ipaddr, all}, publish, ["a"]}.', 1, 18, "an address or range in quotes", "all"],
    ['{allow, {user, me}, publish, ["a"]}.', 1, 16, "a string or all", "me"],
    ["{allow, {'and', all}, publish, [\"a\"]}.", 1, 17, "a list of conditions", "all"],
    ['{allow, all, publish, [{ne, "a"}]}.', 1, 24, 'a topic filter in quotes or {eq, "topic"}', '{ne, "a"}'],
  ])("%s", (text, line, column, expected, found) => {
    let error: unknown;
    try {
      parseAclRules(text);
    } catch (err) {
      error = err;
    }
    expect(error).toBeInstanceOf(TermError);
    const e = error as TermError;
    expect([e.line, e.column, e.expected, e.found] as unknown[]).toEqual([line, column, expected, found]);
  });

  test("what is found is shown in 80 characters at most", () => {
    const found = (n: number): string => {
      try {
        parseAclRules(`{allow, all, publish, [${"x".repeat(n)}]}.`);
      } catch (err) {
        return (err as TermError).found;
      }
      return "";
    };
    expect([found(80), found(81)]).toEqual(["x".repeat(80), `${"x".repeat(77)}...`]);
  });

  test("an unknown Who lists the known ones", () => {
    expect(() => parseAclRules('{allow, {group, "x"}, publish, ["a"]}.')).toThrow(/line 1, column 9: expected all, \{user, "name"\}/);
  });
});

describe("on the hook", () => {
  test("asked last, and replaceable", () => {
    const hooks = new Hooks(silentLog);
    let changes = 0;
    const file = registerAclFile(hooks, "{deny, all}.", () => changes++);
    hooks.add("client.check_acl", "plugin", () => null);
    expect(hooks.at["client.check_acl"].map((h) => h.id)).toEqual(["plugin", "acl_file"]);
    expect(file.check(aClient({}), "publish", "a")).toEqual({ verdict: "deny", why: "rule in line 1: {deny, all}" });
    file.reload("% new\n{allow, all}.");
    expect(changes).toBe(1);
    expect(file.check(aClient({}), "publish", "a")).toEqual({ verdict: "allow", why: "rule in line 2: {allow, all}" });
    expect(file.rules).toHaveLength(1);
  });

  test("a bad text changes nothing", () => {
    const hooks = new Hooks(silentLog);
    const file = registerAclFile(hooks, "{deny, all}.");
    expect(() => file.reload("{allow, all")).toThrow(TermError);
    expect(file.check(aClient({}), "publish", "a")?.verdict).toBe("deny");
    const other = new Hooks(silentLog);
    expect(() => registerAclFile(other, "nonsense")).toThrow(TermError);
    expect(other.at["client.check_acl"]).toHaveLength(0);
  });

  test("a check makes no new objects", () => {
    const file = registerAclFile(new Hooks(silentLog), DEFAULT_ACL);
    const c = aClient({});
    expect(file.check(c, "publish", "a")).toBe(file.check(c, "publish", "b"));
  });
});

describe("what a client may whatever the topic", () => {
  const anyTopic = (text: string, client: Partial<ClientInfo>): string =>
    new AclFile(new Hooks(silentLog), text, () => {}).anyTopic(aClient(client), "publish");

  test.each([
    ["the rules EMQ X ships, of another machine", DEFAULT_ACL, { ip: "10.0.0.1" }, "allow"],
    ["… and of this one", DEFAULT_ACL, { ip: "127.0.0.1" }, "allow"],
    ["no rule", "", {}, "silent"],
    ["rules of others", '{allow, {client, "y"}, publish, ["#"]}.', {}, "silent"],
    ["of some topics", '{deny, all, publish, ["secret/#"]}. {allow, all}.', {}, "depends"],
    ["to subscribe to", '{deny, all, subscribe, ["secret/#"]}. {allow, all}.', {}, "allow"],
    ["no topic at all", "{deny, all}.", {}, "deny"],
    ["# written as such", '{deny, all, publish, [{eq, "#"}]}. {allow, all}.', {}, "depends"],
    ["# among others", '{allow, {client, "c"}, publish, ["a", "#"]}. {deny, all}.', { clientId: "c" }, "allow"],
  ] as const)("%s", (_name, text, client, expected) => {
    expect(anyTopic(text, client)).toBe(expected);
  });

  test("is what each topic by itself gets", () => {
    const who = fc.constantFrom(
      "all",
      '{user, "u"}',
      '{client, "c"}',
      "{client, all}",
      '{ipaddr, "10.0.0.0/8"}',
      "{'and', [all, {user, \"u\"}]}",
    );
    const topics = fc.constantFrom('["#"]', '["a/#", "#"]', '["a/+"]', '[{eq, "#"}]', '["%c/#"]', '"#"', '["+/#"]');
    const rule = fc
      .tuple(fc.constantFrom("allow", "deny"), who, fc.constantFrom("publish", "subscribe", "pubsub"), topics)
      .map((parts) => `{${parts.join(", ")}}.`);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(rule, fc.constantFrom("{allow, all}.", "{deny, all}.")), { maxLength: 5 }),
        fc.record({
          username: fc.constantFrom("u", "v", null),
          clientId: fc.constantFrom("c", "d"),
          ip: fc.constantFrom("10.1.1.1", "11.1.1.1"),
        }),
        fc.constantFrom<Action>("publish", "subscribe"),
        (rules, client, action) => {
          const file = new AclFile(new Hooks(silentLog), rules.join("\n"), () => {});
          const any = file.anyTopic(aClient(client), action);
          if (any === "depends") return;
          for (const topic of ["a", "a/b", "b", "c/x", "$SYS/x", "", "/", "#"])
            expect(file.check(aClient(client), action, topic)?.verdict ?? "silent").toBe(any);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
