/** What the node's refusals are to somebody who types. */
import { expect, test } from "bun:test";
import { ApiError, type Client } from "../../../server/cli/client.ts";
import { type Context, Refused } from "../../../server/cli/command.ts";
import { ruleCommands } from "../../../server/cli/commands/rules.ts";

function refused(err: ApiError, ...words: string[]): Promise<void> {
  const call = (): Promise<never> => Promise.reject(err);
  const api = { get: call, call } as unknown as Client;
  const ctx: Context = { api, json: false, password: null, out: () => {}, show: () => {} };
  const [name, ...args] = words;
  return ruleCommands.find((c) => c.name === name)?.run(ctx, args) ?? Promise.resolve();
}

test.each([
  ["rules", "enable"],
  ["rules", "disable"],
  ["rules", "show"],
  ["rules", "errors"],
  ["resources", "show"],
  ["resources", "restart"],
])("%s %s: what is not there is not found, anything else is told as it is", async (name, word) => {
  const why = "the stored row cannot be read";
  await expect(refused(new ApiError(404, "Not Found"), name, word, "x")).rejects.toThrow(new Refused("Cannot found x"));
  await expect(refused(new ApiError(400, `Bad Arguments: ${why}`), name, word, "x")).rejects.toThrow(new Refused(`Error: ${why}`));
  await expect(refused(new ApiError(404, "Not Found."), name, word, "x")).rejects.toThrow("emqx_rule_engine is not running");
});

test.each<[words: string[], answer: object, lines: string[]]>([
  [["rules", "test", "SELECT clientidd FROM t"], { rows: [{}], error: null, warnings: ["w"] }, ["{}", "warning: w"]],
  [["rules", "test", "SELECT clientid FROM t"], { rows: [], error: null }, ["no result: WHERE says no"]],
  [
    ["rules", "create", "r", "message.publish", "SELECT clientidd FROM t", "[]"],
    { id: "r:1", warnings: ["w"] },
    ["Rule r:1 created", "warning: w"],
  ],
])("%j: what the node warns of stands behind what it answers", async ([name, ...args], answer, lines) => {
  const shown: (readonly string[])[] = [];
  const api = { call: () => Promise.resolve(answer) } as unknown as Client;
  const ctx: Context = { api, json: false, password: null, out: () => {}, show: (_, text) => void shown.push(text) };
  await ruleCommands.find((c) => c.name === name)?.run(ctx, args);
  expect(shown).toEqual([lines]);
});
