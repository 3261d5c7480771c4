/** nginx as the web service that emqx_auth_http asks: who has the password p1, or p and the number of the user, gets in. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NGINX } from "./peers.ts";
import { runNow, Server } from "./servers.ts";

export class Nginx extends Server {
  /** `upstream`: the port of who is behind /hook. */
  constructor(private readonly upstream = 1) {
    super();
  }

  /** The plugin's settings, without the prefix. */
  get settings(): Record<string, string> {
    const at = (path: string): string => `http://127.0.0.1:${this.port}/${path}`;
    return { auth_req: at("auth"), "auth_req.method": "get", super_req: at("super"), acl_req: at("acl") };
  }

  protected command(): string[] {
    const file = join(this.dir, "nginx.conf");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${this.dir}/${name};`);
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${this.dir}/pid; error_log ${this.dir}/error.log;
       events { worker_connections 1024; }
       http {
         access_log off; keepalive_requests 1000000; ${temporary.join(" ")}
         server {
           listen 127.0.0.1:${this.port};
           location = /auth { if ($arg_password !~ "^p[0-9]+$") { return 403; } return 200; }
           location = /super { return 403; }
           location = /acl { return 200; }
           location = /taken { return 200; }
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
