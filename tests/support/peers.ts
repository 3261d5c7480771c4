/** What some tests need of the machine: programs of others, mostly. Where it is missing they are skipped, and `tests/run.ts` says so; with CI set they fail. */
import { test } from "bun:test";
import { existsSync } from "node:fs";

export interface Need {
  name: string;
  /** What is not tested without it. */
  tests: string;
  /** How to come by it, in words. */
  get: string;
  /** Where it is; null when it is not here. */
  find(): string | null;
  /** No package gives it, but who owns the machine: without it the tests are skipped where the gate is decided, too. */
  isRight?: true;
}

/** A program. */
export interface Peer extends Omit<Need, "get"> {
  /** Debian's package. */
  apt: string;
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

export const REDIS: Peer = {
  name: "Redis",
  tests: "emqx_auth_redis with real servers",
  apt: "redis-server redis-sentinel",
  find: () => (Bun.which("redis-cli") === null || Bun.which("redis-sentinel") === null ? null : Bun.which("redis-server")),
};

export const SLAPD: Peer = {
  name: "OpenLDAP",
  tests: "emqx_auth_ldap with a real server",
  apt: "slapd ldap-utils",
  find: () =>
    Bun.which("ldapsearch") === null ? null : (Bun.which("slapd") ?? (existsSync("/usr/sbin/slapd") ? "/usr/sbin/slapd" : null)),
};

export const NGINX: Peer = {
  name: "nginx",
  tests: "emqx_auth_http with a web server",
  apt: "nginx-light",
  find: () => Bun.which("nginx") ?? (existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : null),
};

export const PROMETHEUS: Peer = {
  name: "Prometheus",
  tests: "the figures it scrapes and is pushed",
  apt: "prometheus",
  find: () => Bun.which("prometheus"),
};

export const PUSHGATEWAY: Peer = {
  name: "Prometheus's push gateway",
  tests: "emqx_statsd with a real gateway",
  apt: "prometheus-pushgateway",
  find: () => Bun.which("prometheus-pushgateway"),
};

export const NATS: Peer = {
  name: "nats-server",
  tests: "rules that publish to NATS",
  apt: "nats-server",
  find: () => Bun.which("nats-server") ?? (existsSync("/usr/sbin/nats-server") ? "/usr/sbin/nats-server" : null),
};

export const INFLUXDB: Peer = {
  name: "InfluxDB",
  tests: "rules that write to InfluxDB",
  apt: "influxdb",
  find: () => Bun.which("influxd"),
};

export const MOSQUITTO: Peer = {
  name: "Mosquitto",
  tests: "rules that publish to another broker",
  apt: "mosquitto",
  find: () =>
    Bun.which("mosquitto_passwd") === null
      ? null
      : (Bun.which("mosquitto") ?? (existsSync("/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : null)),
};

export const KCAT: Peer = {
  name: "kcat",
  tests: "what rules write to Kafka, with another implementation's reader",
  apt: "kcat",
  find: () => Bun.which("kcat"),
};

export const PRLIMIT: Peer = {
  name: "prlimit",
  tests: "a disk that has room again",
  apt: "util-linux",
  find: () => Bun.which("prlimit"),
};

export const PEERS: readonly Peer[] = [
  CHROMIUM,
  MOSQUITTO_CLIENTS,
  POSTGRESQL,
  MARIADB,
  REDIS,
  SLAPD,
  NGINX,
  NATS,
  INFLUXDB,
  MOSQUITTO,
  KCAT,
  PROMETHEUS,
  PUSHGATEWAY,
  PRLIMIT,
];

/** What is not tested without these, or fails where the gate is decided, and what helps. */
export function missingWords(missing: readonly (Need | Peer)[], isGate: boolean): string[] {
  if (missing.length === 0) return [];
  const outcome = isGate ? "FAILS" : "is SKIPPED";
  const packages = missing.flatMap((m) => ("apt" in m ? [m.apt] : []));
  return [
    ...missing.map((m) => `not on this machine: ${m.name}; ${m.tests} ${outcome}${"apt" in m ? "" : `; ${m.get}`}`),
    ...(packages.length === 0 ? [] : [`to test it too: sudo apt-get install -y ${packages.join(" ")}`]),
  ];
}

/** The gate is decided here. */
export const isGate = (): boolean => Boolean(process.env.CI);

/**
 * `test` or `describe` for what needs something of the machine; null = nothing. Where that is missing, its `skip`: a developer may lack it. Where the gate is decided
 * nobody may: in its place there is one test that fails, and says how to come by it.
 */
export function needing<T extends { skip: T }>(need: Need | Peer | null, run: T): T {
  if (need === null || need.find() !== null) return run;
  if (!isGate() || need.isRight === true) return run.skip;
  const fails = (name: string): void =>
    test(name, () => {
      throw new Error(missingWords([need], true).join("\n"));
    });
  return Object.assign(fails, { skip: run.skip }) as unknown as T;
}
