/** What the web hook could not deliver. */
import { Type } from "@sinclair/typebox";
import { data, whole } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import { deadLetter, deleted, resent } from "../rule_schemas.ts";
import * as S from "../schemas.ts";

export const webHookRoutes: readonly AnyRoute[] = [
  route({
    name: "list_hook_dead_letters",
    method: "GET",
    path: "/web_hook/dead_letters",
    descr: "List what the web hook's service would not take",
    data: S.list(deadLetter),
    handle: ({ admin }) => whole(admin.webHook.deadLetters()),
  }),
  route({
    name: "resend_hook_dead_letters",
    method: "POST",
    path: "/web_hook/dead_letters/resend",
    descr: "Send dead letters again, as many as there is room for in the queue",
    strict: true,
    body: resent,
    data: Type.Object({ resent: S.int }),
    handle: ({ admin, params }) => data({ resent: admin.webHook.resend(params) }),
  }),
  route({
    name: "delete_hook_dead_letters",
    method: "DELETE",
    path: "/web_hook/dead_letters",
    descr: "Delete dead letters",
    strict: true,
    body: deleted,
    data: Type.Object({ deleted: S.int }),
    handle: ({ admin, params }) => data({ deleted: admin.webHook.remove(params) }),
  }),
];
