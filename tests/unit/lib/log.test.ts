import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogEvent, Logger, type LogHandler, type LogLevel } from "../../../server/lib/log.ts";
import { RotatingFile } from "../../../server/lib/log_file.ts";
import { jsonFormat, textFormat } from "../../../server/lib/log_format.ts";
import { type LogOptions, openLog } from "../../../server/lib/open_log.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-log-"));
afterAll(() => rmSync(dir, { recursive: true }));

const event = (message: string, fields?: Record<string, unknown>): LogEvent => ({ at: 0, level: "info", message, fields });
const text = (message: string, fields?: Record<string, unknown>, limit = -1) => textFormat(limit)(event(message, fields));
const json = (message: string, fields?: Record<string, unknown>, limit = -1) => JSON.parse(jsonFormat(limit)(event(message, fields)));

function memory(id: string, level: LogLevel): LogHandler & { lines: string[]; urgent: boolean[] } {
  const lines: string[] = [];
  const urgent: boolean[] = [];
  const write = (line: string, u: boolean) => {
    lines.push(line);
    urgent.push(u);
  };
  return { id, to: "memory", level, format: (e) => e.message, write, close: () => {}, lines, urgent };
}

describe("text", () => {
  test("time, level, message, fields", () => {
    expect(text("client connected", { client_id: "dev 1", ip: "10.0.0.1", n: 3, ok: true, none: null, gone: undefined })).toBe(
      '1970-01-01T00:00:00.000Z [info] client connected client_id="dev 1" ip=10.0.0.1 n=3 ok=true none=null',
    );
  });

  test("an event is one line, whatever clients send", () => {
    const line = text("bad\nname", { topic: "a\r\nb", u: "\u2028", empty: "" });
    expect(line).not.toMatch(/[\r\n\u2028]/u);
    expect(line).toContain('bad\\nname topic="a\\r\\nb"');
    expect(line).toEndWith('empty=""');
  });

  test("a long line is cut", () => {
    const line = text("x".repeat(100), {}, 50);
    expect(line).toHaveLength(50);
    expect(line).toEndWith("…");
  });
});

describe("JSON", () => {
  test("one object", () => {
    expect(json("up", { port: 1883, at: { host: "::" } })).toEqual({
      time: "1970-01-01T00:00:00.000Z",
      level: "info",
      message: "up",
      port: 1883,
      at: { host: "::" },
    });
  });

  test("fields do not replace the event's own", () => expect(json("up", { level: "x" })).toMatchObject({ level: "info", level_: "x" }));

  test("long texts are cut, the line stays JSON", () => {
    expect(json("x".repeat(99), { a: ["y".repeat(99)] }, 10)).toMatchObject({ message: `${"x".repeat(9)}…`, a: [`${"y".repeat(9)}…`] });
  });
});

describe("fields", () => {
  test.each([
    "password",
    "Password",
    "bind_password",
    "secret",
    "default_secret",
    "token",
    "access_token",
    "passwd",
    "authorization",
    "apiKey",
  ])("%s is not written", (key) => {
    for (const out of [text("x", { [key]: "hunter2" }), JSON.stringify(json("x", { a: { [key]: "hunter2" } }))]) {
      expect(out).not.toContain("hunter2");
      expect(out).toContain("******");
    }
  });

  test("nothing a field holds makes logging throw", () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const trap = Object.defineProperty({}, "x", {
      enumerable: true,
      get() {
        throw new Error("trap");
      },
    });
    const fields = {
      cycle,
      trap,
      big: 10n,
      nan: Number.NaN,
      fn: () => 1,
      sym: Symbol("s"),
      bytes: new Uint8Array(3),
      map: new Map([["k", 1]]),
      set: new Set([1]),
    };
    expect(json("x", fields)).toMatchObject({
      trap: { x: "<unreadable: trap>" },
      big: "10",
      nan: "NaN",
      bytes: "<3 bytes>",
      map: { k: 1 },
      set: [1],
    });
    expect(text("x", fields)).toContain("big=10");
  });

  test("errors with their stack", () => {
    expect(json("x", { error: new TypeError("no") }).error).toContain("TypeError: no");
    expect(text("x", { error: new TypeError("no") })).not.toContain("\n");
  });
});

describe("levels", () => {
  test("of the log and of each handler", () => {
    const [all, few] = [memory("all", "debug"), memory("few", "error")];
    const log = new Logger({ level: "info", handlers: [all, few], now: () => 0 });
    log.debug("d");
    log.info("i");
    log.notice("n");
    log.warn("w");
    log.error("e");
    log.critical("c");
    expect(all.lines).toEqual(["i\n", "n\n", "w\n", "e\n", "c\n"]);
    expect(few.lines).toEqual(["e\n", "c\n"]);
    expect(few.urgent).toEqual([true, true]);
    expect(all.urgent.slice(0, 3)).toEqual([false, false, false]);
  });

  test("can be changed while running", () => {
    const h = memory("h", "error");
    const log = new Logger({ level: "debug", handlers: [h], now: () => 0 });
    log.info("1");
    expect(log.setHandlerLevel("h", "info")).toBe(true);
    expect(log.setHandlerLevel("x", "info")).toBe(false);
    log.info("2");
    log.level = "warning";
    log.info("3");
    expect(h.lines).toEqual(["2\n"]);
    expect(log.handlers()).toEqual([{ id: "h", level: "info", to: "memory" }]);
    expect([log.level, log.enabled("info"), log.enabled("error")]).toEqual(["warning", false, true]);
  });

  test("a handler that fails disturbs nobody", () => {
    const good = memory("good", "debug");
    const bad: LogHandler = {
      ...memory("bad", "debug"),
      write: () => {
        throw new Error("disk full");
      },
    };
    const log = new Logger({ level: "debug", handlers: [bad, good], now: () => 0 });
    log.info("1");
    expect([good.lines, log.failures]).toEqual([["1\n"], 1]);
  });
});

describe("files", () => {
  const read = (path: string) => readFileSync(path, "utf8");

  test("rotate by size and count", () => {
    const path = join(dir, "deep/er/a.log");
    const f = new RotatingFile(path, 10, 3);
    for (const line of ["11111111\n", "22222222\n", "33333333\n", "44444444\n"]) f.write(line, true);
    f.close();
    expect([read(path), read(`${path}.1`), read(`${path}.2`), existsSync(`${path}.3`)]).toEqual([
      "44444444\n",
      "33333333\n",
      "22222222\n",
      false,
    ]);
  });

  test("a single file starts anew", () => {
    const path = join(dir, "one.log");
    const f = new RotatingFile(path, 10, 1);
    for (const line of ["11111111\n", "22222222\n"]) f.write(line, true);
    f.close();
    expect([read(path), existsSync(`${path}.1`)]).toEqual(["22222222\n", false]);
  });

  test("every file begins with its head, the one after a rotation too", () => {
    const path = join(dir, "head.log");
    const open = () => new RotatingFile(path, 14, 1, "# h\n");
    const f = open();
    f.write("1111111\n", true);
    expect(read(path)).toBe("# h\n1111111\n");
    f.write("2222222\n", true);
    f.close();
    expect(read(path)).toBe("# h\n2222222\n");
    open().close();
    expect(read(path)).toBe("# h\n2222222\n");
  });

  test("an existing file goes on, its size counted", () => {
    const path = join(dir, "old.log");
    writeFileSync(path, "12345678\n");
    const f = new RotatingFile(path, 10, 2);
    f.write("new\n", true);
    f.close();
    expect([read(path), read(`${path}.1`)]).toEqual(["new\n", "12345678\n"]);
  });

  test("lines wait for company unless urgent", () => {
    const path = join(dir, "wait.log");
    const f = new RotatingFile(path, 1000, 2);
    f.write("a\n", false);
    expect(read(path)).toBe("");
    f.write("b\n", true);
    expect(read(path)).toBe("a\nb\n");
    f.write("c\n", false);
    f.close();
    expect(read(path)).toBe("a\nb\nc\n");
  });

  test("no way to open it: an error at once", () => {
    writeFileSync(join(dir, "plain"), "");
    expect(() => new RotatingFile(join(dir, "plain/x.log"), 10, 2)).toThrow();
  });
});

describe("opened as configured", () => {
  const options: LogOptions = {
    to: "both",
    level: "warning",
    format: "text",
    dir: join(dir, "opened"),
    file: "main.log",
    charsLimit: -1,
    rotation: { bytes: 1000, count: 2 },
    levelFiles: [{ level: "info", file: "info.log" }],
  };
  const terminal = (writableLength = 0) => {
    const lines: string[] = [];
    return { lines, writableLength, write: (line: string) => lines.push(line) };
  };

  test("console, file, and a file for a level", () => {
    const out = terminal();
    const log = openLog(options, out, () => 0);
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.close();
    const lines = (name: string) => readFileSync(join(options.dir, name), "utf8").trim().split("\n").length;
    expect([out.lines.length, lines("main.log"), lines("info.log")]).toEqual([1, 1, 2]);
    expect(log.handlers().map((h) => h.id)).toEqual(["console", "file", "info_file"]);
  });

  test("off writes nothing", () => {
    const out = terminal();
    const log = openLog({ ...options, to: "off" }, out, () => 0);
    log.critical("c");
    expect([out.lines, log.handlers(), log.enabled("emergency")]).toEqual([[], [], false]);
  });

  test("a terminal that nobody reads does not fill the memory", () => {
    const out = terminal(2 * 1024 ** 2);
    openLog({ ...options, to: "console", levelFiles: [] }, out, () => 0).error("e");
    expect(out.lines).toEqual([]);
  });
});
