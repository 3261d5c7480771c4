/** Opening: what is made, what is refused and in which words. */
import { Database } from "bun:sqlite";
import { expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { FileSync } from "../../../server/storage/file_sync.ts";
import { MIGRATIONS } from "../../../server/storage/migrations/index.ts";
import { openStore, StoreError } from "../../../server/storage/sqlite.ts";
import { bytes, message, meta, row } from "./fixtures.ts";
import { copyFiles, counts, inside, LogRecorder, newDir, openIn } from "./sqlite_harness.ts";

const db = (dir: string): string => join(dir, "baomq.db");
const mode = (path: string): number => statSync(path).mode & 0o777;
const isRoot = process.getuid?.() === 0;

function refusal(dir: string): StoreError {
  try {
    openStore({ dir, sync: "normal", log: new LogRecorder() }).close();
  } catch (err) {
    if (err instanceof StoreError) return err;
    throw err;
  }
  throw new Error("the store opened");
}

/** A directory with a closed store that holds some data. */
function filled(messages = 200): string {
  const dir = newDir();
  const store = openIn(dir);
  const key = store.sessions.open(0, meta("a"));
  for (let i = 1; i <= messages; i++) store.sessions.enqueue(key, i, message(`t/${i}`, new Uint8Array(300)), 1, 0, null, false);
  for (let i = 0; i < messages; i++) store.retained.put(i + 1, row(`r/${i}`, new Uint8Array(300)));
  store.close();
  return dir;
}

function edit(dir: string, fn: (d: Database) => void): void {
  const d = new Database(db(dir));
  fn(d);
  d.close();
}

test.skipIf(process.platform === "win32")("directory 0700, files 0600, whatever the umask", () => {
  const was = process.umask(0);
  try {
    const dir = join(newDir(), "deep");
    const store = openIn(dir);
    store.kv("a").set("b", "c");
    store.commit();
    store.backup(join(dir, "copy.db"));
    expect(mode(dir)).toBe(0o700);
    for (const f of ["baomq.db", "baomq.db-wal", "baomq.pid", "copy.db"]) expect(mode(join(dir, f))).toBe(0o600);
    store.close();
  } finally {
    process.umask(was);
  }
});

test("a clean end leaves the file and its seal", () => {
  const dir = filled();
  const all = [...new Bun.Glob("**").scanSync({ cwd: dir, dot: true })];
  expect(all.sort()).toEqual(["baomq.db", "baomq.db.seal"]);
});

test("a file that is not a database is refused and left as it is", () => {
  const dir = newDir();
  mkdirSync(dir);
  const text = "this is a note that someone left here\n".repeat(500);
  writeFileSync(db(dir), text);
  const err = refusal(dir);
  expect(err.code).toBe("damaged");
  expect(err.message).toBe(
    `${db(dir)} is damaged (it is not a database): move it, ${db(dir)}-wal and the baomq.redo files to another place, then put a backup in its place or start without one, empty`,
  );
  expect(readFileSync(db(dir), "utf8")).toBe(text);
});

test("an empty file, and a missing one whose journal is there, are no new databases", () => {
  const empty = newDir();
  mkdirSync(empty);
  writeFileSync(db(empty), "");
  expect(refusal(empty)).toMatchObject({ code: "damaged", message: expect.stringContaining("it is empty") });

  const store = openIn(newDir());
  store.kv("a").set("b", "c");
  store.commit();
  const copy = copyFiles(store);
  store.close();
  rmSync(db(copy));
  expect(refusal(copy)).toMatchObject({ code: "damaged", message: expect.stringContaining("it is missing, but ") });
  expect(existsSync(db(copy))).toBe(false);
});

test("a file cut short is refused", () => {
  const dir = filled();
  truncateSync(db(dir), Math.floor(statSync(db(dir)).size / 2 / 4096) * 4096);
  expect(refusal(dir)).toMatchObject({ code: "damaged", message: expect.stringContaining(db(dir)) });
});

test("pages overwritten anywhere are refused at the opening of a small file", () => {
  const clean = filled();
  const pages = statSync(db(clean)).size / 4096;
  let refused = 0;
  for (let page = 1; page < pages; page += 7) {
    const dir = newDir();
    mkdirSync(dir);
    copyFileSync(db(clean), db(dir));
    const fd = openSync(db(dir), "r+");
    writeSync(fd, new Uint8Array(4096).fill(0xa5), 0, 4096, page * 4096);
    expect(refusal(dir).code).toBe("damaged");
    refused++;
  }
  expect(refused).toBeGreaterThan(5);
});

test("damage that only the reading meets is an error with the same words", () => {
  const dir = filled();
  edit(dir, (d) => {
    d.run("UPDATE messages SET properties = '{\"u\":[[' WHERE id = 5");
    d.run("UPDATE retained SET properties = 'nonsense' WHERE topic = 'r/5'");
  });
  const store = openIn(dir);
  expect(() => store.sessions.load()).toThrow(`${db(dir)} is damaged (`);
  expect(() => [...store.retained.load()]).toThrow(`${db(dir)} is damaged (`);
  store.close();
});

test("a newer format is refused and left as it is", () => {
  const dir = filled();
  edit(dir, (d) => d.run("PRAGMA user_version = 99"));
  const err = refusal(dir);
  expect(err.code).toBe("newer");
  expect(err.message).toContain(
    `${db(dir)} was written by a newer version (data format 99, this program knows ${MIGRATIONS.length}): use the newer version`,
  );
  edit(dir, (d) => {
    d.run("DROP TABLE redo");
    d.run("PRAGMA user_version = 2");
  });
  const store = openIn(dir);
  expect(store.sessions.load()[0]?.deliveries).toHaveLength(200);
  store.close();
});

test("a file without a data format is damaged, and left as it is", () => {
  const dir = filled(1);
  edit(dir, (d) => d.run("PRAGMA user_version = 0"));
  expect(refusal(dir)).toMatchObject({ code: "damaged", message: expect.stringContaining("it has no data format") });
});

test("settings of plugins kept in the form of before are one row each", () => {
  const dir = filled();
  edit(dir, (d) => {
    d.run("DROP TABLE redo");
    d.run("PRAGMA user_version = 1");
    const put = d.prepare("INSERT INTO kv (namespace, key, value) VALUES ('plugins', ?, ?)");
    put.run("config/emqx_retainer", JSON.stringify({ "retainer.max_payload_size": "2MB", "retainer.expiry_interval": "1h" }));
    put.run("live/emqx_retainer", JSON.stringify({ "retainer.max_payload_size": "3MB" }));
    put.run("state/emqx_retainer", "loaded");
    put.finalize();
  });
  const store = openIn(dir);
  expect(store.kv("settings").entries()).toEqual([
    ["retainer.expiry_interval", "1h"],
    ["retainer.max_payload_size", "3MB"],
  ]);
  expect(store.kv("plugins").entries()).toEqual([["state/emqx_retainer", "loaded"]]);
  store.close();
});

test("retained messages that were found by their topics keep their numbers, and topics are not looked for any more", () => {
  const dir = filled(3);
  edit(dir, (d) => {
    d.run("DROP TABLE redo");
    d.run("PRAGMA user_version = 2");
    d.run("CREATE UNIQUE INDEX by_topic ON retained (topic)");
  });
  const store = openIn(dir);
  expect([...store.retained.load()].map((r) => [r.id, r.message.topic, r.message.payload.length])).toEqual([
    [1, "r/0", 300],
    [2, "r/1", 300],
    [3, "r/2", 300],
  ]);
  store.close();
  edit(dir, (d) => expect(d.query("PRAGMA index_list(retained)").all()).toEqual([]));
});

test("another program's database is refused and left as it is", () => {
  const dir = newDir();
  mkdirSync(dir);
  edit(dir, (d) => d.run("CREATE TABLE theirs (x)"));
  const before = readFileSync(db(dir));
  expect(refusal(dir)).toMatchObject({ code: "foreign", message: expect.stringContaining("a database of another program") });
  expect(readFileSync(db(dir)).equals(before)).toBe(true);
});

test("a file in the place of the directory", () => {
  const dir = newDir();
  writeFileSync(dir, "");
  expect(refusal(dir)).toMatchObject({
    code: "access",
    message: `data directory ${dir} cannot be used: a file of that name is in the way`,
  });
});

test.skipIf(isRoot || process.platform === "win32")("a directory or file without permission", () => {
  const dir = filled();
  chmodSync(db(dir), 0o400);
  expect(refusal(dir)).toMatchObject({ code: "access", message: expect.stringContaining(`${db(dir)} cannot be read and written`) });
  chmodSync(db(dir), 0o600);
  chmodSync(dir, 0o500);
  expect(refusal(dir)).toMatchObject({ code: "access", message: expect.stringContaining(`data directory ${dir} cannot be used`) });
  chmodSync(dir, 0o700);
});

test("a refused opening leaves the directory free", () => {
  const dir = filled();
  edit(dir, (d) => d.run("PRAGMA user_version = 99"));
  refusal(dir);
  expect(refusal(dir).code).toBe("newer");
});

test("leftovers are swept at load: they are told, and the rest is untouched", () => {
  const dir = filled(20);
  edit(dir, (d) => {
    d.run(
      "INSERT INTO messages SELECT 1000, topic, payload, flags, sender, username, timestamp, expires_at, properties FROM messages WHERE id = 1",
    );
    d.run("INSERT INTO deliveries VALUES (77, 1, 1, 1, 0, NULL)");
    d.run("INSERT INTO subscriptions VALUES (77, 'x', 1, 0)");
    d.run("INSERT INTO awaiting_rel VALUES (77, 1, 1)");
    d.run("DELETE FROM messages WHERE id = 20");
    d.run(
      "INSERT INTO sessions SELECT 50, client_id, 'newer', version, zone, mountpoint, 0, 0, ip, created_at, expiry, 0, NULL, NULL FROM sessions",
    );
    d.run("INSERT INTO deliveries SELECT 50, seq, message, flags, packet_id, sub_ids FROM deliveries WHERE session = 1 AND seq > 10");
  });
  const log = new LogRecorder();
  const store = openIn(dir, log);
  const sessions = store.sessions.load();
  expect(sessions.map((s) => [s.key, s.meta.username])).toEqual([[50, "newer"]]);
  expect(sessions[0]?.deliveries.map((d) => d.seq)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19]);
  expect(counts(store)).toEqual({ sessions: 1, subscriptions: 0, deliveries: 9, messages: 9, awaitingRel: 0 });
  expect(log.lines.filter((l) => !l.startsWith("debug"))).toEqual([
    "error stored data is damaged",
    "error queued messages without a body were dropped",
    "warn leftovers of ended sessions were swept",
  ]);
  expect(store.damage.map((d) => d.slice(0, 40))).toEqual([
    `${db(dir)} has changed`.slice(0, 40),
    `1 queued messages in ${db(dir)}`.slice(0, 40),
  ]);
  log.lines.length = 0;
  expect(store.sessions.load()).toEqual(sessions);
  expect(log.lines).toEqual([]);
  store.close();
});

test.each([
  [
    "rows of a session that is not there",
    "INSERT INTO deliveries VALUES (77, 1, 1, 1, 0, NULL)",
    ["warn leftovers of ended sessions were swept"],
  ],
  ["a message that no delivery needs", "DELETE FROM deliveries WHERE seq = 3", []],
] as const)("%s are swept, and no damage", (_, sql, told) => {
  const dir = filled(5);
  edit(dir, (d) => d.run(sql));
  rmSync(`${db(dir)}.seal`);
  const log = new LogRecorder();
  const store = openIn(dir, log);
  const messages = store.sessions.load()[0]?.deliveries.length as number;
  expect(log.lines.filter((l) => !l.startsWith("debug"))).toEqual([...told]);
  expect(store.damage).toEqual([]);
  expect(counts(store)).toMatchObject({ deliveries: messages, messages });
  store.close();
});

test("a backup is a whole store; it does not replace a file", () => {
  const dir = filled(10);
  const store = openIn(dir);
  store.kv("pending").set("too", "yes");
  const other = newDir();
  mkdirSync(other);
  store.backup(db(other));
  expect(() => store.backup(db(other))).toThrow(`backup ${db(other)} cannot be written: there is such a file already`);
  store.kv("later").set("x", "y");
  store.close();
  const copy = openIn(other);
  expect(copy.kv("pending").get("too")).toBe("yes");
  expect(copy.kv("later").get("x")).toBeUndefined();
  expect(copy.sessions.load()[0]?.deliveries).toHaveLength(10);
  expect([...copy.retained.load()]).toHaveLength(10);
  copy.close();
});

test("the journal is folded back in time, does not stay large, and the cache is bounded", () => {
  const store = openIn(newDir());
  const pragma = (name: string): unknown => inside(store).value(`PRAGMA ${name}`);
  expect(["wal_autocheckpoint", "journal_size_limit", "cache_size", "locking_mode", "journal_mode"].map(pragma)).toEqual([
    0,
    0,
    -8000,
    "exclusive",
    "wal",
  ]);
  store.close();
});

test("on going to always, what was committed before is waited for", () => {
  const store = openIn(newDir());
  const now = spyOn(FileSync.prototype, "now");
  try {
    const times = (["normal", "always", "always", "normal"] as const).map((mode) => {
      store.setSync(mode);
      return now.mock.calls.length;
    });
    // The database's journal and the redo log.
    expect(times).toEqual([0, 3, 3, 3]);
  } finally {
    now.mockRestore();
    store.close();
  }
});

test.skipIf(process.platform === "win32").each([
  ["nonsense", "another process"],
  ["0", "another process"],
  ["1", "process 1"],
])("a directory in use, and %p in the pid file: by %s", (content, who) => {
  const dir = newDir();
  const store = openIn(dir);
  writeFileSync(join(dir, "baomq.pid"), content);
  expect(refusal(dir)).toMatchObject({ code: "locked", message: expect.stringContaining(`${dir} is in use by ${who}: `) });
  store.close();
});

test("after close a commit is refused, a second close is nothing", () => {
  const store = openIn(newDir());
  const kv = store.kv("a");
  store.close();
  store.close();
  store.commit();
  kv.set("b", "c");
  expect(() => store.commit()).toThrow("is closed");
});

test("a payload that is part of a larger buffer is written alone", () => {
  const dir = newDir();
  let store = openIn(dir);
  const key = store.sessions.open(0, meta("a"));
  store.sessions.enqueue(key, 1, message("t", bytes(9, 9, 1, 2, 9).subarray(2, 4)), 1, 0, null, false);
  store.close();
  store = openIn(dir);
  expect(store.sessions.load()[0]?.deliveries[0]?.message.payload).toEqual(bytes(1, 2));
  store.close();
});

/** Whether a start checks a file of that size. It is sparse: SQLite takes its length from its head. */
function checksAt(size: number, unclean: boolean): boolean {
  const dir = filled(1);
  truncateSync(db(dir), size);
  // It knows the length that the file had.
  rmSync(`${db(dir)}.seal`);
  if (unclean) writeFileSync(join(dir, "baomq.pid"), "");
  const log = new LogRecorder();
  openIn(dir, log).close();
  return log.lines.includes("debug database checked");
}

test("a file is checked up to 16 MiB, after an unclean end up to 256 MiB", () => {
  const [small, large] = [16 * 1024 * 1024, 256 * 1024 * 1024];
  expect([small, small + 4096].map((size) => checksAt(size, false))).toEqual([true, false]);
  expect([small + 4096, large, large + 4096].map((size) => checksAt(size, true))).toEqual([true, true, false]);
});

test.skipIf(process.platform !== "linux")("nothing stays open behind a start, a backup and an end", () => {
  const dir = filled(1);
  const opened = (): number => readdirSync("/proc/self/fd").length;
  const before = opened();
  for (let i = 0; i < 3; i++) {
    const store = openIn(dir);
    store.backup(join(dir, `copy-${i}.db`));
    store.close();
    expect(opened()).toBe(before);
  }
});
