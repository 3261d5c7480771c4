/** What other processes do to a store: kill -9, a second process, a disk that fails. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { openStore, StoreError, type SyncMode } from "../../../server/storage/sqlite.ts";
import { LogRecorder, newDir, openIn } from "./sqlite_harness.ts";
import { PER_BATCH } from "./writer_child.ts";

const WRITER = join(import.meta.dir, "writer_child.ts");

/** Lines of a child's output, one by one. */
async function* lines(out: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of out) {
    rest += decoder.decode(chunk, { stream: true });
    const cut = rest.split("\n");
    rest = cut.pop() as string;
    yield* cut;
  }
}

type What = "messages" | "settings";

function writer(dir: string, sync: SyncMode, what: What) {
  return Bun.spawn([process.execPath, WRITER, dir, sync, what], { stdout: "pipe", stderr: "inherit" });
}

/** Batches found in the directory; each must be there whole. */
function committed(dir: string, what: What): number {
  const store = openIn(dir);
  const deliveries = store.sessions.load()[0]?.deliveries ?? [];
  const batches = what === "settings" ? store.kv("batches").entries().length : Math.floor(deliveries.length / PER_BATCH);
  expect(deliveries).toHaveLength(batches * PER_BATCH);
  const want = Array.from({ length: deliveries.length }, (_, i) => `${Math.floor(i / PER_BATCH)}/${i % PER_BATCH}`);
  expect(deliveries.map((d) => d.message.topic)).toEqual(want);
  store.close();
  return batches;
}

for (const [sync, what, until] of [
  ["always", "settings", 300],
  ["normal", "settings", 300],
  ["always", "messages", 300],
  ["normal", "messages", 300],
  // The batch goes to the database every 600 commits or so.
  ["normal", "messages", 2500],
] as const) {
  test(`kill -9 while writing ${what} (${sync}, ${until}): everything committed is there, no batch is half there`, async () => {
    const dir = newDir();
    const child = writer(dir, sync, what);
    let last = -1;
    for await (const line of lines(child.stdout)) {
      last = Number(line);
      if (last === until) child.kill("SIGKILL");
    }
    expect(await child.exited).not.toBe(0);
    expect(last).toBeGreaterThanOrEqual(until);
    const found = committed(dir, what);
    // A batch may be committed and its line not yet printed.
    expect([last + 1, last + 2]).toContain(found);
    expect(committed(dir, what)).toBe(found);
  });
}

test("a second process is refused, with directory and process id; kill -9 frees the directory at once", async () => {
  const dir = newDir();
  const child = writer(dir, "normal", "settings");
  const out = lines(child.stdout);
  await out.next();
  const open = () => openStore({ dir, sync: "normal", log: new LogRecorder() });
  expect(open).toThrow(
    new StoreError("locked", `data directory ${dir} is in use by process ${child.pid}: stop it, or give this one another data directory`),
  );
  child.kill("SIGKILL");
  await child.exited;
  open().close();
});

test("a second process is refused after a clean stop and a start, too", () => {
  const dir = newDir();
  openIn(dir).close();
  const store = openIn(dir);
  const open = `new (require("bun:sqlite").Database)(${JSON.stringify(join(dir, "baomq.db"))}).query("SELECT count(*) FROM kv").all()`;
  const other = Bun.spawnSync([process.execPath, "-e", open]);
  expect(other.stderr.toString()).toContain("database is locked");
  store.close();
});

test("the same process is refused, too", () => {
  const dir = newDir();
  const store = openIn(dir);
  expect(() => openIn(dir)).toThrow(`in use by process ${process.pid}`);
  store.kv("still").set("works", "1");
  store.close();
  const again = openIn(dir);
  expect(again.kv("still").get("works")).toBe("1");
  again.close();
});

test.skipIf(process.platform === "win32").each(["settings", "messages"] as const)(
  "a file that cannot grow: the commit of %s fails with a clear text, what was committed stays",
  async (what) => {
    const dir = newDir();
    openIn(dir).close();
    // Blocks of 512 or 1024 bytes, by shell; without the signal a write beyond the limit fails with EFBIG.
    const script = `trap '' XFSZ; ulimit -f 600; exec "${process.execPath}" "${WRITER}" "${dir}" normal ${what}`;
    const child = Bun.spawn(["sh", "-c", script], { stdout: "pipe", stderr: "inherit" });
    let last = -1;
    let failed = "";
    for await (const line of lines(child.stdout)) {
      if (line.startsWith("failed")) failed = line;
      else last = Number(line);
    }
    await child.exited;
    expect(failed).toContain(`${join(dir, "baomq.db")} cannot be written: `);
    expect(failed).toMatch(/input\/output error|the disk is full|file too large/i);
    expect(last).toBeGreaterThan(0);
    expect(committed(dir, what)).toBe(last + 1);
  },
);
