/** Publish, subscribe and unsubscribe; messages as they come. */
import { Type } from "@sinclair/typebox";
import { CODE } from "../../admin/codes.ts";
import { wantedEncoding } from "../../admin/payload.ts";
import { TOPICS_MAX } from "../../admin/pubsub.ts";
import { data, ok } from "../reply.ts";
import { type AnyRoute, type Call, route } from "../route.ts";
import * as S from "../schemas.ts";
import { eventStream } from "../sse.ts";

const qos = Type.Optional(Type.Integer({ minimum: 0, maximum: 2, default: 0 }));
const encoding = Type.Optional(Type.Union([Type.Literal("plain"), Type.Literal("base64")], { default: "plain" }));
const topics = {
  topic: Type.Optional(Type.String({ description: `A comma-separated list of no more than ${TOPICS_MAX}` })),
  topics: Type.Optional(Type.String({ description: "The same, used when there is no `topic`" })),
};
const publishBody = Type.Object({
  ...topics,
  payload: Type.Optional(Type.Unknown({ description: "Text; other JSON is sent as its text" })),
  qos,
  retain: Type.Optional(Type.Unknown({ description: "Stored only when `true`" })),
  client_id: Type.Optional(Type.Unknown({ description: "Recorded as the sender" })),
  encoding,
  properties: Type.Optional(S.properties),
});
const subscribeBody = Type.Object({ client_id: Type.Optional(Type.Unknown()), ...topics, qos });
const unsubscribeBody = Type.Object({ client_id: Type.Optional(Type.Unknown()), topic: Type.Optional(Type.String()) });
const badTopic = { code: CODE.BAD_TOPIC, message: "bad_topic" } as const;
const errors = { topic: badTopic, topics: badTopic };

/** Elements that are no objects have no topic. */
const items = ({ json }: Call): Record<string, unknown>[] =>
  (Array.isArray(json) ? json : []).map((e) =>
    typeof e === "object" && e !== null && !Array.isArray(e) ? (e as Record<string, unknown>) : {},
  );

function listen(call: Call): Response {
  const { query } = call;
  const params = { ...query, ...(query.qos !== undefined && { qos: Number(query.qos) }) };
  const wanted = wantedEncoding(query.encoding);
  return eventStream(call, (send) =>
    call.admin.pubsub.listen(params, wanted, {
      subscribed: (subscribed, granted) => send("subscribed", { topics: subscribed, qos: granted }),
      message: (m) => send("message", m),
    }),
  );
}

export const pubsubRoutes: readonly AnyRoute[] = [
  route({
    name: "mqtt_publish",
    method: "POST",
    path: "/mqtt/publish",
    keeps: "by itself",
    descr: "Publish a MQTT message",
    body: publishBody,
    errors,
    handle: async ({ admin, params }) => ok({ "x-receivers": String(await admin.pubsub.publish(params)) }),
  }),
  route({
    name: "mqtt_subscribe",
    method: "POST",
    path: "/mqtt/subscribe",
    keeps: "by itself",
    descr: "Subscribe a topic",
    body: subscribeBody,
    errors,
    handle: async ({ admin, params }) => {
      await admin.pubsub.subscribe(params);
      return ok();
    },
  }),
  route({
    name: "mqtt_unsubscribe",
    method: "POST",
    path: "/mqtt/unsubscribe",
    keeps: "by itself",
    descr: "Unsubscribe a topic",
    body: unsubscribeBody,
    errors,
    handle: ({ admin, params }) => {
      admin.pubsub.unsubscribe(params);
      return ok();
    },
  }),
  route({
    name: "mqtt_publish_batch",
    method: "POST",
    path: "/mqtt/publish_batch",
    keeps: "by itself",
    descr: "Publish several MQTT messages",
    array: Type.Array(publishBody, { maxItems: TOPICS_MAX }),
    data: S.list(S.batchResult),
    handle: async (call) => data(await call.admin.pubsub.publishBatch(items(call))),
  }),
  route({
    name: "mqtt_subscribe_batch",
    method: "POST",
    path: "/mqtt/subscribe_batch",
    keeps: "by itself",
    descr: "Subscribe several topics",
    array: Type.Array(subscribeBody, { maxItems: TOPICS_MAX }),
    data: S.list(S.batchResult),
    handle: async (call) => data(await call.admin.pubsub.subscribeBatch(items(call))),
  }),
  route({
    name: "mqtt_unsubscribe_batch",
    method: "POST",
    path: "/mqtt/unsubscribe_batch",
    keeps: "by itself",
    descr: "Unsubscribe several topics",
    array: Type.Array(unsubscribeBody, { maxItems: TOPICS_MAX }),
    data: S.list(S.batchResult),
    handle: async (call) => data(await call.admin.pubsub.unsubscribeBatch(items(call))),
  }),
  route({
    name: "mqtt_listen",
    method: "GET",
    path: "/mqtt/subscribe",
    descr: "Messages of a topic as they come (Server-Sent Events)",
    query: Type.Object({
      topic: Type.String({ description: "A comma-separated list of filters" }),
      qos,
      encoding: Type.Optional(Type.Union([Type.Literal("plain"), Type.Literal("base64"), Type.Literal("auto")], { default: "auto" })),
    }),
    type: "text/event-stream",
    handle: listen,
  }),
];
