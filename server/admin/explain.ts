/** Why a client would be let in or kept out: the core's own chain, asked without effects on anybody. */
import { explain } from "../core/access/explain.ts";
import { askedClient } from "./clients_asked.ts";
import type { AdminDeps } from "./deps.ts";
import type { ExplainRequest, ExplainResult } from "./extra_rows.ts";
import { checkAskedTopic, missing } from "./refusals.ts";

export function createExplain({ broker }: AdminDeps) {
  /** @throws AdminError 107, 108, 115 */
  return async (request: ExplainRequest): Promise<ExplainResult> => {
    const password = request.password === undefined ? null : new TextEncoder().encode(request.password);
    const { action, topic, client_id: clientId, username = null, ip_address: ip = "127.0.0.1", zone } = request;
    const client = askedClient(broker, { clientId, username, ip, zone });
    const isAsked = action !== undefined && topic !== undefined;
    if (isAsked) checkAskedTopic(action, topic);
    else if (action !== topic) throw missing(action === undefined ? "action" : "topic");
    const asked = isAsked ? { action, topic } : null;
    const { authentication, acl } = await explain(broker, client, { password }, asked);
    return { authentication: { allow: authentication.allow, is_super: authentication.isSuper, steps: authentication.steps }, acl };
  };
}
