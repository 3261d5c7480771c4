/** What the README says to type for rules and the web hook, typed into the executable: only the service's port is another one. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { blocksOf, typeInto } from "../support/readme.ts";
import { WebService } from "../support/web_service.ts";

let baomq: Installation;
let broker: RunningBroker;
beforeAll(async () => {
  baomq = new Installation();
  mkdirSync(join(baomq.dir, "etc/plugins"), { recursive: true });
  broker = await baomq.start();
});
afterAll(async () => {
  expect(await broker.stop()).toBe(0);
  await baomq.remove();
});

const linesOf = (text: string): string[] => text.trimEnd().split("\n");
const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });

test("rules: one is tried and made, and does what it is for", async () => {
  const blocks = blocksOf("Rules");
  expect(blocks).toHaveLength(1);
  const reader = await RawClient.connected(broker.ports.tcp, "reader");
  await reader.subscribe("alarm/#");
  const said = linesOf(await typeInto(baomq, blocks[0] as string));
  expect(said).toEqual([
    '{"t":31,"clientid":"c_emqx"}',
    expect.stringMatching(/^Rule hot:\d+ created$/),
    "ok",
    expect.stringMatching(/^rule\(id='hot:\d+', name='hot', for='message\.publish', .*republish_action/),
  ]);
  const heard = async (): Promise<string[]> => {
    const { topic, payload } = await reader.next("publish");
    return [topic, String(payload)];
  };
  expect(await heard()).toEqual(["alarm/ctl", "31 degrees"]);
  const speaker = await RawClient.connected(broker.ports.tcp, "s1");
  for (const temp of [30, 32]) speaker.publish("sensor/2", JSON.stringify({ temp }));
  expect(await heard()).toEqual(["alarm/s1", "32 degrees"]);
  speaker.drop();
  reader.drop();
});

test("the web hook: a service is told, and what it does not take is listed, sent again, deleted", async () => {
  const blocks = blocksOf("Web hook");
  expect(blocks.map((block) => linesOf(block).length)).toEqual([3, 2, 3]);
  const [conf = "", begin = "", letters = ""] = blocks;
  // In place of the README's service, later, on its port.
  const service = new WebService();
  const here = (text: string): string => text.replaceAll("9797", String(service.port));
  writeFileSync(join(baomq.dir, "etc/plugins/emqx_web_hook.conf"), here(conf));
  const [serve = "", load = ""] = linesOf(here(begin));
  const [pidFile, printed] = [join(baomq.dir, "service.pid"), join(baomq.dir, "service.log")];
  const node = `echo $$ > ${pidFile}; exec ${Bun.which("node") ?? process.execPath} "$@" > ${printed} 2>&1`;
  const dev = await RawClient.connected(broker.ports.tcp, "before");
  try {
    await typeInto(baomq, serve, { node });
    await until(() => isListening(service.port), "the service is there");
    expect(await typeInto(baomq, load)).toContain("emqx_web_hook");
    const speaker = await RawClient.connected(broker.ports.tcp, "d1");
    speaker.publish("other/1", "no");
    speaker.publish("sensors/1", "21");
    const told = (): unknown[] => JSON.parse(`[${readFileSync(printed, "utf8").replaceAll("}{", "},{")}]`);
    await until(() => told().length >= 2, "it is told");
    expect(told()).toMatchObject([
      { action: "client_connected", client_id: "d1" },
      { action: "message_publish", from_client_id: "d1", topic: "sensors/1", payload: "21" },
    ]);
    speaker.drop();
  } finally {
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, "utf8")));
  }

  await until(async () => !(await isListening(service.port)), "it has ended");
  service.mood = { status: 422 };
  service.start();
  for (const payload of ["1", "2", "3"]) dev.publish("sensors/2", payload);
  const [list = "", resend = "", deleted = ""] = linesOf(letters);
  await until(async () => (await typeInto(baomq, list)).split("DeadLetter(").length === 4, "three dead letters");
  expect(await typeInto(baomq, list)).toMatch(
    /^DeadLetter\(3, at=\d+, tries=\d+, .*why=http 422: not now, body=\{"action":"message_publish"/,
  );
  expect(await typeInto(baomq, deleted)).toBe("Deleted 1 dead letters\n");
  service.mood = "ok";
  expect(await typeInto(baomq, resend)).toBe("Resent 2 dead letters\n");
  await until(() => service.taken.length === 2, "the other two");
  expect(service.taken).toMatchObject([{ payload: "1" }, { payload: "2" }]);
  dev.drop();
  expect((await baomq.run(["ctl", "plugins", "unload", "emqx_web_hook"])).code).toBe(0);
  await service.stop();
});
