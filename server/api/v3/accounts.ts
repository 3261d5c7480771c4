/** Accounts of MQTT clients: routes of emqx_auth_username and emqx_auth_clientid, there while the plugin runs. */
import { Type } from "@sinclair/typebox";
import type { Admin } from "../../admin/index.ts";
import { data, ok, whole } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

const any = Type.Optional(Type.Unknown());

function routes(plugin: string, field: "username" | "clientid", of: (admin: Admin) => Admin["authUsername"]): AnyRoute[] {
  const path = `/auth_${field}`;
  return [
    route({
      name: `list_${field}`,
      method: "GET",
      path,
      descr: `List available ${field} in the cluster`,
      plugin,
      data: S.list(S.text),
      handle: ({ admin }) => whole(of(admin).list()),
    }),
    route({
      name: `lookup_${field}`,
      method: "GET",
      path: `${path}/:${field}`,
      descr: `Lookup ${field} in the cluster`,
      plugin,
      data: Type.Object({ [field]: S.text, password: S.text }),
      handle: (call) => data(of(call.admin).lookup(call.path[field] ?? "")),
    }),
    route({
      name: `add_${field}`,
      method: "POST",
      path,
      keeps: "or refuse",
      descr: `Add ${field} in the cluster`,
      plugin,
      body: Type.Object({ username: any, clientid: any, password: any }),
      handle: async ({ admin, params }) => {
        await of(admin).add(params[field], params.password);
        return ok();
      },
    }),
    route({
      name: `update_${field}`,
      method: "PUT",
      path: `${path}/:${field}`,
      keeps: "or refuse",
      descr: `Update ${field} in the cluster`,
      plugin,
      body: Type.Object({ password: any }),
      handle: async (call) => {
        await of(call.admin).update(call.path[field] ?? "", call.params.password);
        return ok();
      },
    }),
    route({
      name: `delete_${field}`,
      method: "DELETE",
      path: `${path}/:${field}`,
      keeps: "or tell",
      descr: `Delete ${field} in the cluster`,
      plugin,
      handle: (call) => {
        of(call.admin).remove(call.path[field] ?? "");
        return ok();
      },
    }),
  ];
}

export const accountRoutes: readonly AnyRoute[] = [
  ...routes("emqx_auth_clientid", "clientid", (admin) => admin.authClientid),
  ...routes("emqx_auth_username", "username", (admin) => admin.authUsername),
];
