import { expect, test } from "bun:test";
import { REDIS } from "../../../../server/plugins/_connectors/redis.ts";
import { ConnectorHost, kindOf } from "../../../support/connector_host.ts";

const { action, resource } = kindOf(REDIS, "data_to_redis");

test.each<[cmd: string, words: string]>([
  ["AUTH joe s3cret", "cmd: AUTH changes a connection that others share"],
  ["select 3", "cmd: SELECT changes a connection that others share"],
  ["HELLO 3 AUTH joe s3cret", "cmd: HELLO changes a connection that others share"],
  ["", "cmd is missing"],
  ["$" + "{cmd} a", "cmd: expected a command such as HSET sensor:1 temp 21"],
])("an action cannot be: %s", async (cmd, words) => {
  const host = new ConnectorHost();
  // Nobody need be there.
  const server = resource.open({ server: "127.0.0.1:1" }, host);
  expect(() => action.open({ cmd }, host, server)).toThrow(words);
  expect(() => action.open({ cmd }, host, server)).not.toThrow("s3cret");
  await server.close();
  host.remove();
});
