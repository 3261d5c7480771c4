/** Whatever a plugin that asks outside tells people to look at is a setting that it has. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { plugins } from "../../../server/plugins/index.ts";

test("every key that is named in its files is one of its settings, or the beginning of some", () => {
  const wrong: string[] = [];
  let named = 0;
  for (const file of new Bun.Glob("server/plugins/auth_*/*.ts").scanSync(".")) {
    const folder = file.split("/")[2] ?? "";
    const keys = Object.keys(plugins.find((p) => p.name === `emqx_${folder}`)?.config ?? {});
    for (const [key] of readFileSync(file, "utf8").matchAll(/\bauth\.[a-z]+\.[a-z_\d]+(?:\.[a-z_\d]+)*/g)) {
      named++;
      if (
        !keys.some(
          (known) => known === key || known.startsWith(`${key}.`) || (known.includes("$") && key.startsWith(known.split("$")[0] as string)),
        )
      )
        wrong.push(`${file}: ${key}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(named).toBeGreaterThan(200);
});
