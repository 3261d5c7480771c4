/** Programs of others that some tests need. Where one is missing its tests are skipped, and `tests/run.ts` says so; with CI set they fail. */

export interface Peer {
  name: string;
  /** What is not tested without it. */
  tests: string;
  /** Debian's package. */
  apt: string;
  /** Where it is; null when it is not here. */
  find(): string | null;
}

const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

export const CHROMIUM: Peer = {
  name: "Chromium",
  tests: "the dashboard in a browser",
  apt: "chromium",
  find: () => process.env.CHROMIUM ?? BROWSERS.map((name) => Bun.which(name)).find((path) => path !== null) ?? null,
};

export const MOSQUITTO_CLIENTS: Peer = {
  name: "mosquitto_pub and mosquitto_sub",
  tests: "the broker with another implementation's clients",
  apt: "mosquitto-clients",
  find: () => (Bun.which("mosquitto_sub") === null ? null : Bun.which("mosquitto_pub")),
};

export const POSTGRESQL: Peer = {
  name: "PostgreSQL",
  tests: "emqx_auth_pgsql with a real server",
  apt: "postgresql",
  find: () => [...new Bun.Glob("/usr/lib/postgresql/*/bin/initdb").scanSync()].at(-1) ?? Bun.which("initdb"),
};

export const MARIADB: Peer = {
  name: "MariaDB",
  tests: "emqx_auth_mysql with a real server",
  apt: "mariadb-server",
  find: () => (Bun.which("mariadb-install-db") === null ? null : Bun.which("mariadbd")),
};

export const PEERS: readonly Peer[] = [CHROMIUM, MOSQUITTO_CLIENTS, POSTGRESQL, MARIADB];

/** `test` or `describe`, or its `skip` where the program is missing. A developer's machine may lack it; where the gate is decided it may not. */
export function needing<T extends { skip: T }>(peer: Peer, run: T): T {
  return peer.find() !== null || process.env.CI ? run : run.skip;
}
