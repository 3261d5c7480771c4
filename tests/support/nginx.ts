/**
 * nginx as the web service that emqx_auth_http asks: who has the password p1, or p and the number of the user, gets in. What a test writes into
 * jwks.json of its directory are the keys that emqx_auth_jwt fetches.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NGINX } from "./peers.ts";
import { runNow, Server } from "./servers.ts";

export class Nginx extends Server {
  /** It speaks TLS, to those whose certificate this authority has signed. */
  tls: { cert: string; key: string; ca: string } | null = null;

  /** `upstream`: the port of who is behind /hook. */
  constructor(private readonly upstream = 1) {
    super();
  }

  /** The plugin's settings, without the prefix. */
  get settings(): Record<string, string> {
    return this.settingsAt(this.port);
  }

  /** Those that lead to another port of this machine, where somebody passes everything on. */
  settingsAt(port: number): Record<string, string> {
    const at = (path: string): string => `http${this.tls === null ? "" : "s"}://127.0.0.1:${port}/${path}`;
    return { auth_req: at("auth"), "auth_req.method": "get", super_req: at("super"), acl_req: at("acl") };
  }

  /** Requests so far over TLS, by the names of the clients' certificates. */
  get clients(): string[] {
    return readFileSync(join(this.dir, "clients.log"), "utf8").trim().split("\n");
  }

  protected command(): string[] {
    const file = join(this.dir, "nginx.conf");
    const { tls } = this;
    const secure =
      tls === null
        ? ""
        : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_client_certificate ${tls.ca}; ssl_verify_client on;
           access_log ${this.dir}/clients.log dn;`;
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${this.dir}/${name};`);
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${this.dir}/pid; error_log ${this.dir}/error.log;
       events { worker_connections 1024; }
       http {
         log_format dn "$ssl_client_s_dn"; access_log off; keepalive_requests 1000000; ${temporary.join(" ")}
         server {
           listen 127.0.0.1:${this.port}${tls === null ? "" : " ssl"}; ${secure}
           location = /auth { if ($arg_password !~ "^p[0-9]+$") { return 403; } return 200; }
           location = /super { return 403; }
           location = /acl { return 200; }
           location = /taken { return 200; }
           location = /jwks.json { alias ${this.dir}/jwks.json; }
           location = /hook { proxy_pass http://127.0.0.1:${this.upstream}; }
         }
       }`,
    );
    return [NGINX.find() ?? "nginx", "-c", file, "-e", `${this.dir}/error.log`, "-p", this.dir];
  }

  protected greet(): void {
    runNow(["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${this.port}`]);
  }
}
