/** The actions that the rule engine brings itself. */
import { type Lineage, Message } from "../../core/message.ts";
import type { Clock } from "../../core/ports.ts";
import { validTopicName } from "../../mqtt/topic.ts";
import type { PublishProperties, QoS, UserProperty } from "../../mqtt/types.ts";
import { whyNoString } from "../../mqtt/utf8.ts";
import { compileRowTemplate, rowJson, wholeRowJson } from "../_backend/row_template.ts";
import type { Action, ActionEvent, ActionHost, ActionKind, Kinds, Params } from "../plugin.ts";
import type { InspectedRow } from "../rules.ts";
import type { KeptLast } from "./kept.ts";
import { shownParams } from "./params.ts";

/** So many rules may have published in a row; a loop is stopped there. */
const DEPTH_MAX = 5;
/** So many messages may come of one first event by rules that look at what rules have published: where each makes several, five in a row would not end. */
const FAMILY_MAX = 100_000;
/** Of what is inspected, characters. */
const INSPECTED_MAX = 4096;
const USER_PROPERTIES_MAX = 100;
/** The client id that republished messages come from, before that of the first publisher (EMQ X 3.1). */
const FROM = "built_in:republish_action:";

export interface BuiltinPorts {
  readonly clock: Clock;
  readonly inspected: KeptLast<InspectedRow>;
  /** As the broker. */
  publish(message: Message): void;
  count(name: string): void;
}

export function builtinKinds(ports: BuiltinPorts): Kinds {
  return {
    resources: [
      {
        name: "built_in",
        title: "Built-In Resource Type",
        description: "The built in resource type for debug purpose",
        params: {},
        open: () => ({ status: () => [], close: () => {} }),
        test: async () => [],
      },
    ],
    actions: [inspectAction(ports), republishAction(ports), DO_NOTHING],
  };
}

const DO_NOTHING: ActionKind = {
  name: "built_in:do_nothing",
  for: "$any",
  type: "built_in",
  title: "Do Nothing (debug)",
  description: "The row is counted, nothing else: to see what a rule finds, and what it costs",
  params: {},
  open: (_, host) => ({ run: () => host.done(1), close: () => {} }),
};

function inspectAction({ clock, inspected }: BuiltinPorts): ActionKind {
  return {
    name: "built_in:inspect_action",
    for: "$any",
    type: "built_in",
    title: "Inspect Action",
    description: "Inspect the details of action params for debug purpose",
    params: {},
    open: (params, host) => ({
      run(row, event) {
        const text = wholeRowJson(row);
        const selected = text.length > INSPECTED_MAX ? `${text.slice(0, INSPECTED_MAX)}…` : text;
        const { event: name, clientId } = event;
        inspected.add(
          event.ruleId,
          { at_ms: clock.now(), event: name, client_id: clientId, selected, params: shownParams(params, {}) },
          selected.length + 200,
        );
        host.done(1);
      },
      close: () => {},
    }),
  };
}

function republishAction(ports: BuiltinPorts): ActionKind {
  return {
    name: "built_in:republish_action",
    for: "$any",
    type: "built_in",
    title: "Republish Action",
    description: "Republish a MQTT message to a another topic",
    params: {
      target_topic: {
        type: "string",
        format: "topic",
        required: true,
        title: "To Which Topic",
        description: "Republish the message to which topic; ${…} stands for a field of the row",
      },
      target_qos: {
        type: "number",
        enum: [-1, 0, 1, 2],
        default: -1,
        title: "Target QoS",
        description: "-1: as the message came, or 0 where there is none",
      },
      target_retain: {
        type: "string",
        enum: ["as_received", "true", "false"],
        default: "as_received",
        title: "Target Retain",
        description: "The retain flag",
      },
      payload_tmpl: {
        type: "string",
        format: "template",
        default: "",
        title: "Payload Template",
        description: "${…} stands for a field of the row, ${.} for all of it; empty: the row as JSON",
      },
      user_properties: {
        type: "object",
        default: {},
        title: "User Properties",
        description: "Names and templates of MQTT 5 user properties; without any, those of the message stay",
      },
    },
    open: (params, host) => republish(params, host, ports),
  };
}

/** @throws Error, in words */
function republish(params: Params, host: ActionHost, ports: BuiltinPorts): Action {
  const topic = compileRowTemplate(params.target_topic as string);
  if (!validTopicName(topic.source.replaceAll(/\$\{[^{}]*\}/g, "x")))
    throw new Error(`target_topic ${topic.source} is no topic that can be published to`);
  const payload = params.payload_tmpl === "" ? null : compileRowTemplate(params.payload_tmpl as string);
  const propertiesIn = compileProperties(params.user_properties as Record<string, unknown>);
  const qos = params.target_qos as number;
  const retain = params.target_retain as string;
  /** The last one that was found good: most rules publish to few topics. */
  let good = "";
  return {
    run(row, event) {
      const { lineage } = event;
      const loop = loopIn(lineage);
      if (loop !== null) {
        ports.count("rules/loops");
        host.failed(1, loop);
        return;
      }
      const name = topic.strict(row);
      if (name === null || (name !== good && !validTopicName(name))) {
        host.failed(
          1,
          name === null
            ? `the row has not all of ${topic.source}`
            : `${JSON.stringify(name.slice(0, 64))} is no topic that can be published to`,
        );
        return;
      }
      good = name;
      const given = propertiesIn(row);
      if (typeof given === "string") {
        host.failed(1, given);
        return;
      }
      const text = payload === null ? wholeRowJson(row) : payload.value(row);
      const flag = retain === "as_received" ? event.column("retain") === true : retain === "true";
      const level = qos < 0 ? ((event.column("qos") as QoS | undefined) ?? 0) : (qos as QoS);
      const username = event.column("username");
      const message = new Message(
        name,
        bytesOf(text),
        level,
        flag,
        FROM + firstPublisher(event.clientId),
        typeof username === "string" ? username : null,
        ports.clock.now(),
        0,
        propertiesOf(given, event),
      );
      if (lineage.depth > 0) lineage.family.made++;
      message.lineage = { depth: lineage.depth + 1, family: lineage.family };
      ports.publish(message);
      host.done(1);
    },
    close: () => {},
  };
}

/** In words, where nothing more is published because of it. */
function loopIn({ depth, family }: Lineage): string | null {
  if (depth >= DEPTH_MAX) return `a loop: ${DEPTH_MAX} rules have published in a row to make this message, so it is not published again`;
  if (depth > 0 && family.made >= FAMILY_MAX)
    return `a loop: rules have made ${FAMILY_MAX} messages of what rules have made of one event, so no more are published`;
  return null;
}

const firstPublisher = (clientId: string): string => (clientId.startsWith(FROM) ? clientId.slice(FROM.length) : clientId);

/** Of one event all messages have the same ones: one may have thousands of rows, and tens of thousands of properties. */
const COPIED = new WeakMap<object, PublishProperties>();

const NONE: UserProperty[] = [];

/** The user properties that a row gives, or in words why no packet can have them. @throws Error, in words: there are none for any row */
function compileProperties(
  templates: Readonly<Record<string, unknown>>,
): (row: Readonly<Record<string, unknown>>) => UserProperty[] | string {
  const all = Object.entries(templates).map(([key, value]) => {
    const why = whyNoString(key);
    if (why !== null) throw new Error(`user_properties: the name ${JSON.stringify(key.slice(0, 64))} ${why}`);
    return [key, compileRowTemplate(typeof value === "string" ? value : rowJson(value))] as const;
  });
  if (all.length > USER_PROPERTIES_MAX) throw new Error(`user_properties has at most ${USER_PROPERTIES_MAX} fields`);
  if (all.length === 0) return () => NONE;
  return (row) => {
    const given: UserProperty[] = [];
    for (const [key, template] of all) {
      const value = template.text(row);
      const why = whyNoString(value);
      if (why !== null) return `user_properties.${key} ${why}`;
      given.push([key, value]);
    }
    return given;
  };
}

/** Those that are given; else those of the message, as 3.1 copied its headers. null = none. */
function propertiesOf(given: UserProperty[], event: ActionEvent): PublishProperties | null {
  if (given.length > 0) return { userProperties: given };
  if (event.column("user_properties") === undefined) return null;
  const all = event.column("pub_props") as { "User-Property-Pairs"?: { key: string; value: string }[] } | undefined;
  const pairs = all?.["User-Property-Pairs"];
  if (!Array.isArray(pairs)) return null;
  let properties = COPIED.get(pairs);
  if (properties === undefined) {
    properties = { userProperties: pairs.map(({ key, value }): UserProperty => [String(key), String(value)]) };
    COPIED.set(pairs, properties);
  }
  return properties;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (value === undefined) return Buffer.from("undefined");
  return Buffer.from(typeof value === "string" ? value : typeof value === "object" ? rowJson(value) : String(value));
}
