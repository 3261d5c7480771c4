import { describe, expect, test } from "bun:test";
import { Metrics } from "../../../../server/core/watch/metrics.ts";

/** The names of the API document, sorted. */
const DOCUMENTED = `bytes/received bytes/sent messages/dropped messages/expired messages/forward messages/qos0/received
messages/qos0/sent messages/qos1/received messages/qos1/sent messages/qos2/dropped messages/qos2/expired messages/qos2/received
messages/qos2/sent messages/received messages/retained messages/sent packets/auth packets/connack packets/connect
packets/disconnect/received packets/disconnect/sent packets/pingreq packets/pingresp packets/puback/missed packets/puback/received
packets/puback/sent packets/pubcomp/missed packets/pubcomp/received packets/pubcomp/sent packets/publish/received
packets/publish/sent packets/pubrec/missed packets/pubrec/received packets/pubrec/sent packets/pubrel/missed
packets/pubrel/received packets/pubrel/sent packets/received packets/sent packets/suback packets/subscribe packets/unsuback
packets/unsubscribe`.split(/\s+/);

describe("the 43 metrics of EMQ X 3.1", () => {
  test("are exactly those of the document", () => {
    const m = new Metrics();
    expect([...m.names].sort()).toEqual(DOCUMENTED);
    expect(m.names).toHaveLength(43);
    expect(Object.keys(m.all())).toEqual([...m.names]);
    expect(Object.values(m.all()).every((v) => v === 0)).toBe(true);
  });

  test("are sums where they are sums (the figures of the document's example)", () => {
    const m = new Metrics();
    m.connect = 5;
    m.connack = 5;
    m.qos0Received = 2;
    m.qos0Sent = 4;
    m.subscribe = 4;
    m.suback = 4;
    expect(m.get("packets/received")).toBe(11);
    expect(m.get("packets/sent")).toBe(13);
    expect(m.get("packets/publish/received")).toBe(2);
    expect(m.get("messages/received")).toBe(2);
    expect(m.get("messages/sent")).toBe(4);
  });

  test("every packet counts once in packets/received or packets/sent", () => {
    const inward = [
      "connect",
      "qos0Received",
      "qos1Received",
      "qos2Received",
      "pubackReceived",
      "pubrecReceived",
      "pubrelReceived",
      "pubcompReceived",
      "subscribe",
      "unsubscribe",
      "pingreq",
      "disconnectReceived",
      "authReceived",
    ] as const;
    const outward = [
      "connack",
      "qos0Sent",
      "qos1Sent",
      "qos2Sent",
      "pubackSent",
      "pubrecSent",
      "pubrelSent",
      "pubcompSent",
      "suback",
      "unsuback",
      "pingresp",
      "disconnectSent",
      "authSent",
    ] as const;
    const m = new Metrics();
    for (const [i, f] of inward.entries()) {
      m[f]++;
      expect(m.get("packets/received")).toBe(i + 1);
    }
    for (const [i, f] of outward.entries()) {
      m[f]++;
      expect(m.get("packets/sent")).toBe(i + 1);
    }
    expect(m.get("packets/auth")).toBe(2);
  });

  test("a PUBLISH under $SYS is in no sum", () => {
    const m = new Metrics();
    m.sysSent = 7;
    expect(m.get("packets/sent")).toBe(0);
    expect(m.get("messages/sent")).toBe(0);
    expect(m.get("packets/publish/sys_sent")).toBe(7);
  });

  test("retained is read from its provider", () => {
    const m = new Metrics();
    let n = 3;
    m.setRetained(() => n);
    expect(m.get("messages/retained")).toBe(3);
    n = 4;
    expect(m.all()["messages/retained"]).toBe(4);
  });
});

describe("our own", () => {
  test("share no name with the 43", () => {
    const m = new Metrics();
    const own = Object.keys(m.extra());
    expect(own.filter((n) => m.names.includes(n))).toEqual([]);
    expect(new Set(own).size).toBe(own.length);
    m.dropQueueFull = 2;
    expect(m.extra()["delivery/dropped/queue_full"]).toBe(2);
  });

  test("plugins count under their own names", () => {
    const m = new Metrics();
    expect(m.get("delayed/published")).toBeUndefined();
    m.count("delayed/published");
    m.count("delayed/published", 2);
    expect(m.get("delayed/published")).toBe(3);
    expect(m.extra()["delayed/published"]).toBe(3);
    expect(m.names).toHaveLength(43);
  });
});
