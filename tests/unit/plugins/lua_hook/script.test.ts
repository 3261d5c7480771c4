/** One script's life: what cannot be loaded now is tried again. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { Script, type ScriptHost } from "../../../../server/plugins/lua_hook/script.ts";
import { removeTempDirs, tempDir } from "../harness.ts";

const NOW = 1_700_000_000_000;
const GOOD = 'function register_hook() return "on_message_publish" end function on_message_publish() end';
const scripts: Script[] = [];
afterEach(() => {
  for (const script of scripts.splice(0)) script.end("unloaded");
});
afterAll(removeTempDirs);

/** Time passes when the test says so. */
class Waiting implements ScriptHost {
  readonly limits = { budget: 20_000, memory: 16 * 1024 * 1024 };
  readonly overruns = 5;
  packet = 0;
  waits: { ms: number; fn: () => void } | null = null;
  changes = 0;
  now = (): number => NOW;
  mono = (): MonoMs => 1 as MonoMs;
  after(ms: number, fn: () => void): () => void {
    const wait = { ms, fn };
    this.waits = wait;
    return () => {
      if (this.waits === wait) this.waits = null;
    };
  }
  changed(): void {
    this.changes++;
    this.#told();
  }
  #told = (): void => {};
  failed(): void {}
  stopped(): void {}
  printed(): void {}
  notTold(): void {}

  /** It has come; resolves when something came of it. */
  pass(): Promise<void> {
    const { fn } = this.waits as { fn: () => void };
    this.waits = null;
    const told = new Promise<void>((resolve) => {
      this.#told = resolve;
    });
    fn();
    return told;
  }
}

function made(name = "a.lua"): { script: Script; host: Waiting; path: string } {
  const host = new Waiting();
  const path = join(tempDir(), name);
  const script = new Script(name, "lua", path, host);
  scripts.push(script);
  return { script, host, path };
}

describe("what could not be loaded now", () => {
  test("a file that cannot be read is tried again, each time later, five minutes at most", async () => {
    const { script, host, path } = made();
    mkdirSync(path);
    expect(await script.load()).toBe("its file cannot be read: it is a directory");
    const waits: (number | undefined)[] = [];
    for (let i = 0; i < 11; i++) {
      waits.push(host.waits?.ms);
      expect([script.state, script.retryAt]).toEqual(["failed", NOW + (host.waits?.ms ?? 0)]);
      await host.pass();
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((s) => s * 1000));
    rmdirSync(path);
    writeFileSync(path, GOOD);
    await host.pass();
    expect([script.state, script.error, script.retryAt, host.waits]).toEqual(["running", null, null, null]);
  });

  test("one that is too slow is tried again", async () => {
    const { script, host, path } = made();
    writeFileSync(path, "\nwhile true do end");
    expect(await script.load()).toBe("line 2: loading it took more than 2000 ms");
    expect([script.state, script.retryAt, host.waits?.ms]).toEqual(["failed", NOW + 1000, 1000]);
    writeFileSync(path, GOOD);
    await host.pass();
    expect([script.state, script.error, script.retryAt]).toEqual(["running", null, null]);
  });

  test("a new version, too: the former one runs meanwhile", async () => {
    const { script, host, path } = made();
    writeFileSync(path, GOOD);
    expect(await script.load()).toBeNull();
    writeFileSync(path, "while true do end");
    expect(await script.load()).toContain("took more than 2000 ms");
    expect([script.state, script.retryAt, host.waits?.ms]).toEqual(["running", NOW + 1000, 1000]);
    writeFileSync(path, `${GOOD} `);
    await host.pass();
    expect([script.state, script.error, script.retryAt]).toEqual(["running", null, null]);
  });

  test("a worker that cannot be started, too: nothing is thrown", async () => {
    const { script, host, path } = made();
    writeFileSync(path, GOOD);
    host.packet = -8_000_000;
    expect(await script.load()).toStartWith("its worker cannot be started: ");
    expect([script.state, host.waits?.ms]).toEqual(["failed", 1000]);
    host.packet = 0;
    await host.pass();
    expect(script.state).toBe("running");
  });

  test("a mistake in it is not: it would be the same", async () => {
    const { script, host, path } = made();
    writeFileSync(path, "x(");
    expect(await script.load()).toStartWith("line 1: ");
    expect([script.state, script.retryAt, host.waits]).toEqual(["failed", null, null]);
  });

  test("by command it is loaded at once, or not any more", async () => {
    const { script, host, path } = made();
    expect(await script.load()).toContain("there is no such file");
    script.end("unloaded");
    expect([script.state, script.retryAt, host.waits]).toEqual(["unloaded", null, null]);
    expect(await script.load()).toContain("there is no such file");
    expect(host.waits?.ms).toBe(1000);
    await host.pass();
    writeFileSync(path, GOOD);
    expect(await script.load()).toBeNull();
    expect([script.state, script.retryAt, host.waits]).toEqual(["running", null, null]);
  });
});
