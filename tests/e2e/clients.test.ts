/** Other people's clients against the executable: mosquitto_pub and mosquitto_sub, mqtt.js; every listener, version and QoS. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jsClient, mosquittoPub, mosquittoSub, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { MOSQUITTO_CLIENTS, needing } from "../support/peers.ts";

let baomq: Installation;
let broker: RunningBroker;
beforeAll(async () => {
  baomq = new Installation();
  broker = await baomq.start();
});
afterAll(async () => {
  const code = await broker.stop();
  await baomq.remove();
  expect(code).toBe(0);
});

const caFile = (): string => join(broker.dataDir, "certs", "cert.pem");

const mosquitto = needing(MOSQUITTO_CLIENTS, test);

describe("mosquitto_pub and mosquitto_sub", () => {
  const ways: [string, () => string[]][] = [
    ["tcp", () => ["-p", String(broker.ports.tcp)]],
    ["tls with the generated certificate", () => ["-p", String(broker.ports.tls), "--cafile", caFile()]],
    ["tls, certificate not checked", () => ["-p", String(broker.ports.tls), "--cafile", caFile(), "--insecure"]],
  ];
  for (const [name, way] of ways) {
    mosquitto(`${name}: every version and QoS`, async () => {
      for (const version of ["mqttv31", "mqttv311", "mqttv5"]) {
        const where = ["-h", "localhost", ...way(), "-V", version];
        const topic = `tools/${name.length}/${version}`;
        const sub = mosquittoSub([...where, "-q", "2", "-t", `${topic}/#`], 3);
        await sub.ready;
        for (const qos of ["0", "1", "2"]) {
          const r = await mosquittoPub([...where, "-q", qos, "-t", `${topic}/${qos}`, "-m", `m${qos}`]);
          expect(r).toMatchObject({ code: 0, stderr: "" });
        }
        expect(await sub.messages).toEqual([0, 1, 2].map((q) => `${topic}/${q}:${q}:0:m${q}`));
      }
    });
  }

  mosquitto("retained message, and its removal", async () => {
    const where = ["-h", "localhost", "-p", String(broker.ports.tcp)];
    await mosquittoPub([...where, "-r", "-q", "1", "-t", "tools/kept", "-m", "kept"]);
    const sub = mosquittoSub([...where, "-q", "1", "-t", "tools/kept"], 1);
    expect(await sub.messages).toEqual(["tools/kept:1:1:kept"]);
    await mosquittoPub([...where, "-r", "-n", "-t", "tools/kept"]);
    const none = mosquittoSub([...where, "-t", "tools/kept", "-t", "tools/end"], 1);
    await none.ready;
    await mosquittoPub([...where, "-t", "tools/end", "-m", "end"]);
    expect(await none.messages).toEqual(["tools/end:0:0:end"]);
  });

  mosquitto("will of a client that is killed", async () => {
    const where = ["-h", "localhost", "-p", String(broker.ports.tcp)];
    const sub = mosquittoSub([...where, "-q", "1", "-t", "tools/will"], 1);
    await sub.ready;
    const dying = Bun.spawn(
      // Line by line: into a pipe it would keep its words to itself.
      [
        "stdbuf",
        "-oL",
        "mosquitto_sub",
        "-d",
        ...where,
        "-t",
        "x",
        "--will-topic",
        "tools/will",
        "--will-payload",
        "gone",
        "--will-qos",
        "1",
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const reader = dying.stdout.getReader();
    // The will counts from CONNACK on. All its lines may come at once.
    let seen = "";
    while (!seen.includes("SUBACK")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the client ended before it was killed: ${seen}`);
      seen += new TextDecoder().decode(value);
    }
    dying.kill("SIGKILL");
    expect(await sub.messages).toEqual(["tools/will:1:0:gone"]);
  });

  mosquitto("a wrong name in the certificate is noticed by the client", async () => {
    const r = await mosquittoPub(["-h", "127.0.0.2", "-p", String(broker.ports.tls), "--cafile", caFile(), "-t", "x", "-m", "x"]);
    expect(r.code).not.toBe(0);
  });
});

describe("mqtt.js", () => {
  const urls: [string, () => string][] = [
    ["tcp", () => `mqtt://127.0.0.1:${broker.ports.tcp}`],
    ["tls", () => `mqtts://localhost:${broker.ports.tls}`],
    ["ws", () => `ws://127.0.0.1:${broker.ports.ws}/mqtt`],
    ["wss", () => `wss://localhost:${broker.ports.wss}/mqtt`],
  ];
  for (const [kind, url] of urls) {
    for (const protocolVersion of [3, 4, 5] as const) {
      test(`${kind}, version ${protocolVersion}: publish and subscribe with every QoS`, async () => {
        const protocolId = protocolVersion === 3 ? "MQIsdp" : "MQTT";
        const { client, received } = await jsClient(url(), { protocolVersion, protocolId, ca: readFileSync(caFile()) });
        const topic = `js/${kind}/${protocolVersion}`;
        await client.subscribeAsync(`${topic}/+`, { qos: 2 });
        for (const qos of [0, 1, 2] as const) await client.publishAsync(`${topic}/${qos}`, `payload ${qos}`, { qos });
        await until(() => received.length >= 3, "three messages");
        expect(received).toEqual([0, 1, 2].map((qos) => ({ topic: `${topic}/${qos}`, payload: `payload ${qos}`, qos, retain: false })));
        // Larger than any buffer between here and there.
        const large = "x".repeat(300_000);
        await client.publishAsync(`${topic}/large`, large, { qos: 1 });
        await until(() => received.length >= 4, "the large message");
        expect(received[3]?.payload === large).toBe(true);
        await client.endAsync();
      });
    }
  }

  test("MQTT 5: properties arrive, request and response", async () => {
    const { client: asker } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`, { protocolVersion: 5 });
    const { client: answerer } = await jsClient(`ws://127.0.0.1:${broker.ports.ws}/mqtt`, { protocolVersion: 5 });
    const answers: string[] = [];
    answerer.on("message", (_, payload, p) => {
      const { responseTopic, correlationData, userProperties } = p.properties ?? {};
      expect(userProperties).toEqual({ unit: "°C" });
      answerer.publish(responseTopic ?? "", payload, { properties: { correlationData: correlationData as Buffer } });
    });
    asker.on("message", (_, payload, p) => void answers.push(`${payload}/${p.properties?.correlationData}`));
    await answerer.subscribeAsync("js/question");
    await asker.subscribeAsync("js/answer");
    const properties = { responseTopic: "js/answer", correlationData: Buffer.from("c1"), userProperties: { unit: "°C" } };
    await asker.publishAsync("js/question", "21", { qos: 1, properties });
    await until(() => answers.length > 0, "the answer");
    expect(answers).toEqual(["21/c1"]);
    await Promise.all([asker.endAsync(), answerer.endAsync()]);
  });

  test("will of a connection that breaks", async () => {
    const { client: watcher, received } = await jsClient(`mqtt://127.0.0.1:${broker.ports.tcp}`);
    await watcher.subscribeAsync("js/will", { qos: 1 });
    const will = { topic: "js/will", payload: Buffer.from("gone"), qos: 1 as const, retain: false };
    const { client } = await jsClient(`ws://127.0.0.1:${broker.ports.ws}/mqtt`, { will });
    client.stream.destroy();
    await until(() => received.length > 0, "the will");
    expect(received).toEqual([{ topic: "js/will", payload: "gone", qos: 1, retain: false }]);
    await watcher.endAsync();
    client.end(true);
  });

  test("one client on every kind of listener, all hear each other", async () => {
    const clients = await Promise.all(urls.map(([, url]) => jsClient(url(), { ca: readFileSync(caFile()) })));
    await Promise.all(clients.map(({ client }) => client.subscribeAsync("js/all", { qos: 1 })));
    await Promise.all(clients.map(({ client }, i) => client.publishAsync("js/all", String(i), { qos: 1 })));
    await until(() => clients.every(({ received }) => received.length === urls.length), "every message at every client");
    for (const { received } of clients) expect(received.map((m) => m.payload).sort()).toEqual(["0", "1", "2", "3"]);
    await Promise.all(clients.map(({ client }) => client.endAsync()));
  });
});
