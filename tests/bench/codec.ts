/** The wire codecs alone: packets per second, in place, beside mqtt-packet where it does the same work. */
import mqttPacket from "mqtt-packet";
import { bodyStart, frameLength, PUBACK } from "../../server/mqtt/frame.ts";
import { readAck, writeAck } from "../../server/mqtt/packets/acks.ts";
import { decodeConnect } from "../../server/mqtt/packets/connect.ts";
import { encodePublish, PublishView, readPublish } from "../../server/mqtt/packets/publish.ts";
import { machine, median, toMarkdown } from "./table.ts";

const INNER = 1000;

/** Millions per second, median. */
function rate(runs: number, work: () => unknown): number {
  const samples: number[] = [];
  let last: unknown;
  for (let run = 0; run < runs; run++) {
    const t0 = Bun.nanoseconds();
    for (let i = 0; i < INNER; i++) last = work();
    samples.push((INNER * 1000) / (Bun.nanoseconds() - t0));
  }
  if (last === undefined) throw new Error("the work gives nothing");
  return median(samples);
}

function parse(bytes: Buffer): number {
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  let n = 0;
  parser.on("packet", () => n++);
  // One parser for many packets, as a broker would have it.
  parser.parse(bytes);
  return n;
}

export function benchCodec(quick: boolean): string {
  const runs = quick ? 200 : 2000;
  const payload = Buffer.alloc(64, 7);
  const topic = "devices/sensor-17/temperature";
  const publish = mqttPacket.generate({ cmd: "publish", topic, payload, qos: 1, messageId: 7, dup: false, retain: false });
  const connect = mqttPacket.generate({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clean: true,
    clientId: "sensor-17",
    keepalive: 60,
  });
  const ack = Uint8Array.of(0x40, 2, 0, 7);
  const out = new Uint8Array(8);
  const view = new PublishView();
  const message = { topic, payload, properties: null };
  const hundred = Buffer.concat(new Array<Buffer>(100).fill(publish));

  const header = { qos: 1, retain: false, dup: false, packetId: 7, subIds: null, messageExpiry: -1, alias: 0, sendTopic: true } as const;

  const rows: [string, number, number | null][] = [
    [
      "PUBLISH in",
      rate(runs, () => readPublish(publish, 0, bodyStart(publish, 0), frameLength(publish, 0, publish.length, 4), 4, view)),
      rate(Math.ceil(runs / 100), () => parse(hundred)) * 100,
    ],
    [
      "PUBLISH out",
      rate(runs, () => encodePublish(4, message, header)),
      rate(runs, () => mqttPacket.generate({ cmd: "publish", topic, payload, qos: 1, messageId: 7, dup: false, retain: false })),
    ],
    ["PUBACK in", rate(runs, () => readAck(ack, 2, 4, 4, PUBACK)), null],
    [
      "PUBACK out",
      rate(runs, () => writeAck(out, 0, PUBACK, 7, 0, 4)),
      rate(runs, () => mqttPacket.generate({ cmd: "puback", messageId: 7 })),
    ],
    ["CONNECT in", rate(runs, () => decodeConnect(connect, 2, connect.length)), rate(runs, () => parse(connect))],
  ];
  const show = (n: number | null): string => (n === null ? "–" : n.toFixed(n < 10 ? 2 : 1));
  return [
    `Millions of packets per second, in process. ${new Date().toISOString().slice(0, 10)}, ${machine()}.`,
    "",
    toMarkdown([["packet", "here", "mqtt-packet"], ...rows.map(([name, ours, theirs]) => [name, show(ours), show(theirs)])]),
  ].join("\n");
}
