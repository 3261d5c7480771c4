/** What waits for InfluxDB, and an action that is changed meanwhile. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INFLUX } from "../../server/plugins/_connectors/influx.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { INFLUXDB, needing } from "../support/peers.ts";
import { InfluxServer } from "../support/sink_servers.ts";
import { until } from "../support/until.ts";

needing(INFLUXDB, test)("points that waited keep the precision that they were made with", async () => {
  const server = new InfluxServer();
  await server.start();
  const directory = mkdtempSync(join(tmpdir(), "baomq-action-"));
  const { port, user: username, password } = server;
  const config = { url: `http://127.0.0.1:${port}`, version: "v1", database: "rules", username, password, timeout: 1 };
  const params = { measurement: "m", fields: { n: "${n}" }, disk_size: 1 };
  try {
    await server.kill();
    const before = new Wired(kindOf(INFLUX, "data_to_influxdb"), config, { ...params, precision: "ms" }, directory);
    for (const n of [1, 2]) before.run({ n }, "c1", { timestamp: 1_700_000_000_000 + n });
    await until(() => before.state === "down", "it is away");
    await before.close();
    const edited = new Wired(kindOf(INFLUX, "data_to_influxdb"), config, { ...params, precision: "s" }, directory);
    edited.run({ n: 3 }, "c1", { timestamp: 1_700_000_003_000 });
    await server.start();
    await until(() => edited.host.counts.done === 3, "all are there");
    const found = await server.rows("select n from m");
    expect(found.map(({ time, n }) => [time, n])).toEqual([
      [1_700_000_000_001, 1],
      [1_700_000_000_002, 2],
      [1_700_000_003_000, 3],
    ]);
    await edited.close();
  } finally {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  }
});
