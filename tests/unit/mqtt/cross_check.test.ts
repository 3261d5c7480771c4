/** Our codecs against themselves and against mqtt-packet, in both directions, on generated packets. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { generate, type Packet, parser, writeToStream } from "mqtt-packet";
import { encodeAuth } from "../../../server/mqtt/packets/auth.ts";
import { encodeConnack } from "../../../server/mqtt/packets/connack.ts";
import { encodeDisconnect } from "../../../server/mqtt/packets/disconnect.ts";
import { encodePublish } from "../../../server/mqtt/packets/publish.ts";
import { encodeSuback } from "../../../server/mqtt/packets/suback.ts";
import { encodeUnsuback } from "../../../server/mqtt/packets/unsuback.ts";
import type { ProtocolVersion, PublishProperties, QoS } from "../../../server/mqtt/types.ts";
import { decode } from "../../packets/decode.ts";
import type { PublishValue } from "../../packets/publish.ts";

writeToStream.cacheNumbers = false;

type Sample<A> = A extends fc.Arbitrary<infer T> ? T : never;

/** The one packet in `bytes` as mqtt-packet sees it. */
function theirs(bytes: Uint8Array, version: ProtocolVersion): Record<string, unknown> {
  const found: unknown[] = [];
  const p = parser({ protocolVersion: version });
  p.on("packet", (packet) => found.push(packet));
  p.on("error", (error) => found.push(error));
  p.parse(Buffer.from(bytes));
  expect(found.length).toBe(1);
  return found[0] as Record<string, unknown>;
}

const version = fc.constantFrom<ProtocolVersion>(3, 4, 5);
const packetId = fc.integer({ min: 1, max: 65_535 });
const qos = fc.constantFrom<QoS>(0, 1, 2);
const text = fc.string({ unit: fc.constantFrom("a", "Z", "/", "é", "温", "🚀", " "), minLength: 1, maxLength: 12 });
const binary = fc.uint8Array({ maxLength: 300 });
const u16 = fc.integer({ min: 1, max: 0xffff });
const u32 = fc.integer({ min: 1, max: 0xffffffff });
/** mqtt-packet keeps neither the order between keys nor a key twice in a row of others: one pair here, more in the tables. */
const onePair = fc.tuple(text, text).map((pair): [string, string][] => [pair]);

function optional<T extends Record<string, fc.Arbitrary<unknown>>>(fields: T) {
  return fc.record(fields, { requiredKeys: [], noNullPrototype: true });
}

const messageProperties = optional({
  payloadFormat: fc.constantFrom(0, 1),
  responseTopic: text,
  correlationData: binary,
  contentType: text,
  userProperties: onePair,
}) as fc.Arbitrary<PublishProperties>;

/** mqtt-packet's names and shapes for PUBLISH properties. */
function theirProperties(p: PublishProperties): Record<string, unknown> {
  return {
    ...(p.payloadFormat === undefined ? {} : { payloadFormatIndicator: p.payloadFormat === 1 }),
    ...(p.messageExpiry === undefined ? {} : { messageExpiryInterval: p.messageExpiry }),
    ...(p.topicAlias === undefined ? {} : { topicAlias: p.topicAlias }),
    ...(p.responseTopic === undefined ? {} : { responseTopic: p.responseTopic }),
    ...(p.correlationData === undefined ? {} : { correlationData: Buffer.from(p.correlationData) }),
    ...(p.contentType === undefined ? {} : { contentType: p.contentType }),
    ...(p.userProperties === undefined ? {} : { userProperties: Object.fromEntries(p.userProperties) }),
  };
}

describe("PUBLISH", () => {
  const model = fc.record({
    version,
    topic: text,
    payload: binary,
    qos,
    retain: fc.boolean(),
    dup: fc.boolean(),
    packetId,
    properties: messageProperties,
    messageExpiry: fc.oneof(fc.constant(-1), u32),
    alias: fc.oneof(fc.constant(0), u16),
  });

  function expected(m: Sample<typeof model>): PublishValue {
    const own: PublishProperties = { ...m.properties };
    if (m.messageExpiry >= 0) own.messageExpiry = m.messageExpiry;
    if (m.alias > 0) own.topicAlias = m.alias;
    return {
      topic: m.topic,
      payload: m.payload,
      qos: m.qos,
      retain: m.retain,
      dup: m.dup && m.qos > 0,
      packetId: m.qos === 0 ? 0 : m.packetId,
      properties: m.version === 5 ? own : {},
    };
  }

  function ours(m: Sample<typeof model>): Uint8Array {
    return encodePublish(m.version, m, { ...m, dup: m.dup && m.qos > 0, subIds: null, sendTopic: true });
  }

  test("what we encode we decode", () => {
    fc.assert(fc.property(model, (m) => expect(decode(ours(m), m.version)).toEqual(expected(m))));
  });

  test("what we encode mqtt-packet decodes", () => {
    fc.assert(
      fc.property(model, (m) => {
        const want = expected(m);
        const got = theirs(ours(m), m.version);
        expect(got).toMatchObject({ cmd: "publish", topic: want.topic, qos: want.qos, retain: want.retain, dup: want.dup });
        expect(got.payload).toEqual(Buffer.from(want.payload));
        if (m.qos > 0) expect(got.messageId).toBe(m.packetId);
        if (m.version === 5) expect({ ...(got.properties as object) }).toEqual(theirProperties(want.properties));
      }),
    );
  });

  test("what mqtt-packet encodes we decode", () => {
    fc.assert(
      fc.property(model, (m) => {
        const want = expected(m);
        const { topic, retain, dup, properties } = want;
        const bytes = generate(
          {
            cmd: "publish",
            topic,
            retain,
            dup,
            qos: m.qos,
            messageId: m.packetId,
            payload: Buffer.from(m.payload),
            ...(m.version === 5 ? { properties: theirProperties(properties) } : {}),
          },
          { protocolVersion: m.version },
        );
        expect(decode(bytes, m.version)).toEqual(want);
      }),
    );
  });
});

describe("what mqtt-packet encodes we decode", () => {
  const will = fc.record({ topic: text, payload: binary, qos, retain: fc.boolean(), delay: u32, properties: messageProperties });
  const connectProperties = optional({
    sessionExpiry: u32,
    receiveMaximum: u16,
    maximumPacketSize: u32,
    topicAliasMaximum: u16,
    pairs: onePair,
  }) as fc.Arbitrary<{
    sessionExpiry?: number;
    receiveMaximum?: number;
    maximumPacketSize?: number;
    topicAliasMaximum?: number;
    pairs?: [string, string][];
  }>;

  test("CONNECT", () => {
    const model = fc.record({
      version,
      bridge: fc.boolean(),
      clean: fc.boolean(),
      keepalive: fc.nat(65_535),
      clientId: text,
      username: fc.option(text),
      password: fc.option(binary),
      will: fc.option(will),
      p: connectProperties,
    });
    fc.assert(
      fc.property(model, (m) => {
        const five = m.version === 5;
        const isBridge = m.bridge && !five;
        const password = m.username === null ? null : m.password;
        const { sessionExpiry, receiveMaximum, maximumPacketSize, topicAliasMaximum, pairs } = m.p;
        const connect = {
          cmd: "connect",
          protocolId: m.version === 3 ? "MQIsdp" : "MQTT",
          protocolVersion: m.version,
          bridgeMode: isBridge,
          clean: m.clean,
          keepalive: m.keepalive,
          clientId: m.clientId,
          ...(m.username === null ? {} : { username: m.username }),
          ...(password === null ? {} : { password: Buffer.from(password) }),
          ...(m.will === null
            ? {}
            : {
                will: {
                  topic: m.will.topic,
                  payload: Buffer.from(m.will.payload),
                  qos: m.will.qos,
                  retain: m.will.retain,
                  ...(five
                    ? { properties: { willDelayInterval: m.will.delay, ...theirProperties({ ...m.will.properties, payloadFormat: 0 }) } }
                    : {}),
                },
              }),
          ...(five
            ? {
                properties: {
                  ...(sessionExpiry === undefined ? {} : { sessionExpiryInterval: sessionExpiry }),
                  ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
                  ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
                  ...(topicAliasMaximum === undefined ? {} : { topicAliasMaximum }),
                  ...(pairs === undefined ? {} : { userProperties: Object.fromEntries(pairs) }),
                },
              }
            : {}),
        };
        const got = decode(generate(connect as Packet, { protocolVersion: m.version }), m.version);
        expect(got).toEqual({
          protocolName: connect.protocolId,
          version: m.version,
          isBridge,
          cleanStart: m.clean,
          keepalive: m.keepalive,
          clientId: m.clientId,
          username: m.username,
          password,
          will:
            m.will &&
            (five ? { ...m.will, properties: { ...m.will.properties, payloadFormat: 0 } } : { ...m.will, delay: 0, properties: null }),
          sessionExpiry: (five && sessionExpiry) || 0,
          receiveMaximum: (five && receiveMaximum) || 0,
          maximumPacketSize: (five && maximumPacketSize) || 0,
          topicAliasMaximum: (five && topicAliasMaximum) || 0,
          requestResponseInfo: false,
          requestProblemInfo: true,
          userProperties: (five && pairs) || null,
          authMethod: null,
          authData: null,
        });
      }),
    );
  });

  test("SUBSCRIBE", () => {
    const rh = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
    const request = fc.record({ filter: text, qos, nl: fc.boolean(), rap: fc.boolean(), rh });
    const model = fc.record({ version, packetId, id: fc.nat(268_435_455), requests: fc.array(request, { minLength: 1, maxLength: 5 }) });
    fc.assert(
      fc.property(model, (m) => {
        const five = m.version === 5;
        const requests = five ? m.requests : m.requests.map((r) => ({ ...r, nl: false, rap: false, rh: 0 }));
        const subscriptions = requests.map(({ filter, ...options }) => ({ topic: filter, ...options }));
        const properties = five && m.id > 0 ? { properties: { subscriptionIdentifier: m.id } } : {};
        const packet = { cmd: "subscribe", messageId: m.packetId, subscriptions, ...properties };
        expect(decode(generate(packet as Packet, { protocolVersion: m.version }), m.version)).toEqual({
          packetId: m.packetId,
          subscriptionId: five ? m.id : 0,
          userProperties: null,
          requests,
        });
      }),
    );
  });

  test("UNSUBSCRIBE", () => {
    const model = fc.record({ version, packetId, filters: fc.array(text, { minLength: 1, maxLength: 5 }) });
    fc.assert(
      fc.property(model, ({ version, packetId, filters }) => {
        const bytes = generate({ cmd: "unsubscribe", messageId: packetId, unsubscriptions: filters }, { protocolVersion: version });
        expect(decode(bytes, version)).toEqual({ packetId, userProperties: null, filters });
      }),
    );
  });

  test("DISCONNECT and AUTH", () => {
    fc.assert(
      fc.property(u32, text, binary, onePair, (sessionExpiry, s, data, pairs) => {
        const userProperties = Object.fromEntries(pairs);
        const five = { protocolVersion: 5 };
        const off = {
          cmd: "disconnect",
          reasonCode: 4,
          properties: { sessionExpiryInterval: sessionExpiry, reasonString: s, userProperties },
        };
        expect(decode(generate(off as Packet, five), 5)).toEqual({ code: 4, sessionExpiry, reasonString: s, userProperties: pairs });
        const properties = { authenticationMethod: s, authenticationData: Buffer.from(data), userProperties };
        const auth = generate({ cmd: "auth", reasonCode: 0x18, properties } as Packet, five);
        expect(decode(auth, 5)).toEqual({ code: 0x18, method: s, data, userProperties: pairs });
      }),
    );
  });

  test("acknowledgements", () => {
    const cmd = fc.constantFrom("puback", "pubrec", "pubrel", "pubcomp");
    fc.assert(
      fc.property(cmd, version, packetId, (cmd, version, messageId) => {
        const bytes = generate({ cmd, messageId, reasonCode: 0 } as Packet, { protocolVersion: version });
        expect(decode(bytes, version)).toEqual({ packetId: messageId, code: 0 });
      }),
    );
  });
});

describe("what we encode mqtt-packet decodes", () => {
  test("CONNACK", () => {
    const props = optional({
      sessionExpiry: u32,
      receiveMaximum: u16,
      maximumQos: fc.constantFrom<0 | 1>(0, 1),
      retainAvailable: fc.boolean(),
      maximumPacketSize: u32,
      assignedClientId: text,
      topicAliasMaximum: u16,
      reasonString: text,
      userProperties: onePair,
      wildcardSubscription: fc.boolean(),
      subscriptionIds: fc.boolean(),
      sharedSubscription: fc.boolean(),
      serverKeepalive: u16,
      responseInfo: text,
      serverReference: text,
      authMethod: text,
      authData: binary,
    });
    const names: Record<string, string> = {
      sessionExpiry: "sessionExpiryInterval",
      assignedClientId: "assignedClientIdentifier",
      wildcardSubscription: "wildcardSubscriptionAvailable",
      subscriptionIds: "subscriptionIdentifiersAvailable",
      sharedSubscription: "sharedSubscriptionAvailable",
      serverKeepalive: "serverKeepAlive",
      responseInfo: "responseInformation",
      authMethod: "authenticationMethod",
      authData: "authenticationData",
      maximumQos: "maximumQoS",
    };
    fc.assert(
      fc.property(props, fc.boolean(), (p, sessionPresent) => {
        const got = theirs(encodeConnack(5, sessionPresent, 0, p), 5);
        expect(got).toMatchObject({ cmd: "connack", sessionPresent, reasonCode: 0 });
        const want = Object.entries(p).map(([name, value]) => {
          if (name === "userProperties") return [name, Object.fromEntries(value as [string, string][])];
          return [names[name] ?? name, value instanceof Uint8Array ? Buffer.from(value) : value];
        });
        expect({ ...(got.properties as object) }).toEqual(Object.fromEntries(want));
      }),
    );
  });

  test("SUBACK, UNSUBACK", () => {
    fc.assert(
      fc.property(
        version,
        packetId,
        fc.array(fc.constantFrom(0, 1, 2, 0x80), { minLength: 1, maxLength: 300 }),
        (version, messageId, granted) => {
          expect(theirs(encodeSuback(version, messageId, granted), version)).toMatchObject({ cmd: "suback", messageId, granted });
          const codes = granted.map((c) => (c === 0 ? 0 : 0x11));
          const got = theirs(encodeUnsuback(version, messageId, codes), version);
          expect(got).toMatchObject({ cmd: "unsuback", messageId });
          if (version === 5) expect(got.granted).toEqual(codes);
        },
      ),
    );
  });

  test("DISCONNECT, AUTH", () => {
    fc.assert(
      fc.property(text, text, binary, (reasonString, method, data) => {
        expect(theirs(encodeDisconnect(5, 0x8b, { reasonString }), 5)).toMatchObject({ reasonCode: 0x8b, properties: { reasonString } });
        const auth = theirs(encodeAuth(0x18, method, data, reasonString), 5);
        const properties = { authenticationMethod: method, authenticationData: Buffer.from(data), reasonString };
        expect(auth).toMatchObject({ cmd: "auth", reasonCode: 0x18, properties });
      }),
    );
  });
});

describe("random bytes", () => {
  test("no decoder throws, none looks behind the end", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.uint8Array({ maxLength: 60 }), version, (first, body, version) => {
        const bytes = Uint8Array.from([first, body.length, ...body]);
        const alone = decode(bytes, version);
        expect(alone).not.toBeNull();
        expect(alone).not.toBeUndefined();
      }),
      { numRuns: 10_000 },
    );
  });
});
