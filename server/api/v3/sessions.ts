/** Sessions, subscriptions and the route table. */

import { FILTERS } from "../../admin/filters.ts";
import { data, ok, page, whole } from "../reply.ts";
import { type AnyRoute, type Call, route } from "../route.ts";
import * as S from "../schemas.ts";

const sessionList = {
  query: S.filters(FILTERS.sessions),
  data: S.list(S.session),
  paged: true,
} as const;
const subscriptionList = {
  query: S.filters(FILTERS.subscriptions),
  data: S.list(S.subscription),
  paged: true,
} as const;
const sessions = async ({ admin, query }: Call): Promise<Response> => page(await admin.sessions.list(query));
const session = ({ admin, path }: Call): Response => data(admin.sessions.lookup(path.clientid ?? ""));
const removeSession = ({ admin, path }: Call): Response => {
  admin.sessions.remove(path.clientid ?? "");
  return ok();
};
const subscriptions = async ({ admin, query }: Call): Promise<Response> => page(await admin.subscriptions.list(query));
const subscriptionsOf = async ({ admin, path }: Call): Promise<Response> => whole(await admin.subscriptions.lookup(path.clientid ?? ""));

/** With a slash at its end both the topic and, as in EMQ X 3.1, the topic without it may be meant. */
function lookupRoute({ admin, path }: Call): Response {
  const topic = path.topic ?? "";
  const found = admin.routes.lookup(topic);
  return data(found.length === 0 && topic.endsWith("/") ? admin.routes.lookup(topic.slice(0, -1)) : found);
}

export const sessionRoutes: readonly AnyRoute[] = [
  route({
    name: "list_sessions",
    method: "GET",
    path: "/sessions/",
    descr: "A list of sessions in the cluster",
    ...sessionList,
    handle: sessions,
  }),
  route({
    name: "list_node_sessions",
    method: "GET",
    path: "nodes/:node/sessions/",
    descr: "A list of sessions on a node",
    ...sessionList,
    handle: sessions,
  }),
  route({
    name: "lookup_session",
    method: "GET",
    path: "/sessions/:clientid",
    descr: "Lookup a session in the cluster",
    data: S.list(S.session),
    handle: session,
  }),
  route({
    name: "lookup_node_session",
    method: "GET",
    path: "nodes/:node/sessions/:clientid",
    descr: "Lookup a session on the node",
    data: S.list(S.session),
    handle: session,
  }),
  route({
    name: "clean_session",
    method: "DELETE",
    path: "/sessions/persistent/:clientid",
    keeps: "or tell",
    descr: "Delete the session of an absent client in the cluster",
    handle: removeSession,
  }),
  route({
    name: "clean_node_session",
    method: "DELETE",
    path: "/nodes/:node/sessions/persistent/:clientid",
    keeps: "or tell",
    descr: "Delete the session of an absent client on a node",
    handle: removeSession,
  }),
  route({
    name: "list_subscriptions",
    method: "GET",
    path: "/subscriptions/",
    descr: "A list of subscriptions in the cluster",
    ...subscriptionList,
    handle: subscriptions,
  }),
  route({
    name: "list_node_subscriptions",
    method: "GET",
    path: "/nodes/:node/subscriptions/",
    descr: "A list of subscriptions on a node",
    ...subscriptionList,
    handle: subscriptions,
  }),
  route({
    name: "lookup_client_subscriptions",
    method: "GET",
    path: "/subscriptions/:clientid",
    descr: "A list of subscriptions of a client",
    data: S.list(S.subscription),
    handle: subscriptionsOf,
  }),
  route({
    name: "lookup_client_subscriptions_with_node",
    method: "GET",
    path: "/nodes/:node/subscriptions/:clientid",
    descr: "A list of subscriptions of a client on the node",
    data: S.list(S.subscription),
    handle: subscriptionsOf,
  }),
  route({
    name: "list_routes",
    method: "GET",
    path: "/routes/",
    descr: "List routes",
    query: S.filters(FILTERS.routes),
    data: S.list(S.routeRow),
    paged: true,
    handle: async ({ admin, query }) => page(await admin.routes.list(query)),
  }),
  route({
    name: "lookup_routes",
    method: "GET",
    path: "/routes/:topic",
    descr: "Lookup routes to a topic",
    data: S.list(S.routeRow),
    handle: lookupRoute,
  }),
];
