import { expect, test } from "bun:test";
import { judgeMongo } from "../../../../server/plugins/_mongo/driver.ts";
import { fillSelector, parseSelector } from "../../../../server/plugins/auth_mongo/selector.ts";
import { aClient } from "../../../support/access.ts";

const filled = (text: string, username: string): Record<string, string> => {
  const selector = parseSelector(text);
  if (selector === null) throw new Error("no selector");
  return fillSelector(selector, { client: aClient({ username, clientId: "dev" }) });
};

test("fields, each equal to a text: a value is never a question", () => {
  expect(filled("username=%u", "joe")).toEqual({ username: "joe" });
  expect(filled("username = %u , device.id=%c,kind=sensor", '{"$ne":null}')).toEqual({
    username: '{"$ne":null}',
    "device.id": "dev",
    kind: "sensor",
  });
  expect(filled("a=b=c", "joe")).toEqual({ a: "b=c" });
});

test("what is no selector", () => {
  for (const text of ["", "username", "=x", "$where=1", "username=%u,", "a=1,$or=2"])
    expect([text, parseSelector(text)]).toEqual([text, null]);
});

test("what an error says of the server", () => {
  const server = (code: number): Error => Object.assign(new Error("x"), { name: "MongoServerError", code });
  for (const code of [13, 18, 91, 189, 10_107, 11_600, 13_435]) expect([code, judgeMongo(server(code))]).toEqual([code, "down"]);
  for (const code of [2, 26, 59]) expect([code, judgeMongo(server(code))]).toEqual([code, "refused"]);
  const network = (message: string): Error => Object.assign(new Error(message), { name: "MongoNetworkError" });
  expect([judgeMongo(network("connection 3 to 127.0.0.1:1 closed")), judgeMongo(network("connect ECONNREFUSED 127.0.0.1:1"))]).toEqual([
    "lost",
    "down",
  ]);
  expect(judgeMongo(Object.assign(new Error("x"), { name: "MongoServerSelectionError" }))).toBe("down");
});
