import { expect, test } from "bun:test";
import { commandWords, secretWords, withoutCommandSecrets } from "../../../../server/plugins/_redis/command.ts";

const PLACEHOLDER = "$" + "{payload.word of it}";

test("words, as a shell would have them; a placeholder with blanks is one", () => {
  expect(commandWords(`HSET "a b" 'c "d"' e${PLACEHOLDER}f "g\\"h"`)).toEqual(["HSET", "a b", 'c "d"', `e${PLACEHOLDER}f`, 'g"h']);
  expect(commandWords("  ")).toEqual([]);
});

test.each<[command: string, shown: string]>([
  ["HSET sensor:1 temp 21", "HSET sensor:1 temp 21"],
  ["AUTH s3cret", "AUTH ******"],
  ["auth joe 's3 cret'", "auth joe ******"],
  ["HELLO 3 AUTH joe s3cret SETNAME x", "HELLO 3 AUTH joe ****** SETNAME x"],
  ["MIGRATE h 6379 k 0 500 AUTH s3cret", "MIGRATE h 6379 k 0 500 AUTH ******"],
  ["MIGRATE h 6379 k 0 500 AUTH2 joe s3cret KEYS a", "MIGRATE h 6379 k 0 500 AUTH2 joe ****** KEYS a"],
  ["CONFIG SET maxmemory 1gb requirepass s3cret", "CONFIG SET maxmemory 1gb requirepass ******"],
  ["config set masterauth s3cret", "config set masterauth ******"],
  ["ACL SETUSER joe on >s3cret ~* +@all #0f", "ACL SETUSER joe on ****** ~* +@all ******"],
  [`AUTH ${PLACEHOLDER}`, `AUTH ${PLACEHOLDER}`],
  ["AUTH", "AUTH"],
])("%s", (command, shown) => {
  expect(withoutCommandSecrets(command)).toBe(shown);
});

test("of words that are filled their places are known", () => {
  expect([...secretWords(["HELLO", "3", "AUTH", "joe", "s3cret"])]).toEqual([4]);
  expect([...secretWords(["SET", "auth", "x"])]).toEqual([]);
});
