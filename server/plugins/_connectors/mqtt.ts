/** A bridge to another MQTT broker. */
import { randomBytes } from "node:crypto";
import { whyNoString } from "../../mqtt/utf8.ts";
import { shownAddress } from "../_backend/address.ts";
import type { Advice, SettingKeys } from "../_backend/advice.ts";
import { compileRowTemplate } from "../_backend/row_template.ts";
import { actionKind, asWritten, resourceKind, type Writing } from "./connector.ts";
import { blamesMessage, judgeMqtt, MqttDriver, type Publication, whyNoTopic } from "./mqtt_driver.ts";
import * as P from "./params.ts";
import { compileFields, compilePayload, fieldsParam, PAYLOAD, shownPayload } from "./payload.ts";

const KEYS: SettingKeys = {
  server: "address",
  kind: "proto_ver",
  timeout: "timeout",
  pool: "pool_size",
  account: "username, password",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

const ADVICE: readonly Advice[] = [
  // It says itself where to look.
  { words: /^(?:forward_topic: |user_properties\.)/, says: "no packet can have it", see: [] },
  {
    words: /Connection refused: (?:Bad (?:username|User Name)|Not authorized)/i,
    says: "account and password are not taken",
    see: ["account"],
  },
  { words: /Connection refused: (?:Unacceptable|Unsupported) /i, says: "it does not speak this version of MQTT", see: ["kind"] },
  { words: /Connection refused: (?:Identifier|Client Identifier)/i, says: "it does not take the client id", see: ["account"] },
  { words: /Publish error: Not authorized/i, says: "the account may not publish that", see: ["account", "question"] },
  { words: /Publish error/i, says: "it does not take the message", see: ["question"] },
  { words: /before it has answered|connack timeout/i, says: "what is there is no MQTT broker, or it speaks TLS", see: ["server", "tls"] },
];

const RESOURCE = resourceKind({
  name: "bridge_mqtt",
  title: "MQTT Bridge",
  description: "Another MQTT broker",
  params: {
    address: P.text("127.0.0.1:1883", "Broker Address", "Its host and port."),
    clientid: P.text(
      "",
      "Client Id",
      "Under which the broker knows us; empty = one is made up. Further connections have a number behind it.",
    ),
    username: P.text("", "User Name", "Account at the broker."),
    password: P.secret("Password", "Its password."),
    proto_ver: P.choice(["mqttv4", "mqttv5"], "mqttv5", "Protocol Version", "mqttv4 = MQTT 3.1.1, which has no user properties."),
    keepalive: P.number(60, [1, 65_535], "Keep Alive", "In seconds."),
    max_inflight: P.number(32, [1, 65_535], "Max Inflight", "Messages that wait for their acknowledgement on one connection at most."),
    ...P.poolParam(1),
    ...P.TIMEOUT,
    ...P.TLS,
  },
  keys: KEYS,
  advice: ADVICE,
  judge: judgeMqtt,
  open(c, _host, trying) {
    const address = P.serverIn("address", c.address, c.ssl ? 8883 : 1883);
    const clientId = c.clientid === "" ? `baomq_${randomBytes(6).toString("hex")}` : c.clientid;
    const [tls, timeoutMs, pool] = [P.tlsIn(c), 1000 * c.timeout, c.pool_size];
    const server = {
      address,
      // The broker would close the one that has it now.
      clientId: trying ? `${clientId}_test` : clientId,
      username: c.username,
      password: c.password,
      version: c.proto_ver === "mqttv5" ? (5 as const) : (4 as const),
      keepaliveSeconds: c.keepalive,
      inflight: c.max_inflight,
      pool,
      timeoutMs,
      tls,
    };
    return {
      what: `MQTT broker at ${shownAddress(address)}`,
      open: () => MqttDriver.open(server),
      close: (driver: MqttDriver) => driver.close(),
      lost: (driver: MqttDriver) => driver.lost(),
      probe: (driver: MqttDriver) => driver.probe(),
      pool,
      timeoutMs,
      retries: pool + 1,
    };
  },
});

const ACTION = actionKind(["bridge_mqtt"], {
  name: "data_to_mqtt_broker",
  title: "Data bridge to MQTT Broker",
  description: "Publish to another MQTT broker",
  params: {
    forward_topic: P.template("${topic}", "Forward Topic", "Topic of the message; may have variables."),
    ...PAYLOAD,
    qos: P.template("1", "QoS", "0, 1, 2, or a variable."),
    retain: P.template("false", "Retain", "true, false, or a variable."),
    user_properties: fieldsParam("User Properties", "Name and value of each; values may have variables. MQTT 5."),
  },
  open: (p) => mqttWriting(p.forward_topic, p.payload_tmpl, p.qos, p.retain, p.user_properties),
});

function mqttWriting(
  topic: string,
  payload: string,
  qos: string,
  retain: string,
  properties: Readonly<Record<string, unknown>>,
): Writing<MqttDriver, Publication> {
  const [topicOf, payloadOf, qosOf, retainOf] = [
    compileRowTemplate(topic),
    compilePayload(payload),
    compileRowTemplate(qos),
    compileRowTemplate(retain),
  ];
  for (const name of Object.keys(properties)) checkName(name);
  const propertiesOf = compileFields("user_properties", properties);
  if (qosOf.constant) readQos(qos);
  if (retainOf.constant) readFlag(retain);
  if (topicOf.constant) checkTopic(topic);
  return {
    make(row) {
      const name = topicOf.strict(row);
      if (name === null) throw new Error("forward_topic: a variable in it is not there");
      checkTopic(name);
      return {
        topic: name,
        payload: payloadOf(row),
        qos: readQos(qosOf.strict(row) ?? "0"),
        retain: readFlag(retainOf.strict(row) ?? "false"),
        userProperties: propertiesOf(row),
      };
    },
    shown: ({ topic, payload }) => `${topic} ${shownPayload(payload)}`,
    write: (driver, items, { wanted }) => asWritten("forward_topic", driver.publish(items, wanted)),
    blames: blamesMessage,
  };
}

function checkTopic(topic: string): void {
  const why = whyNoTopic(topic);
  if (why !== null) throw new Error(why);
}

/** Of every row; values are looked at where they are sent. */
function checkName(name: string): void {
  const why = whyNoString(name);
  if (why !== null) throw new Error(`user_properties: the name ${JSON.stringify(name.slice(0, 64))} ${why}`);
}

function readQos(text: string): 0 | 1 | 2 {
  const qos = Number(text);
  if (text.trim() === "" || (qos !== 0 && qos !== 1 && qos !== 2))
    throw new Error(`qos: expected 0, 1 or 2, found ${JSON.stringify(text.slice(0, 40))}`);
  return qos;
}

function readFlag(text: string): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new Error(`retain: expected true or false, found ${JSON.stringify(text.slice(0, 40))}`);
}

export const MQTT = { resources: [RESOURCE], actions: [ACTION] };
