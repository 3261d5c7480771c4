/** Connected clients. */
import { Type } from "@sinclair/typebox";
import { FILTERS } from "../../admin/filters.ts";
import { data, ok, page, whole } from "../reply.ts";
import { type AnyRoute, type Call, route } from "../route.ts";
import * as S from "../schemas.ts";

const query = S.filters(FILTERS.connections);
const listed = { query, data: S.list(S.connection), paged: true } as const;
const rows = { data: S.list(S.connection) } as const;
const list = async ({ admin, query: q }: Call): Promise<Response> => page(await admin.connections.list(q));
const lookup = ({ admin, path }: Call): Response => data(admin.connections.lookup(path.clientid ?? ""));
const byUsername = async ({ admin, path }: Call): Promise<Response> => whole(await admin.connections.byUsername(path.username ?? ""));

export const connectionRoutes: readonly AnyRoute[] = [
  route({
    name: "list_connections",
    method: "GET",
    path: "/connections/",
    descr: "A list of connections in the cluster",
    ...listed,
    handle: list,
  }),
  route({
    name: "list_node_connections",
    method: "GET",
    path: "nodes/:node/connections/",
    descr: "A list of connections on a node",
    ...listed,
    handle: list,
  }),
  route({
    name: "lookup_connections",
    method: "GET",
    path: "/connections/:clientid",
    descr: "Lookup a connection in the cluster",
    ...rows,
    handle: lookup,
  }),
  route({
    name: "lookup_node_connections",
    method: "GET",
    path: "nodes/:node/connections/:clientid",
    descr: "Lookup a connection on node",
    ...rows,
    handle: lookup,
  }),
  // The two descriptions stand as EMQ X 3.1 has them: swapped, and with a blank at the end.
  route({
    name: "lookup_connection_via_username",
    method: "GET",
    path: "/connection/username/:username",
    descr: "Lookup a connection via username on a node ",
    ...rows,
    handle: byUsername,
  }),
  route({
    name: "lookup_node_connection_via_username",
    method: "GET",
    path: "/nodes/:node/connection/username/:username",
    descr: "Lookup a connection via username in the cluster ",
    ...rows,
    handle: byUsername,
  }),
  route({
    name: "kickout_connection",
    method: "DELETE",
    path: "/connections/:clientid",
    descr: "Kick out a connection",
    handle: ({ admin, path }) => {
      admin.connections.kick(path.clientid ?? "");
      return ok();
    },
  }),
  route({
    name: "kickout_connections",
    method: "DELETE",
    path: "/connections/",
    descr: "Kick out several connections",
    body: Type.Object({ client_ids: Type.Array(Type.String(), { maxItems: 10_000 }) }),
    data: Type.Object({ kicked: S.list(S.text), not_found: S.list(S.text) }),
    handle: async ({ admin, params }) => data(await admin.connections.kickAll(params.client_ids)),
  }),
  route({
    name: "list_acl_cache",
    method: "GET",
    path: "/connections/:clientid/acl",
    descr: "ACL cache of a connection",
    data: S.list(S.aclCacheEntry),
    handle: ({ admin, path }) => data(admin.connections.aclCache(path.clientid ?? "")),
  }),
  route({
    name: "clean_acl_cache_all",
    method: "DELETE",
    path: "/connections/:clientid/acl",
    descr: "Clean the whole ACL cache of a connection",
    handle: ({ admin, path }) => {
      admin.connections.cleanAclCache(path.clientid ?? "");
      return ok();
    },
  }),
  route({
    name: "clean_acl_cache",
    method: "DELETE",
    path: "/connections/:clientid/acl/:topic",
    descr: "Clean ACL cache of a connection",
    handle: ({ admin, path }) => {
      admin.connections.cleanAclCache(path.clientid ?? "", path.topic ?? "");
      return ok();
    },
  }),
];
