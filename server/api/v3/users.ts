/** Users of the dashboard, and logging in. */
import { Type } from "@sinclair/typebox";
import { CODE } from "../../admin/codes.ts";
import { AdminError } from "../../admin/index.ts";
import { data, ok } from "../reply.ts";
import { type AnyRoute, type Call, type Kind, route } from "../route.ts";
import * as S from "../schemas.ts";

const NOT_FROM_ELSEWHERE =
  "the new password must not be empty or public: such a one is accepted from this machine alone, and only there it can be set";

/** Who is to have it would be shut out. @throws AdminError 108 */
function checkNewPassword({ admin, isLocal }: Pick<Call, "admin" | "isLocal">, password: unknown): void {
  if (admin.users.isWellKnown(password) && !isLocal()) throw new AdminError(CODE.BAD_PARAMETER, NOT_FROM_ELSEWHERE);
}

const any = Type.Optional(Type.Unknown());
const on: readonly Kind[] = ["dashboard", "ctl"];

export const userRoutes: readonly AnyRoute[] = [
  route({
    name: "auth_user",
    method: "POST",
    path: "/auth",
    descr: "Authenticate an user",
    on: ["dashboard"],
    open: true,
    body: Type.Object({ username: any, password: any }),
    handle: ({ login, params }) => login(params.username, params.password),
  }),
  route({
    name: "list_users",
    method: "GET",
    path: "/users/",
    descr: "List users",
    on,
    data: S.list(S.user),
    handle: ({ admin }) => data(admin.users.list()),
  }),
  route({
    name: "create_user",
    method: "POST",
    path: "/users/",
    keeps: "or refuse",
    descr: "Create an user",
    on,
    body: Type.Object({ username: any, password: any, tags: any }),
    handle: async (call) => {
      const { admin, params } = call;
      checkNewPassword(call, params.password);
      await admin.users.add(params.username, params.password, params.tags);
      return ok();
    },
  }),
  route({
    name: "update_user",
    method: "PUT",
    path: "/users/:name",
    keeps: "or refuse",
    descr: "Update an user",
    on,
    body: Type.Object({ tags: any }),
    handle: ({ admin, path, params }) => {
      admin.users.update(path.name ?? "", params.tags);
      return ok();
    },
  }),
  route({
    name: "delete_user",
    method: "DELETE",
    path: "/users/:name",
    keeps: "or tell",
    descr: "Delete an user",
    on,
    handle: ({ admin, path }) => {
      admin.users.remove(path.name ?? "");
      return ok();
    },
  }),
  route({
    name: "change_pwd",
    method: "PUT",
    path: "/change_pwd/:username",
    keeps: "or refuse",
    descr: "Change password for an user",
    on,
    body: Type.Object({ old_pwd: any, new_pwd: any }),
    handle: async (call) => {
      const { admin, path, params } = call;
      checkNewPassword(call, params.new_pwd);
      await admin.users.changePassword(path.username ?? "", params.old_pwd, params.new_pwd);
      return ok();
    },
  }),
  route({
    name: "set_pwd",
    method: "PUT",
    path: "/users/:name/password",
    keeps: "or refuse",
    descr: "Set the password of an user",
    on: ["ctl"],
    body: Type.Object({ password: any }),
    handle: async ({ admin, path, params }) => {
      await admin.users.setPassword(path.name ?? "", params.password);
      return ok();
    },
  }),
  route({
    name: "whoami",
    method: "GET",
    path: "/whoami",
    descr: "Who is asking",
    data: S.whoAmI,
    handle: ({ admin, caller }) =>
      data({
        ...caller,
        tags: caller.kind === "user" ? admin.users.tags(caller.name) : "undefined",
        must_change_password: caller.kind === "user" && admin.users.mustChange(caller.name),
        node: admin.node,
        version: admin.version,
        product: admin.product.name,
        product_version: admin.product.version,
      }),
  }),
];
