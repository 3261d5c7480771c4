/** Messages the broker holds: retained and delayed ones; topics as a tree. */
import { Type } from "@sinclair/typebox";
import { FILTERS } from "../../admin/filters.ts";
import { wantedEncoding } from "../../admin/payload.ts";
import { badValue } from "../../admin/refusals.ts";
import { data, ok, page } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

const TREE_LIMIT = 200;
const filter = Type.String({ description: "MQTT topic filter" });

export const retainedRoutes: readonly AnyRoute[] = [
  route({
    name: "list_retained",
    method: "GET",
    path: "/retained",
    descr: "List retained messages",
    query: Type.Object({ ...S.filters(FILTERS.retained).properties, _filter: Type.Optional(filter) }),
    data: S.list(S.retained),
    paged: true,
    handle: async ({ admin, query }) => page(await admin.retained.list(query)),
  }),
  route({
    name: "clean_retained",
    method: "DELETE",
    path: "/retained",
    keeps: "or tell",
    descr: "Delete the retained messages a topic filter selects",
    body: Type.Object({ _filter: filter }),
    data: Type.Object({ deleted: S.int }),
    handle: async ({ admin, params }) => data({ deleted: await admin.retained.removeMatching(params._filter) }),
  }),
  route({
    name: "lookup_retained",
    method: "GET",
    path: "/retained/:topic",
    descr: "A retained message with its payload",
    query: Type.Object({ encoding: Type.Optional(Type.String({ description: "plain, base64 or auto" })) }),
    data: S.retainedMessage,
    handle: ({ admin, path, query }) => data(admin.retained.lookup(path.topic ?? "", wantedEncoding(query.encoding))),
  }),
  route({
    name: "delete_retained",
    method: "DELETE",
    path: "/retained/:topic",
    keeps: "or tell",
    descr: "Delete a retained message",
    handle: ({ admin, path }) => {
      admin.retained.remove(path.topic ?? "");
      return ok();
    },
  }),
  route({
    name: "list_delayed",
    method: "GET",
    path: "/delayed",
    descr: "List messages that wait for their time",
    query: S.filters(FILTERS.delayed),
    data: S.list(S.delayed),
    paged: true,
    handle: async ({ admin, query }) => page(await admin.delayed.list(query)),
  }),
  route({
    name: "delete_delayed",
    method: "DELETE",
    path: "/delayed/:id",
    keeps: "or tell",
    descr: "Cancel a delayed message",
    handle: ({ admin, path }) => {
      admin.delayed.remove(path.id ?? "");
      return ok();
    },
  }),
  route({
    name: "send_delayed",
    method: "POST",
    path: "/delayed/:id/send",
    keeps: "or refuse",
    descr: "Publish a delayed message now",
    handle: ({ admin, path }) => {
      admin.delayed.send(path.id ?? "");
      return ok();
    },
  }),
  route({
    name: "topic_tree",
    method: "GET",
    path: "/topics/tree",
    descr: "One level of the tree of subscribed and retained topics",
    query: Type.Object({ prefix: Type.Optional(S.text), limit: Type.Optional(S.int) }),
    data: S.topicTree,
    handle: async ({ admin, query }) => {
      const limit = Number(query.limit ?? TREE_LIMIT);
      if (!Number.isInteger(limit) || limit < 1) throw badValue("limit", "a number greater than 0");
      return data(await admin.topics.tree(query.prefix ?? "", limit));
    },
  }),
];
