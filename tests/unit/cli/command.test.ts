import { expect, test } from "bun:test";
import { type Command, subcommands, take, UsageError, usageLines } from "../../../server/cli/command.ts";
import { completion, SHELLS } from "../../../server/cli/completion.ts";

const commands: Command[] = [
  {
    name: "things",
    usage: [
      ["things list", "List things"],
      ["things show <Id> [<More>]", "Show a thing"],
    ],
    run: () => Promise.resolve(),
  },
];

test("usages are padded to 48 columns", () => {
  expect(usageLines(commands)).toEqual([
    `${"things list".padEnd(48)}# List things`,
    `${"things show <Id> [<More>]".padEnd(48)}# Show a thing`,
  ]);
});

test("a usage that is longer keeps its distance", () => {
  const long = `things find ${"<Word> ".repeat(8)}<End>`;
  expect(usageLines([{ ...(commands[0] as Command), usage: [[long, "Find"]] }])).toEqual([`${long} # Find`]);
});

test("arguments are counted", () => {
  expect(take(["a", "b"], 1, 1)).toEqual(["a", "b"]);
  expect(() => take([], 1)).toThrow(UsageError);
  expect(() => take(["a", "b", "c"], 1, 1)).toThrow(UsageError);
});

test("the first word chooses", async () => {
  const seen: (readonly string[])[] = [];
  const run = subcommands({
    list: async (_ctx, args) => void seen.push(args),
    "": async (_ctx, args) => void seen.push(["none", ...args]),
  });
  await run(null as never, ["list", "x"]);
  await run(null as never, []);
  expect(seen).toEqual([["x"], ["none"]]);
  expect(() => run(null as never, ["toString"])).toThrow(UsageError);
});

test("completion knows the words before arguments, not the arguments", () => {
  for (const shell of SHELLS) {
    const script = completion(shell, commands);
    for (const word of ["things", "list", "show"]) expect(script).toContain(word);
    expect(script).not.toContain("<Id>");
  }
});
