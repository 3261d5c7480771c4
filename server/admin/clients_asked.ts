/** A client that nobody has seen, for questions about who would be let in. */
import type { Broker } from "../core/broker.ts";
import type { ClientInfo } from "../core/types.ts";
import { CODE } from "./codes.ts";
import { AdminError } from "./deps.ts";

export interface AskedClient {
  clientId: string;
  username: string | null;
  ip: string;
  /** Default "external". */
  zone?: string | undefined;
}

/** @throws AdminError 108 */
export function askedClient(broker: Pick<Broker, "zones">, o: AskedClient): ClientInfo {
  const zone = broker.zones.get(o.zone ?? "external");
  if (!zone) throw new AdminError(CODE.BAD_PARAMETER, `there is no zone '${o.zone}'`);
  return {
    clientId: o.clientId,
    username: o.username,
    ip: o.ip,
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
