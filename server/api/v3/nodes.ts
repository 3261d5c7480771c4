/** The cluster and its nodes. */
import { data } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

export const nodeRoutes: readonly AnyRoute[] = [
  route({
    name: "list_brokers",
    method: "GET",
    path: "/brokers/",
    descr: "A list of brokers in the cluster",
    data: S.list(S.broker),
    handle: ({ admin }) => data(admin.nodes.brokers()),
  }),
  route({
    name: "get_broker",
    method: "GET",
    path: "/brokers/:node",
    descr: "Get broker info of a node",
    data: S.brokerInfo,
    handle: ({ admin }) => data(admin.nodes.broker()),
  }),
  route({
    name: "list_nodes",
    method: "GET",
    path: "/nodes/",
    descr: "A list of nodes in the cluster",
    data: S.list(S.nodeRow),
    handle: ({ admin }) => data(admin.nodes.nodes()),
  }),
  route({
    name: "get_node",
    method: "GET",
    path: "/nodes/:node",
    descr: "Lookup a node in the cluster",
    data: S.nodeInfo,
    handle: ({ admin }) => data(admin.nodes.node()),
  }),
];
