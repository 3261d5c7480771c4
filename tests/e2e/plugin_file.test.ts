/** A plugin of somebody else, in TypeScript, loaded by the executable alone. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

const APP = { id: "app", secret: "s3cret" };
const SHOUT = `
import { loud } from "./lib/loud.ts";
interface Message { payload: Uint8Array; with(change: { payload: Uint8Array }): Message }
export default {
  name: "shout",
  description: "Says it louder",
  version: "v0.0.1",
  activeByDefault: true,
  config: { "shout.mark": { type: "text", default: "!" } },
  liveKeys: ["shout.mark"],
  start(ctx: any): void {
    const shout = (m: Message): Message =>
      m.with({ payload: Buffer.from(loud(Buffer.from(m.payload).toString()) + ctx.config["shout.mark"]) });
    ctx.hook("message.publish", shout, { prefix: "shout/" });
  },
};`;

let baomq: Installation;
let broker: RunningBroker;
const dir = (): string => join(baomq.dir, "plugins");

beforeAll(async () => {
  baomq = new Installation();
  mkdirSync(join(dir(), "lib"), { recursive: true });
  writeFileSync(join(dir(), "shout.ts"), SHOUT);
  writeFileSync(join(dir(), "shout.conf"), "shout.mark = ?\n");
  writeFileSync(join(dir(), "lib", "loud.ts"), "export const loud = (s: string): string => s.toUpperCase();");
  writeFileSync(join(dir(), "broken.ts"), "export default { name: 'broken' start }");
  broker = await baomq.start({
    set: {
      "plugins.expand_plugins_dir": dir(),
      "management.default_application.id": APP.id,
      "management.default_application.secret": APP.secret,
    },
  });
});
afterAll(() => baomq.remove());

async function ask(method: string, path: string, body?: unknown): Promise<{ code: number; message?: string; data?: unknown }> {
  const response = await fetch(`http://127.0.0.1:${broker.ports.api}/api/v3${path}`, {
    method,
    headers: { authorization: `Basic ${btoa(`${APP.id}:${APP.secret}`)}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as never;
}

test("it runs, is configured, reloaded from its changed files and unloaded; a broken one is listed with its fault", async () => {
  const client = await RawClient.connected(broker.ports.tcp, "listener", 4);
  await client.subscribe("shout/#", 0);
  const said = async (): Promise<string> => {
    client.publish("shout/x", "hello", 0);
    return (await client.next("publish")).payload.toString();
  };
  expect(await said()).toBe("HELLO?");
  expect(await ask("PUT", "/configs/shout", { key: "shout.mark", value: "#" })).toEqual({ code: 0 });
  expect(await said()).toBe("HELLO#");
  writeFileSync(join(dir(), "lib", "loud.ts"), "export const loud = (s: string): string => s + s;");
  expect(await ask("PUT", "/nodes/emqx@127.0.0.1/plugins/shout/reload")).toEqual({ code: 0 });
  expect(await said()).toBe("hellohello#");
  expect(await ask("PUT", "/nodes/emqx@127.0.0.1/plugins/shout/unload")).toEqual({ code: 0 });
  expect(await said()).toBe("hello");

  const { data } = await ask("GET", "/nodes/emqx@127.0.0.1/plugins");
  const row = (name: string) => (data as { name: string }[]).find((p) => p.name === name);
  expect(row("shout")).toMatchObject({ active: false, version: "v0.0.1", description: "Says it louder" });
  expect(row("broken")).toMatchObject({ active: false, error: expect.stringContaining("line 1") });
  expect(broker.log).toContain("broken.ts");
  client.drop();
});

test("a value made through the API that its file does not know any more at a start: told, with the alarm, until it is in force again", async () => {
  expect(await ask("PUT", "/nodes/emqx@127.0.0.1/plugins/shout/load")).toEqual({ code: 0 });
  expect(await ask("PUT", "/configs/shout", { key: "shout.mark", value: "#" })).toEqual({ code: 0 });
  expect(await broker.stop()).toBe(0);
  writeFileSync(join(dir(), "shout.ts"), SHOUT.replace('{ type: "text", default: "!" }', '{ type: "integer", default: 5 }'));
  writeFileSync(join(dir(), "shout.conf"), "");
  broker = await broker.restart();
  const why = "shout.mark = #: expected a whole number";
  const line = broker.log.split("\n").find((l) => l.includes("key=shout.mark ")) ?? "";
  expect(line).toContain("[error] a setting made through the API is not used; what lies below it is in force");
  expect(line).toContain(why);
  expect(broker.log).not.toContain("settings of plugins that are not here are kept");
  const alarms = async (): Promise<string> => JSON.stringify(await ask("GET", "/alarms/present"));
  expect(await alarms()).toContain("settings_set_aside");
  expect(await alarms()).toContain(why);
  writeFileSync(join(dir(), "shout.ts"), SHOUT);
  expect(await ask("PUT", "/nodes/emqx@127.0.0.1/plugins/shout/reload")).toEqual({ code: 0 });
  expect(await alarms()).not.toContain("settings_set_aside");
  expect(await ask("GET", "/nodes/emqx@127.0.0.1/configs/")).toMatchObject({
    data: expect.arrayContaining([expect.objectContaining({ key: "shout.mark", value: "#" })]),
  });
});
