import { expect, test } from "bun:test";
import { judgeRedis } from "../../../../server/plugins/_redis/driver.ts";
import { fillCommand, parseCommand, readingCommand } from "../../../../server/plugins/auth_redis/command.ts";
import { aClient } from "../../../support/access.ts";

const filled = (text: string, username: string): string[] => {
  const command = parseCommand(text);
  if (command === null) throw new Error("no command");
  return fillCommand(command, { client: aClient({ username, clientId: "dev", cert: { cn: "cn 1", dn: "dn 1" } as never }) });
};

test("a word stays one argument, whatever is put into it", () => {
  expect(filled("HMGET mqtt_user:%u password  salt", "joe")).toEqual(["HMGET", "mqtt_user:joe", "password", "salt"]);
  expect(filled("GET %u", "a b\r\nFLUSHALL\r\n%c")).toEqual(["GET", "a b\r\nFLUSHALL\r\n%c"]);
  expect(filled("GET %u:%c:%cn:%dn:%a:%P:%x", "")).toEqual(["GET", ":dev:cn 1:dn 1:10.0.0.1:%P:%x"]);
});

test("empty: nobody is asked", () => {
  expect([parseCommand(""), parseCommand("  ")]).toEqual([null, null]);
});

test("commands that read may be asked with, scripts as well; what changes something may not", () => {
  for (const text of [
    "",
    "HMGET mqtt_user:%u password",
    "hgetall mqtt_acl:%u",
    " GET %u",
    "SMEMBERS %u",
    "LRANGE %u 0 -1",
    "EVAL x 1 %u",
    "EVAL_RO x 1 %u",
  ])
    expect([text, readingCommand(text)]).toEqual([text, text]);
  for (const text of [
    "FLUSHALL",
    "flushdb",
    "DEL mqtt_user:%u",
    "SET a b",
    "GETDEL %u",
    "GETSET a b",
    "CONFIG SET dir /",
    "%u x",
    "KEYS *",
    "SORT a STORE b",
  ])
    expect([text, readingCommand(text)]).toEqual([text, null]);
});

test("what an error says of the server", () => {
  const reply = (message: string): Error => Object.assign(new Error(message), { name: "ReplyError" });
  for (const text of [
    "NOAUTH Authentication required.",
    "WRONGPASS invalid",
    "LOADING Redis is loading",
    "CLUSTERDOWN Hash slot not served",
    "ERR DB index is out of range",
  ])
    expect([text, judgeRedis(reply(text))]).toEqual([text, "down"]);
  for (const text of [
    "WRONGTYPE Operation",
    "ERR unknown command 'X'",
    "NOPERM this user has no permissions",
    "ERR wrong number of arguments",
  ])
    expect([text, judgeRedis(reply(text))]).toEqual([text, "refused"]);
  for (const text of ["Connection is closed.", "Stream isn't writeable and enableOfflineQueue options is false"])
    expect([text, judgeRedis(new Error(text))]).toEqual([text, "lost"]);
  expect(judgeRedis(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))).toBe("down");
  expect(judgeRedis(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }))).toBe("lost");
});
