import { expect, test } from "bun:test";
import { ctl } from "../../../server/cli/index.ts";

test("what was made and could not be kept is shown beside the refusal", async () => {
  const failure = { code: 102, message: "storage_failed: changed in memory only", data: { secret: "generated" } };
  await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(failure) });
  const out: string[] = [];
  const target = ["--url", server.url.href, "--app", "a", "--secret", "s"];
  const code = await ctl([...target, "mgmt", "insert", "new", "n"], { out: (text) => void out.push(text), err: () => {} }, {});
  expect([code, out.join("")]).toEqual([1, `Error: ${failure.message}\n{\n  "secret": "generated"\n}\n`]);
});
