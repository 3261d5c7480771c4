import { expect, test } from "bun:test";
import { type Command, Refused, UsageError } from "../../../server/cli/command.ts";
import { withPassword } from "../../../server/cli/password.ts";

const command: Command = {
  name: "people",
  usage: [
    ["people list", "List"],
    ["people add <Name> <Password> [<Tags>]", "Add"],
    ["people ask <Name> [<User> [<Pwd> [<Topic>]]]", "Ask"],
  ],
  run: () => Promise.resolve(),
};
const placed = (line: string): string[] => withPassword(command, line.split(" "), "s3 cret");

test("the password stands where the usage has it, whatever comes behind", () => {
  expect(placed("people add joe")).toEqual(["people", "add", "joe", "s3 cret"]);
  expect(placed("people add joe admin")).toEqual(["people", "add", "joe", "s3 cret", "admin"]);
  expect(placed("people ask c joe t")).toEqual(["people", "ask", "c", "joe", "s3 cret", "t"]);
});

test("words that must stand before it are missing, or it has no place", () => {
  expect(() => placed("people ask c")).toThrow(UsageError);
  expect(() => placed("people list")).toThrow(Refused);
  expect(() => placed("people")).toThrow(Refused);
});
