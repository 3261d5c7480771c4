/** Who is behind a proxy that speaks WebSocket for others, as `proxy_address_header` and `proxy_port_header` tell. */
import type { ListenerConfig } from "../config/types.ts";
import { anyContains, type Cidr, parseCidr } from "../lib/cidr.ts";
import { addressesOf, clientBehind, nearestTold } from "../lib/forwarded.ts";
import { seldomOf } from "../lib/seldom.ts";

export class Forwarding {
  private readonly address: string;
  private readonly port: string;
  private readonly trusted: readonly Cidr[];

  constructor(c: Pick<ListenerConfig, "proxyAddressHeader" | "proxyPortHeader" | "trustedProxies">) {
    this.address = c.proxyAddressHeader.toLowerCase();
    this.port = c.proxyPortHeader.toLowerCase();
    this.trusted = c.trustedProxies.map(parseCidr).filter((range) => range !== null);
  }

  /** The client's address and port; `ip`, `port`: the socket's. `header`: by its name in lower case. */
  told(header: (name: string) => string | null | undefined, ip: string, port: number): [ip: string, port: number] {
    if (this.address === "" && this.port === "") return [ip, port];
    // Where proxies are named nobody else is believed, neither as to an address nor as to a port alone.
    if (this.trusted.length > 0 && !anyContains(this.trusted, ip)) return [ip, port];
    const told = addressesOf((this.address !== "" && header(this.address)) || "");
    const client = this.trusted.length === 0 ? nearestTold(ip, told) : clientBehind(ip, told, this.trusted);
    // Whose address is not believed, his port is not either.
    if (client === ip && this.address !== "") return [ip, port];
    const n = Number(((this.port !== "" && header(this.port)) || "").split(",").at(-1));
    return [client, Number.isInteger(n) && n > 0 && n < 65_536 ? n : port];
  }
}

seldomOf(Forwarding, "told");
