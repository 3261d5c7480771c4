/** Resources and actions as the README shows them: each kind is there, and can be made so. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectors } from "../../../../server/plugins/_connectors/index.ts";
import { ConnectorHost } from "../../../support/connector_host.ts";

const README = readFileSync(join(import.meta.dir, "../../../../README.md"), "utf8");
const ROWS = [...README.matchAll(/^\| `(\w+)` +\| `(\{.*\})` +\| `(data_to_\w+)` +\| `(\{.*\})` +\|$/gm)].map(
  ([, type, config, action, params]) => ({
    type,
    action,
    config: JSON.parse(config as string),
    params: JSON.parse(params as string),
  }),
);
const files = mkdtempSync(join(tmpdir(), "baomq-files-"));
const { resources, actions } = connectors({ files: () => files });
afterAll(() => rmSync(files, { recursive: true }));

test("every kind is shown", () => {
  expect(ROWS.map(({ type }) => type).sort()).toEqual(resources.map(({ name }) => name).sort());
  expect(new Set(ROWS.map(({ action }) => action))).toEqual(new Set(actions.map(({ name }) => name)));
});

for (const { type, action, config, params } of ROWS) {
  test(`${type} with ${action}`, async () => {
    const host = new ConnectorHost();
    const kind = resources.find(({ name }) => name === type);
    const writer = actions.find(({ name }) => name === action);
    if (kind === undefined || writer === undefined) throw new Error("there is none");
    expect([writer.type, ...(writer.orTypes ?? [])]).toContain(kind.name);
    for (const [spec, given] of [
      [kind.params, config],
      [writer.params, params],
    ])
      expect(Object.keys(given).filter((name) => spec[name] === undefined)).toEqual([]);
    const resource = kind.open(config, host);
    const made = writer.open(params, host, resource);
    await made.close();
    await resource.close();
    expect(host.left).toBe(0);
    host.remove();
  });
}
