/** InfluxDB. */
import { httpUrl } from "../_backend/address.ts";
import type { Advice, SettingKeys } from "../_backend/advice.ts";
import { actionKind, asWritten, resourceKind, type Writing } from "./connector.ts";
import { InfluxDriver, type InfluxVersion, judgeInflux, type Point } from "./influx_driver.ts";
import { compileLine, type LineTemplate, type Precision } from "./line_protocol.ts";
import * as P from "./params.ts";
import { fieldsParam } from "./payload.ts";

const KEYS: SettingKeys = {
  server: "url",
  timeout: "timeout",
  pool: "pool_size",
  account: "username, password, token",
  database: "database, org",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

const ADVICE: readonly Advice[] = [
  { codes: [401], says: "account or token are not taken", see: ["account"] },
  { codes: [403], says: "the account may not write there", see: ["account", "database"] },
  { codes: [404], says: "there is no such database, or no InfluxDB", see: ["database", "server"] },
  { codes: [400, 422], says: "it does not take the point", see: ["question"] },
  { codes: [413], says: "it is too large", see: ["question"] },
  { codes: [429, 503], says: "it is too busy", see: ["server"] },
];

const { ssl: _ssl, ...CERTIFICATES } = P.TLS;

const RESOURCE = resourceKind({
  name: "influxdb",
  title: "InfluxDB",
  description: "InfluxDB over HTTP",
  params: {
    url: { ...P.text("http://127.0.0.1:8086", "URL", "Where it is."), format: "url" } as const,
    version: P.choice(["v1", "v2", "v3"], "v2", "Version", "Of its HTTP interface."),
    database: P.needed("Database", "Database; with v2 the bucket."),
    retention_policy: P.text("", "Retention Policy", "v1; empty = the database's own."),
    org: P.text("", "Organization", "v2."),
    username: P.text("", "User Name", "v1: account at the server."),
    password: P.secret("Password", "v1: its password."),
    token: P.secret("Token", "v2 and v3."),
    gzip: P.flag(true, "GZip", "Longer bodies are compressed."),
    ...P.poolParam(4),
    ...P.TIMEOUT,
    ...CERTIFICATES,
  },
  keys: KEYS,
  advice: ADVICE,
  judge: judgeInflux,
  open(c) {
    const base = httpUrl(c.url);
    if (base === null || base.username !== "" || base.password !== "")
      throw new Error(`url: expected http://host:port, without an account`);
    const version = c.version as InfluxVersion;
    if (version === "v2" && c.org === "") throw new Error("org is missing: v2 wants it");
    const write = writeUrl(base, version, c);
    const timeoutMs = 1000 * c.timeout;
    const server = {
      version,
      write,
      headers: credentials(version, c),
      gzip: c.gzip,
      timeoutMs,
      tls: base.protocol === "https:" ? P.tlsIn({ ...c, ssl: true }) : null,
    };
    return {
      what: `InfluxDB at ${base.origin}${pathOf(base)}`,
      open: () => new InfluxDriver(server),
      close: (driver: InfluxDriver) => driver.close(),
      lost: () => false,
      probe: (driver: InfluxDriver) => driver.probe(),
      pool: c.pool_size,
      timeoutMs,
      retries: 1,
    };
  },
});

const pathOf = (url: URL): string => url.pathname.replace(/\/+$/, "");

interface Where {
  readonly database: string;
  readonly retention_policy: string;
  readonly org: string;
}

function writeUrl(base: URL, version: InfluxVersion, c: Where): URL {
  const paths = { v1: "/write", v2: "/api/v2/write", v3: "/api/v3/write_lp" };
  const url = new URL(`${pathOf(base)}${paths[version]}`, base);
  if (version === "v2") {
    url.searchParams.set("org", c.org);
    url.searchParams.set("bucket", c.database);
  } else url.searchParams.set("db", c.database);
  if (version === "v1" && c.retention_policy !== "") url.searchParams.set("rp", c.retention_policy);
  return url;
}

function credentials(
  version: string,
  { username, password, token }: { username: string; password: string; token: string },
): Record<string, string> {
  if (version === "v1" && username !== "") return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
  if (token === "") return {};
  return { authorization: `${version === "v3" ? "Bearer" : "Token"} ${token}` };
}

function influxWriting(template: LineTemplate, precision: Precision): Writing<InfluxDriver, Point> {
  return {
    make(row, event) {
      const at = event.column("timestamp");
      return { precision, line: template.line(row, typeof at === "number" ? at : Date.now()) };
    },
    shown: ({ line }) => line,
    write: (driver, points, { wanted }) => asWritten("measurement, tags, fields", driver.write(points, wanted)),
  };
}

const ACTION = actionKind(["influxdb"], {
  name: "data_to_influxdb",
  title: "Data to InfluxDB",
  description: "Store points in InfluxDB",
  params: {
    measurement: { ...P.needed("Measurement", "Name of the measurement; may have variables."), format: "template" } as const,
    tags: fieldsParam("Tags", "Name and value of each; values may have variables. What is not there is left out."),
    fields: {
      type: "object",
      required: true,
      title: "Fields",
      description:
        'Name and value of each: ${t} as it is, ${n}i an integer, ${n}u an unsigned one, "${s}" a text. What is not there is left out.',
    } as const,
    timestamp: P.template("", "Timestamp", "A whole number in the precision below; empty = the time of the event."),
    precision: P.choice(["ns", "us", "ms", "s"], "ms", "Precision", "Of timestamps."),
  },
  open: (p) => influxWriting(compileLine(p, p.precision as Precision), p.precision as Precision),
});

export const INFLUX = { resources: [RESOURCE], actions: [ACTION] };
