import { afterAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../server/config/config.ts";
import { DEFAULT_ACL } from "../../../server/core/access/acl_file.ts";
import { aclFilePort } from "../../../server/node/acl_file.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-acl-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("built-in rules until it is written; then the file, what it was before beside it, in force at once", () => {
  const file = join(dir, "etc", "acl.conf");
  let reloaded = 0;
  const port = aclFilePort({ get: () => file } as unknown as Config, () => void reloaded++);
  expect(port.read()).toEqual({ path: file, text: DEFAULT_ACL, exists: false, former: null });
  port.write("{allow, all}.\n");
  expect(port.read()).toEqual({ path: file, text: "{allow, all}.\n", exists: true, former: DEFAULT_ACL });
  expect(reloaded).toBe(1);
  // The same again is no change: what was before stays what was before.
  port.write("{allow, all}.\n");
  expect(port.read().former).toBe(DEFAULT_ACL);
  expect(() => port.write("{allow, nobody}.")).toThrow("line 1");
  expect([readFileSync(file, "utf8"), reloaded]).toEqual(["{allow, all}.\n", 2]);
  port.write("{deny, all}.\n");
  expect([port.read().former, existsSync(`${file}.before`)]).toEqual(["{allow, all}.\n", true]);
});

test("the copy is what was there byte for byte, and nobody may read it who might not read the file", () => {
  const own = mkdtempSync(join(dir, "own-"));
  const file = join(own, "acl.conf");
  const port = aclFilePort({ get: () => file } as unknown as Config, () => {});
  const latin1 = Buffer.from('%% für alle\n{allow, {user, "Jürgen"}, pubsub, ["a/#"]}.\n', "latin1");
  writeFileSync(file, latin1);
  chmodSync(file, 0o640);
  port.write("{deny, all}.\n");
  expect([readFileSync(`${file}.before`).equals(latin1), readFileSync(file, "utf8")]).toEqual([true, "{deny, all}.\n"]);
  const rights = (): number[] => [file, `${file}.before`].map((path) => statSync(path).mode & 0o777);
  expect(rights()).toEqual([0o640, 0o640]);
  chmodSync(file, 0o600);
  port.write("{allow, all}.\n");
  expect([rights(), readdirSync(own).sort()]).toEqual([
    [0o600, 0o600],
    ["acl.conf", "acl.conf.before"],
  ]);
});
