/** What functions say of the event itself. The names of 3.1's columns and of 4.x's are both known. */
import { topicMatches } from "../../../../mqtt/topic.ts";
import { ArgumentError } from "../errors.ts";
import { follow, member } from "../paths.ts";
import { type Columns, isEqual, isMap, type Value } from "../values.ts";
import { array, Table, text, whole } from "./table.ts";

/** The first of these columns that the event has. */
function column(...names: readonly string[]): (event: Columns) => Value {
  return (event) => {
    for (const name of names) {
      const value = event.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

const topicOf = column("topic");
const flagsOf = column("flags");
const headersOf = column("headers");
const hostOf = column("peerhost", "ipaddress");
const ADDRESS = ["peerhost", "ipaddress", "peername"];

/** "10.0.0.1:5000", "[::1]:5000" -> the address. */
function host(event: Columns): Value {
  const known = hostOf(event);
  if (known !== undefined) return known;
  const peer = event.get("peername");
  return typeof peer === "string" ? peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1") : undefined;
}

function level(event: Columns, n: Value): Value {
  const topic = topicOf(event);
  if (n === undefined || typeof topic !== "string") return topic;
  const i = whole(n);
  return i < 1 ? undefined : topic.split("/")[i - 1];
}

/** A table of named things, or one of them. */
const entry =
  (of: (event: Columns) => Value) =>
  (event: Columns, name: Value): Value => {
    const all = of(event);
    return name === undefined ? all : member(all, text(name));
  };

function payload(event: Columns, path: Value): Value {
  if (path === undefined) return event.get("payload");
  return follow(event.json(), text(path).split("."));
}

/** Filters as texts, or as maps with `topic` and `qos`, as in the columns of subscribe events. */
function contains(matches: (filter: string, topic: string) => boolean): (filters: Value, topic: Value, qos: Value) => boolean {
  return (filters, topic, qos) => {
    const name = text(topic);
    return array(filters).some((f) => {
      const filter = isMap(f) ? member(f, "topic") : f;
      if (typeof filter !== "string") throw new ArgumentError("an array of topic filters", filters);
      return matches(filter, name) && (qos === undefined || isEqual(member(f, "qos"), qos));
    });
  };
}

const FILTERS = `json_decode('[{"topic":"t/#","qos":1}]')`;

export const event = new Table("event")
  .event("msgid", "", "Identifier of the message.", "msgid()", "0005A1B2", ["id"], column("id"))
  .event("qos", "", "QoS of the message.", "qos()", 1, ["qos"], column("qos"))
  .event("topic", "[n]", "Topic of the message, or its nth level (1 = the first).", "topic(2)", "7", ["topic"], level)
  .event("flags", "[name]", "Flags of the message, or one of them.", "flags()", { retain: false, dup: false }, ["flags"], entry(flagsOf))
  .event("flag", "name", "One flag of the message.", "flag('retain')", false, ["flags"], entry(flagsOf))
  .event("headers", "[name]", "Headers of the message, or one of them.", "headers('username')", "joe", ["headers"], entry(headersOf))
  .event("header", "name", "One header of the message.", "header('username')", "joe", ["headers"], entry(headersOf))
  .event("clientid", "", "Client identifier.", "clientid()", "c1", ["client_id", "clientid"], column("client_id", "clientid"))
  .event("username", "", "User name of the client.", "username()", "joe", ["username"], column("username"))
  .event("clientip", "", "Address of the client, without the port.", "clientip()", "10.0.0.1", ADDRESS, host)
  .event("peerhost", "", "The same.", "peerhost()", "10.0.0.1", ADDRESS, host)
  .event("peername", "", "Address and port of the client.", "peername()", "10.0.0.1:5000", ["peername"], column("peername"))
  .event("payload", "[path]", "Payload of the message, or what its JSON has at a path.", "payload('a.b')", 2, ["payload"], payload)
  .event("timestamp", "", "When the message came, Unix milliseconds.", "timestamp()", 1_700_000_000_000, ["timestamp"], column("timestamp"))
  .add(
    "contains_topic",
    "filters, topic[, qos]",
    "Is this filter among those of the event?",
    `contains_topic(${FILTERS}, 't/#', 1)`,
    true,
    contains((f, t) => f === t),
  )
  .add(
    "contains_topic_match",
    "filters, topic[, qos]",
    "Does one of the event's filters match the topic?",
    `contains_topic_match(${FILTERS}, 't/1')`,
    true,
    contains((f, t) => topicMatches(t, f)),
  )
  .add("topic_match", "topic, filter", "Does the filter match the topic? As the operator =~.", "topic_match('t/1', 't/+')", true, (t, f) =>
    topicMatches(text(t), text(f)),
  );
