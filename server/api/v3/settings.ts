/** Every key of the configuration; traces, log and figures of the runtime. */
import { Type } from "@sinclair/typebox";
import { CODE } from "../../admin/codes.ts";
import { AdminError } from "../../admin/index.ts";
import { badValue, notOneOf } from "../../admin/refusals.ts";
import { RECON_TOPICS, VM_TOPICS } from "../../admin/runtime.ts";
import { isQueryWord } from "../body.ts";
import { data, ok, whole } from "../reply.ts";
import { type AnyRoute, type Call, route } from "../route.ts";
import * as S from "../schemas.ts";

const any = Type.Optional(Type.Unknown());
const figures = Type.Array(Type.Tuple([S.text, Type.Union([S.num, S.text])]));

async function listSettings({ admin, query }: Call): Promise<Response> {
  const part = query._like_key?.toLowerCase();
  return whole(
    await admin.settings.list((s) => (query.app === undefined || s.app === query.app) && (!part || s.key.toLowerCase().includes(part))),
  );
}

async function changeSettings({ admin, caller, params }: Call): Promise<Response> {
  const changes = new Map<string, string | null>();
  for (const [key, value] of Object.entries(params)) {
    if (isQueryWord(key)) continue;
    if (value === null || typeof value === "string") changes.set(key, value);
    else if (typeof value === "number" || typeof value === "boolean") changes.set(key, String(value));
    else throw badValue(key, "text or null");
  }
  if (changes.size === 0) throw new AdminError(CODE.MISSING_PARAMETER, "no setting was given");
  return data(await admin.settings.apply(changes, caller.kind));
}

/** What figures are asked for. @throws AdminError 108 */
function topicOf<W extends string>(words: readonly W[], text: string | undefined): W {
  const found = words.find((w) => w === text);
  if (!found) throw notOneOf("topic", words);
  return found;
}

export const settingRoutes: readonly AnyRoute[] = [
  route({
    name: "list_settings",
    method: "GET",
    path: "/settings",
    descr: "Every configuration key with its value and where that comes from",
    query: Type.Object({ _like_key: Type.Optional(S.text), app: Type.Optional(S.text) }),
    data: S.list(S.setting),
    handle: listSettings,
  }),
  route({
    name: "update_settings",
    method: "PUT",
    path: "/settings",
    keeps: "or tell",
    descr: "Change configuration keys; all of them or, when one is wrong, none",
    body: Type.Object({}, { additionalProperties: Type.Union([S.text, S.num, S.flag, Type.Null()]) }),
    data: S.settingsApplied,
    handle: changeSettings,
  }),
  route({
    name: "list_traces",
    method: "GET",
    path: "/trace",
    descr: "List traces",
    data: S.list(S.trace),
    handle: ({ admin }) => data(admin.traces.list()),
  }),
  route({
    name: "start_trace",
    method: "POST",
    path: "/trace",
    descr: "Write what a client or topic does to a file",
    body: Type.Object({ kind: any, what: any, file: any, level: any }),
    handle: ({ admin, params }) => {
      admin.traces.start(params);
      return ok();
    },
  }),
  route({
    name: "stop_trace",
    method: "DELETE",
    path: "/trace/:kind/:what",
    descr: "Stop a trace",
    handle: ({ admin, path }) => {
      admin.traces.stop(path.kind ?? "", path.what ?? "");
      return ok();
    },
  }),
  route({
    name: "get_log",
    method: "GET",
    path: "/log",
    descr: "Levels of the log",
    data: Type.Object({
      level: S.text,
      levels: S.list(S.text),
      handlers: S.list(Type.Object({ id: S.text, level: S.text, destination: S.text })),
    }),
    handle: ({ admin }) => data(admin.runtime.log()),
  }),
  route({
    name: "set_log_level",
    method: "PUT",
    path: "/log",
    descr: "Set the level of the log, or of one of its handlers",
    body: Type.Object({ level: any, handler: Type.Optional(S.text) }),
    handle: ({ admin, params }) => {
      admin.runtime.setLogLevel(params.level, params.handler);
      return ok();
    },
  }),
  route({
    name: "get_vm",
    method: "GET",
    path: "/vm/:topic",
    descr: "Figures of the runtime: all, load, memory, process, io or ports",
    data: figures,
    handle: ({ admin, path }) => data(admin.runtime.vm(path.topic === "all" ? VM_TOPICS : [topicOf(VM_TOPICS, path.topic)])),
  }),
  route({
    name: "get_recon",
    method: "GET",
    path: "/recon/:topic",
    descr: "Diagnosis of the runtime: memory, allocated, bin_leak, node_stats or gc",
    plugin: "emqx_recon",
    data: figures,
    handle: ({ admin, path }) => data(admin.runtime.recon(topicOf(RECON_TOPICS, path.topic))),
  }),
  route({
    name: "reload_acl",
    method: "PUT",
    path: "/acl/reload",
    descr: "Read the ACL file again and forget cached verdicts",
    handle: ({ admin }) => {
      admin.runtime.reloadAcl();
      return ok();
    },
  }),
  route({
    name: "reload",
    method: "PUT",
    path: "/reload",
    descr: "Read changed configuration files and certificates again; 102 when a part of it failed, with what was done all the same",
    plugin: "emqx_reloader",
    data: S.list(S.text),
    handle: async ({ admin }) => data(await admin.runtime.reload()),
  }),
];
