/** What the web hook could not deliver. */
import { Type } from "@sinclair/typebox";
import { data, whole } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import { deadLetter } from "../rule_schemas.ts";
import * as S from "../schemas.ts";

const ids = Type.Object({
  ids: Type.Optional(Type.Unknown({ description: "Numbers of dead letters, a list, or text with commas between them; left out = all" })),
});

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
    descr: "Send dead letters again",
    body: ids,
    data: Type.Object({ resent: S.int }),
    handle: ({ admin, params }) => data({ resent: admin.webHook.resend(params.ids) }),
  }),
  route({
    name: "delete_hook_dead_letters",
    method: "DELETE",
    path: "/web_hook/dead_letters",
    descr: "Delete dead letters",
    body: ids,
    data: Type.Object({ deleted: S.int }),
    handle: ({ admin, params }) => data({ deleted: admin.webHook.remove(params.ids) }),
  }),
];
