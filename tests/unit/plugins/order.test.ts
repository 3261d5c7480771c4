/** The order in which plugins are asked: that in which they were loaded, on every hook, also when the node has ended and begun again. */
import { afterAll, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { type AnyPlugin, definePlugin } from "../../../server/plugins/plugin.ts";
import { aClient } from "../../support/access.ts";
import { TestKit } from "../../support/test_broker.ts";
import { manage, removeTempDirs } from "./harness.ts";

afterAll(removeTempDirs);

/** Hangs on one hook of each kind: both chains, what is told, and what is passed on. */
const hanging = (name: string, asked: string[]): AnyPlugin =>
  definePlugin({
    name,
    description: "It says nothing itself",
    version: "v3.1.0",
    activeByDefault: false,
    config: {},
    start(ctx) {
      const note = (point: string): null => {
        asked.push(`${point} ${name}`);
        return null;
      };
      ctx.hook("client.authenticate", () => note("authenticate"));
      ctx.hook("client.check_acl", () => note("check_acl"));
      ctx.hook("client.connected", () => void note("connected"));
      ctx.hook("message.publish", (m) => {
        note("publish");
        return m;
      });
    },
  });

/** Who is asked, in order, about one log-in, one topic, one client that has come, and one message. */
async function askedAll(kit: TestKit, asked: string[]): Promise<Record<string, string[]>> {
  asked.length = 0;
  await kit.access.authenticate(aClient(), { password: Buffer.from("p") });
  await kit.access.checkAcl(aClient(), "publish", "t");
  kit.broker.publish(new Message("t", new Uint8Array([1]), 0, false, "c", null, 0, 0, null));
  kit.connected(`c${Math.random()}`).send({ cmd: "disconnect" });
  const of = (point: string): string[] => asked.flatMap((line) => (line.startsWith(`${point} `) ? [line.slice(point.length + 1)] : []));
  return Object.fromEntries(["authenticate", "check_acl", "connected", "publish"].map((point) => [point, [...new Set(of(point))]]));
}

const everywhere = (...names: string[]): Record<string, string[]> => ({
  authenticate: names,
  check_acl: names,
  connected: names,
  publish: names,
});

test("z, then a: each hook asks z before a; so it is after a restart of the node, and for one that is unloaded and loaded again", async () => {
  const kit = new TestKit();
  const asked: string[] = [];
  const all = (): AnyPlugin[] => ["a", "m", "z"].map((name) => hanging(name, asked));
  const first = manage(all(), { kit }).manager;
  await first.startAll();
  for (const name of ["z", "a"]) await first.load(name);
  expect(await askedAll(kit, asked)).toEqual(everywhere("z", "a"));
  await first.reload("a");
  expect(await askedAll(kit, asked)).toEqual(everywhere("z", "a"));
  await first.stopAll();
  expect(await askedAll(kit, asked)).toEqual(everywhere());

  const second = manage(all(), { kit }).manager;
  expect(await second.startAll()).toEqual([]);
  expect(await askedAll(kit, asked)).toEqual(everywhere("z", "a"));
  await second.unload("z");
  for (const name of ["m", "z"]) await second.load(name);
  expect(await askedAll(kit, asked)).toEqual(everywhere("a", "m", "z"));
  await second.stopAll();

  const third = manage(all(), { kit }).manager;
  await third.startAll();
  expect(await askedAll(kit, asked)).toEqual(everywhere("a", "m", "z"));
});
