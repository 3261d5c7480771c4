/** Who is kept out, and why somebody would be. */
import { Type } from "@sinclair/typebox";
import { FILTERS } from "../../admin/filters.ts";
import { data, ok, page } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

const any = Type.Optional(Type.Unknown());

export const bannedRoutes: readonly AnyRoute[] = [
  route({
    name: "list_banned",
    method: "GET",
    path: "/banned/",
    descr: "List banned",
    query: S.filters(FILTERS.banned),
    data: S.list(S.banned),
    paged: true,
    handle: async ({ admin, query }) => page(await admin.banned.list(query)),
  }),
  route({
    name: "create_banned",
    method: "POST",
    path: "/banned/",
    keeps: "or tell",
    descr: "Create banned",
    body: Type.Object(
      {
        who: Type.Optional(Type.Unknown({ description: "Client id, user name, address or range of addresses" })),
        as: Type.Optional(Type.Unknown({ description: "client_id, username or ip_address" })),
        reason: any,
        desc: any,
        by: any,
        until: Type.Optional(Type.Unknown({ description: "Unix seconds" })),
        kick: Type.Optional(Type.Boolean({ description: "Close the connections it would have kept out" })),
      },
      { additionalProperties: true },
    ),
    data: Type.Unknown({ description: "The parameters as received" }),
    handle: async ({ admin, params }) => {
      await admin.banned.add(params);
      return data(params);
    },
  }),
  route({
    name: "delete_banned",
    method: "DELETE",
    path: "/banned/:who",
    keeps: "or tell",
    descr: "Delete banned",
    body: Type.Object({ as: any }),
    handle: ({ admin, path, params }) => {
      admin.banned.remove(path.who ?? "", params.as);
      return ok();
    },
  }),
  route({
    name: "explain",
    method: "POST",
    path: "/explain",
    descr: "Why a client would be let in, and may publish or subscribe, or not",
    body: Type.Object({
      client_id: Type.String(),
      username: Type.Optional(Type.String()),
      password: Type.Optional(Type.String()),
      ip_address: Type.Optional(Type.String()),
      zone: Type.Optional(Type.String()),
      action: Type.Optional(Type.Union([Type.Literal("publish"), Type.Literal("subscribe")])),
      topic: Type.Optional(Type.String()),
    }),
    strict: true,
    data: S.explainResult,
    handle: async ({ admin, params }) => data(await admin.explain(params)),
  }),
];
