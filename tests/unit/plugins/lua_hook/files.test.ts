import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accessNamedIn, languageOf, scriptFiles } from "../../../../server/plugins/lua_hook/files.ts";
import { removeTempDirs, tempDir } from "../harness.ts";

afterAll(removeTempDirs);

describe("callbacks about access that a file names", () => {
  const cases: [text: string, names: string[]][] = [
    ['function register_hook() return "on_client_authenticate" end end', ["on_client_authenticate"]],
    ["export function on_client_check_acl( {", ["on_client_check_acl"]],
    ["on_client_check_acl = on_client_authenticate", ["on_client_authenticate", "on_client_check_acl"]],
    ["function on_message_publish(", []],
    ["", []],
  ];
  for (const [text, names] of cases)
    test(JSON.stringify(text), () => {
      const path = join(tempDir(), "a.lua");
      writeFileSync(path, text);
      expect(accessNamedIn(path)).toEqual(names as never);
    });

  test("a file that cannot be read may have both", () => {
    expect(accessNamedIn(join(tempDir(), "nowhere.lua"))).toEqual(["on_client_authenticate", "on_client_check_acl"]);
    expect(accessNamedIn(tempDir())).toHaveLength(2);
  });
});

test("what is a script, and what it is written in", () => {
  expect(["a.lua", "a.js", "a.mjs", "a.ts", "a.d.ts", "a.txt", ".a.lua", "a/b.lua"].map(languageOf)).toEqual([
    "lua",
    "javascript",
    "javascript",
    "typescript",
    null,
    null,
    null,
    null,
  ]);
});

describe("the directory", () => {
  test("in order; a name that is there twice is not disabled; a link to nothing is no file", async () => {
    const dir = tempDir();
    for (const name of ["b.lua", "b.lua.x", "a.js.x", "notes.txt"]) writeFileSync(join(dir, name), "");
    mkdirSync(join(dir, "c.lua"));
    symlinkSync(join(dir, "nothing"), join(dir, "d.lua"));
    const { files, left } = await scriptFiles(dir);
    expect([files.map((f) => [f.name, f.disabled]), left]).toEqual([
      [
        ["a.js", true],
        ["b.lua", false],
      ],
      0,
    ]);
  });

  test("what cannot be seen is not gone: it is an error", async () => {
    expect(await scriptFiles(join(tempDir(), "nowhere")).catch((err: { code?: string }) => err.code)).toBe("ENOENT");
    const dir = tempDir();
    symlinkSync(join(dir, "a.lua"), join(dir, "a.lua"));
    expect(await scriptFiles(dir).catch((err: { code?: string }) => err.code)).toBe("ELOOP");
  });
});
