/** Why a client would be let in or kept out: the core's own chain, asked without effects on anybody. */
import { explain } from "../core/access/explain.ts";
import type { ClientInfo } from "../core/types.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { ExplainRequest, ExplainResult } from "./extra_rows.ts";

export function createExplain({ broker }: AdminDeps) {
  function clientOf(request: ExplainRequest): ClientInfo {
    const zone = broker.zones.get(request.zone ?? "external");
    if (!zone) throw new AdminError(CODE.BAD_PARAMETER, `there is no zone '${request.zone}'`);
    return {
      clientId: request.client_id,
      username: request.username ?? null,
      ip: request.ip_address ?? "127.0.0.1",
      port: 0,
      version: 5,
      protocolName: "MQTT",
      zone,
      listener: "mqtt:tcp",
      isSuper: false,
      mountpoint: "",
      cleanStart: true,
      keepalive: 60,
      isBridge: false,
      cert: null,
    };
  }

  /** @throws AdminError 108 */
  return async (request: ExplainRequest): Promise<ExplainResult> => {
    const password = request.password === undefined ? null : new TextEncoder().encode(request.password);
    const { action, topic } = request;
    const asked = action === undefined || topic === undefined ? null : { action, topic };
    const { authentication, acl } = await explain(broker, clientOf(request), { password }, asked);
    return { authentication: { allow: authentication.allow, is_super: authentication.isSuper, steps: authentication.steps }, acl };
  };
}
