/** OpenLDAP's server with the schema and the entries that `baomq ctl` prints, and further ones. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exampleCommands } from "../../server/cli/commands/auth_examples.ts";
import { SLAPD } from "./peers.ts";
import { freePorts } from "./ports.ts";
import { runNow, Server } from "./servers.ts";

/** As `baomq ctl` prints it. */
async function printed(name: string, ...args: string[]): Promise<string> {
  let text = "";
  const command = exampleCommands.find((c) => c.name === name);
  await command?.run({ show: (_data: unknown, lines: string[]) => (text = lines.join("\n")) } as never, args);
  return text;
}

/** One device, as LDIF. */
export function ldapEntry(uid: string, password: string | null, more: string[] = []): string {
  const dn = `dn: uid=${uid.replace(/[,+="]/g, "\\$&")},ou=device,dc=emqx,dc=io`;
  const classes = ["top", "mqttUser", "mqttDevice", "mqttSecurity"].map((c) => `objectClass: ${c}`);
  return [dn, ...classes, `uid: ${uid}`, ...(password === null ? [] : [`userPassword: ${password}`]), ...more].join("\n");
}

/** A directory with the schema and the entries of `baomq ctl ldap-schema`, and these. */
export async function directory(entries: readonly string[], tls: SlapdOptions["tls"] = null): Promise<Slapd> {
  const ldif = [await printed("ldap-schema", "ldif"), ...entries].join("\n\n");
  return new Slapd({ schema: await printed("ldap-schema"), ldif: `${ldif}\n`, tls });
}

export interface SlapdOptions {
  /** Definitions of attributes and classes. */
  schema: string;
  /** What is in it from the beginning. */
  ldif: string;
  /** Files: certificate, its key, and who has signed it; `demand`: whoever speaks TLS has to show one that it has signed. null = no TLS. */
  tls: { cert: string; key: string; ca: string; demand?: boolean } | null;
}

export class Slapd extends Server {
  readonly bindDn = "cn=root,dc=emqx,dc=io";
  readonly password = "se cret,#+";
  readonly tlsPort: number = freePorts(1)[0] as number;
  readonly #conf = join(this.dir, "slapd.conf");

  constructor(private readonly o: SlapdOptions) {
    super();
    const data = join(this.dir, "data");
    mkdirSync(data);
    writeFileSync(join(this.dir, "emqx.schema"), o.schema);
    const tls =
      o.tls === null ? [] : [`TLSCertificateFile ${o.tls.cert}`, `TLSCertificateKeyFile ${o.tls.key}`, `TLSCACertificateFile ${o.tls.ca}`];
    writeFileSync(
      this.#conf,
      [
        ...["core", "cosine", "inetorgperson"].map((name) => `include /etc/ldap/schema/${name}.schema`),
        `include ${this.dir}/emqx.schema`,
        `pidfile ${this.dir}/pid`,
        "modulepath /usr/lib/ldap",
        "moduleload back_mdb",
        ...tls,
        ...(o.tls?.demand === true ? ["TLSVerifyClient demand"] : []),
        "database mdb",
        'suffix "dc=emqx,dc=io"',
        `rootdn "${this.bindDn}"`,
        `rootpw "${this.password}"`,
        `directory ${data}`,
        // Whoever is not the root sees no password, but may be checked against it.
        "access to attrs=userPassword by anonymous auth by * none",
        "access to * by * read",
        "",
      ].join("\n"),
      { mode: 0o600 },
    );
    writeFileSync(join(this.dir, "seed.ldif"), o.ldif);
    runNow([this.#tool("slapadd"), "-q", "-f", this.#conf, "-l", join(this.dir, "seed.ldif")]);
  }

  /** slapadd and its like are slapd under another name. */
  #tool(name: string): string {
    return (SLAPD.find() ?? "slapd").replace(/slapd$/, name);
  }

  protected command(): string[] {
    const urls = [`ldap://127.0.0.1:${this.port}`, ...(this.o.tls === null ? [] : [`ldaps://127.0.0.1:${this.tlsPort}`])];
    return [SLAPD.find() ?? "slapd", "-f", this.#conf, "-h", urls.join(" "), "-d", "0"];
  }

  protected greet(): void {
    const url = `ldap://127.0.0.1:${this.port}`;
    runNow(["ldapsearch", "-x", "-H", url, "-D", this.bindDn, "-w", this.password, "-b", "", "-s", "base"]);
  }

  /** Changes, as LDIF. */
  modify(ldif: string): void {
    runNow(["ldapmodify", "-x", "-H", `ldap://127.0.0.1:${this.port}`, "-D", this.bindDn, "-w", this.password], ldif);
  }
}
