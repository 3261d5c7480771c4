/** The access chain, the file of access rules, and hashes as they stand in tables. */
import { Type } from "@sinclair/typebox";
import { data } from "../reply.ts";
import { type AnyRoute, route } from "../route.ts";
import * as S from "../schemas.ts";

const ACL_MAX = 1024 * 1024;
const rules = Type.Object({ text: Type.String({ maxLength: ACL_MAX }) });

export const accessRoutes: readonly AnyRoute[] = [
  route({
    name: "get_access",
    method: "GET",
    path: "/nodes/:node/access",
    descr: "The access chain as it runs: who is asked, in which order, how they are, and what lets strangers in",
    data: S.accessView,
    handle: ({ admin }) => data(admin.access.view()),
  }),
  route({
    name: "get_acl_file",
    method: "GET",
    path: "/nodes/:node/acl_file",
    descr: "The file of access rules",
    data: S.aclFile,
    handle: ({ admin }) => data(admin.access.aclFile()),
  }),
  route({
    name: "replace_acl_file",
    method: "PUT",
    path: "/nodes/:node/acl_file",
    descr: "Replace the file of access rules; they are in force at once, and what it was before is kept",
    body: rules,
    data: S.aclCheck,
    handle: ({ admin, params }) => data(admin.access.replaceAclFile(params.text)),
  }),
  route({
    name: "check_acl_file",
    method: "POST",
    path: "/acl/check",
    descr: "Are these access rules, and if not: where is what wrong",
    body: rules,
    data: S.aclCheck,
    handle: ({ admin, params }) => data(admin.access.check(params.text)),
  }),
  route({
    name: "find_password_hash",
    method: "POST",
    path: "/password_hash",
    descr: "Which settings of password_hash fit what stands in a table",
    body: Type.Object({
      stored: Type.String({ minLength: 1, maxLength: 1024 }),
      salt: Type.Optional(Type.String({ maxLength: 1024 })),
      password: Type.String({ maxLength: 1024 }),
      iterations: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    }),
    data: S.list(S.text),
    handle: async ({ admin, params }) => data(await admin.access.fittingHashes(params)),
  }),
];
