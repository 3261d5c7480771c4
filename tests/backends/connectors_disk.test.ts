/**
 * A disk that is full, a small one of its own: lines of a file wait until there is room and are whole then; what waits on the disk for a server that is
 * away goes on in memory, an alarm says so, and all of it arrives. Needs root, for a file system of a given size.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectors } from "../../server/plugins/_connectors/index.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { missingWords, type Need, needing, REDIS } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { until } from "../support/until.ts";

const disk = mkdtempSync(join(tmpdir(), "baomq-disk-"));
/** Why there is no small file system at `disk`; null = there is one. */
const refused = mountedAt(disk);
const SMALL_DISK: Need = {
  name: "a disk of one MiB",
  tests: "a disk that is full under rules",
  get: `to test it too: be root where a tmpfs may be mounted (${refused})`,
  find: () => (refused === null ? disk : null),
  isRight: true,
};
function mountedAt(path: string): string | null {
  if (Bun.which("mount") === null) return "there is no mount: apt-get install -y mount";
  const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], { stderr: "pipe" });
  return exitCode === 0 ? null : stderr.toString().trim();
}
if (refused !== null) console.log(missingWords([SMALL_DISK], false).join("\n"));
afterAll(() => {
  if (refused === null) Bun.spawnSync(["umount", disk]);
  rmSync(disk, { recursive: true, force: true });
});
const testing = needing(SMALL_DISK, test);
const KINDS = connectors({ files: () => join(disk, "files") });
const ballast = join(disk, "ballast");
/** Leaves so many bytes, in pages. */
function fill(left: number): void {
  writeFileSync(ballast, Buffer.alloc(1024 * 1024 - left));
}

testing("a file: lines wait for room, and each is there once, whole", async () => {
  mkdirSync(join(disk, "files"), { recursive: true });
  fill(64 * 1024);
  const w = new Wired(kindOf(KINDS, "data_to_file"), { path: "log" }, { payload_tmpl: "${n} ${more}", batch_size: 7 });
  const told: boolean[] = [];
  const alarm = w.server.alarm.bind(w.server);
  w.server.alarm = (what, desc) => {
    told.push(desc !== null);
    alarm(what, desc);
  };
  const more = "x".repeat(990);
  for (let n = 0; n < 300; n++) w.run({ n, more });
  await until(() => /the disk is full/.test(w.resource.status()[0]?.lastError ?? ""), "it is full");
  const there = readFileSync(join(disk, "files", "log"), "utf8");
  expect([there.endsWith("\n"), w.letters]).toEqual([true, []]);
  expect(w.action.waiting?.().rows).toBeGreaterThan(0);
  // That the file can be opened is no proof that it can be written to.
  await until(() => told.length > 0 && (w.resource.status()[0]?.failed ?? 0) > 7, "it is tried again");
  rmSync(ballast);
  await until(() => w.settled, "there is room");
  expect(w.host.counts).toEqual({ done: 300, failed: 0, dropped: 0 });
  const lines = readFileSync(join(disk, "files", "log"), "utf8").split("\n");
  expect(lines).toEqual([...Array.from({ length: 300 }, (_, n) => `${n} ${more}`), ""]);
  await until(() => w.state === "up" && w.server.alarms.size === 0, "it is told");
  expect(told).toEqual([true, false]);
  await w.close();
  rmSync(join(disk, "files"), { recursive: true });
});

const withRedis = needing(REDIS, testing);

withRedis("a queue on the disk: what finds no room there waits in memory, an alarm says so, and all arrives in order", async () => {
  const server = new RedisServer();
  await server.start();
  await server.kill();
  fill(64 * 1024);
  const queue = join(disk, "queue");
  const config = { server: `127.0.0.1:${server.port}`, password: server.password, timeout: 1 };
  const params = { cmd: "RPUSH rows ${n} ${more}", disk_size: 100 };
  const w = new Wired(kindOf(KINDS, "data_to_redis"), config, params, queue);
  const more = "x".repeat(990);
  for (let n = 0; n < 300; n++) w.run({ n, more });
  await until(() => w.host.alarms.has("disk"), "it is full");
  expect(w.host.alarms.get("disk")?.summary).toContain("ENOSPC");
  expect([w.action.waiting?.().rows, w.host.counts]).toEqual([300, { done: 0, failed: 0, dropped: 0 }]);
  rmSync(ballast);
  await until(() => !w.host.alarms.has("disk"), "there is room");
  // Killed with the node it would be there now: another one finds it.
  await w.close();
  const next = new Wired(kindOf(KINDS, "data_to_redis"), config, params, queue);
  await server.start();
  await until(() => next.host.counts.done === 300, "all have arrived");
  const rows = server.run("LRANGE", "rows", "0", "-1").split("\n");
  expect(rows.filter((_, i) => i % 2 === 0).map(Number)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  expect(next.letters).toEqual([]);
  await next.close();
  await server.remove();
});
