/** Applications: the credentials of this API. */
import { Type } from "@sinclair/typebox";
import { data, ok, whole } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

const any = (description: string) => Type.Optional(Type.Unknown({ description }));
const fields = {
  name: any("Text"),
  desc: any("Text"),
  status: any("true or false; default true"),
  expired: any("Unix seconds; null = never"),
};

export const appRoutes: readonly AnyRoute[] = [
  route({
    name: "list_apps",
    method: "GET",
    path: "/apps/",
    descr: "List Applications",
    data: S.list(S.appRow),
    handle: ({ admin }) => whole(admin.apps.list()),
  }),
  route({
    name: "add_app",
    method: "POST",
    path: "/apps/",
    keeps: "or refuse",
    descr: "Add Application",
    body: Type.Object({ app_id: any("Text"), secret: any("Generated when missing"), ...fields }),
    data: Type.Object({ secret: S.text }),
    handle: ({ admin, params }) => data({ secret: admin.apps.add(params.app_id, params.secret, params) }),
  }),
  route({
    name: "lookup_app",
    method: "GET",
    path: "/apps/:appid",
    descr: "Lookup Application",
    data: Type.Union([S.app, Type.Array(Type.Never(), { maxItems: 0 })]),
    handle: ({ admin, path }) => data(admin.apps.lookup(path.appid ?? "") ?? []),
  }),
  route({
    name: "update_app",
    method: "PUT",
    path: "/apps/:appid",
    keeps: "or refuse",
    descr: "Update Application",
    body: Type.Object(fields),
    handle: ({ admin, path, params }) => {
      admin.apps.update(path.appid ?? "", params);
      return ok();
    },
  }),
  route({
    name: "del_app",
    method: "DELETE",
    path: "/apps/:appid",
    keeps: "or tell",
    descr: "Delete Application",
    handle: ({ admin, path }) => {
      admin.apps.remove(path.appid ?? "");
      return ok();
    },
  }),
];
