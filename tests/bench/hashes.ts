/** Part of `bun run bench auth`: how long a client that is connected waits while others log in whose passwords are hashed slowly. */
import { pbkdf2Sync } from "node:crypto";
import { AuthKit } from "../support/auth_kit.ts";
import { POSTGRESQL } from "../support/peers.ts";
import { Postgres } from "../support/servers.ts";
import { type Generator, runLoad } from "./generator.ts";
import { median, toMarkdown } from "./table.ts";
import { waits } from "./waits.ts";

const USERS = 20;
const ROUNDS = 3;
/** `password_hash` -> what stands in the table for user `i`, whose password is `p<i>`. */
const HASHES: Readonly<Record<string, (i: number) => string>> = {
  bcrypt: (i) => Bun.password.hashSync(`p${i}`, { algorithm: "bcrypt", cost: 10 }),
  "pbkdf2,sha256,100000,32": (i) => pbkdf2Sync(`p${i}`, "pep", 100_000, 32, "sha256").toString("hex"),
};

async function row(generator: Generator, hash: string, quick: boolean): Promise<string[]> {
  const db = new Postgres();
  await db.start();
  try {
    db.run("create database mqtt");
    const word = HASHES[hash] as (i: number) => string;
    const values = Array.from({ length: USERS }, (_, i) => `('u${i}', '${word(i)}', 'pep')`);
    db.run(
      `create table mqtt_user (username text primary key, password text, salt text, is_superuser boolean default false);
       create table mqtt_acl (allow int, ipaddr text, username text, clientid text, access int, topic text);
       insert into mqtt_user values ${values.join(",")};`,
      "mqtt",
    );
    const kit = new AuthKit("emqx_auth_pgsql", "auth.pgsql");
    const salted = hash === "bcrypt" ? {} : { auth_query: "select password, salt from mqtt_user where username = '%u' limit 1" };
    await kit.start({ server: `127.0.0.1:${db.port}`, username: db.user, password: db.password, password_hash: hash, ...salted });
    try {
      return [hash, ...(await storm(generator, kit, quick ? 100 : 400))];
    } finally {
      await kit.stop([]);
    }
  } finally {
    await db.remove();
  }
}

/** Log-ins a second, and the longest wait of somebody who asks every 5 ms whether anybody is there, ms; medians. */
async function storm(generator: Generator, kit: AuthKit, count: number): Promise<string[]> {
  const { ports, pid } = kit.broker;
  const rates: number[] = [];
  const longest: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const other = await waits(ports.tcp);
    const args = ["connect", "--count", String(count), "--port", String(ports.tcp), "--pid", String(pid), "--users", String(USERS)];
    const run = await runLoad(generator, args);
    longest.push(other.longest());
    other.end();
    if (run.error !== undefined) throw new Error(run.error);
    rates.push(run.connects_per_s ?? Number.NaN);
  }
  return [Math.round(median(rates)).toLocaleString("en-US"), median(longest).toFixed(0)];
}

export async function benchHashes(generator: Generator, quick: boolean): Promise<string> {
  if (POSTGRESQL.find() === null) return `PostgreSQL is not installed: apt-get install ${POSTGRESQL.apt}`;
  const rows: string[][] = [];
  for (const hash of Object.keys(HASHES)) rows.push(await row(generator, hash, quick));
  return [
    "A client asks every 5 ms whether anybody is there, while others log in whose passwords are hashed slowly.",
    "",
    toMarkdown([["password_hash", "log-ins/s", "longest wait, ms"], ...rows]),
  ].join("\n");
}
