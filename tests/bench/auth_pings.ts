/**
 * Part of `bun run bench auth`: how long somebody else waits for PINGRESP while log-ins with bcrypt are checked as fast as they are answered. Broker,
 * database and clients run where they like: on one core with the broker's event loop a hash's thread would be measured, and not the loop.
 */
import { AuthKit } from "../support/auth_kit.ts";
import { RawClient } from "../support/clients.ts";
import { MariaDb, Postgres } from "../support/servers.ts";
import { isThere, KINDS, sql, withKit } from "./auth_servers.ts";
import { type Generator, runLoad } from "./generator.ts";
import { complaint, toMarkdown } from "./table.ts";

const COST = 10;
const IN_FLIGHT = 64;
const PING_EVERY_MS = 2;
/** Without log-ins. */
const CALM_MS = 5000;

/** Of one client, one after the other until `over` is settled, ms, sorted. */
async function roundTrips(port: number, over: Promise<unknown>): Promise<number[]> {
  const c = await RawClient.connected(port, "pings");
  const gone = new Promise<never>((_, reject) => c.socket.once("close", () => reject(new Error("the broker closes the connection"))));
  // At the end by ourselves.
  void gone.catch(() => {});
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  void over.then(end, end);
  const times: number[] = [];
  while (!isOver) {
    const answered = new Promise<void>((done) => (c.onPacket = () => done()));
    const t0 = performance.now();
    c.send({ cmd: "pingreq" });
    await Promise.race([answered, gone]);
    times.push(performance.now() - t0);
    await Bun.sleep(PING_EVERY_MS);
  }
  c.drop();
  return times.sort((a, b) => a - b);
}

/** A value for each user: `('u0', '$2b$…')`. No two are alike, or the second log-in with one would cost nothing. */
async function users(count: number): Promise<string> {
  const hash = (i: number): Promise<string> => Bun.password.hash(`p${i}`, { algorithm: "bcrypt", cost: COST });
  const hashes = await Promise.all(Array.from({ length: count }, (_, i) => hash(i)));
  return hashes.map((text, i) => `('u${i}', '${text}')`).join(", ");
}

/** Rows: alone, and beside `count` log-ins. */
async function compare(generator: Generator, port: number, count: number): Promise<string[][]> {
  const calm = await roundTrips(port, Bun.sleep(CALM_MS));
  // It gives up on any CONNACK but 0.
  const logIns = ["connect", "--count", String(count), "--conc", String(IN_FLIGHT), "--users", String(count), "--port", String(port)];
  const load = runLoad(generator, logIns);
  const busy = await roundTrips(port, load);
  const run = await load;
  const wrong = complaint(run);
  if (wrong !== "") throw new Error(wrong);
  const row = (title: string, logInsPerS: string, times: number[]): string[] => {
    const at = (share: number): string => (times[Math.round(share * (times.length - 1))] ?? Number.NaN).toFixed(2);
    return [title, logInsPerS, at(0.5), at(0.99), at(1), String(times.length)];
  };
  return [row("nobody logs in", "", calm), row("log-ins", (run.connects_per_s ?? Number.NaN).toFixed(0), busy)];
}

/** With the first database that is installed. */
export async function benchPings(generator: Generator, quick: boolean): Promise<string> {
  const kind = KINDS.find((k) => /_(?:pgsql|mysql)$/.test(k.plugin) && isThere(k));
  if (kind === undefined) return "Neither PostgreSQL nor MariaDB is installed: no log-ins with bcrypt.";
  const count = quick ? 2 * IN_FLIGHT : 400;
  const fill = `insert into mqtt_user (username, password) values ${await users(count)}`;
  const outside = await (kind.plugin === "emqx_auth_pgsql" ? sql(new Postgres(), "postgres", fill) : sql(new MariaDb(), "mysql", fill));
  try {
    await outside.close();
    const kit = new AuthKit(kind.plugin, kind.prefix);
    const lines = { ...outside.lines, password_hash: "bcrypt" };
    const rows = await withKit(kit, lines, () => compare(generator, kit.broker.ports.tcp, count), "anywhere");
    return [
      `PINGREQ to PINGRESP of one client beside ${count} log-ins with bcrypt (cost ${COST}, ${kind.title}), ${IN_FLIGHT} at a time.`,
      "",
      toMarkdown([["", "log-ins/s", "p50 ms", "p99", "at most", "pings"], ...rows]),
    ].join("\n");
  } finally {
    await outside.server?.remove();
  }
}
