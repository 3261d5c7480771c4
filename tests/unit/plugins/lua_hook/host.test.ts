/** Scripts in real workers: what they may do, what they may not, and that they cost no more than their budget whatever they do. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { numberOf } from "../../../../server/plugins/lua_hook/callbacks.ts";
import { Host } from "../../../../server/plugins/lua_hook/host.ts";
import type { Failure, Language } from "../../../../server/plugins/lua_hook/messages.ts";
import type { Value } from "../../../../server/plugins/lua_hook/values.ts";
import { until } from "../../../support/until.ts";
import { removeTempDirs, tempDir } from "../harness.ts";

const dir = tempDir();
const hosts: Host[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});
afterAll(removeTempDirs);

interface Running {
  host: Host;
  failures: Failure[];
  ended: string[];
  printed: string[];
  ask(...args: Value[]): unknown[] | null;
}

const PUBLISH = numberOf("on_message_publish");
const NAMES: Record<Language, string> = { lua: "script.lua", javascript: "script.js", typescript: "script.ts" };
const MIB = 1024 * 1024;
let made = 0;
const BROKEN = join(dir, "broken.js");
writeFileSync(BROKEN, "\nexport const x = ;");

/** Long by default: these tests share the machine with others. */
function start(language: Language, source: string, limits = { budget: 20_000, memory: 16 * MIB }, packet = MIB): Promise<Running> {
  const path = join(dir, `${++made}_${NAMES[language]}`);
  writeFileSync(path, source);
  const failures: Failure[] = [];
  const ended: string[] = [];
  const printed: string[] = [];
  return new Promise((resolve, reject) => {
    const host = new Host(
      { name: NAMES[language], language, path, limits },
      {
        loaded: () =>
          resolve({
            host,
            failures,
            ended,
            printed,
            ask: (...args) =>
              host.ask(PUBLISH, args)?.map((v) => (v instanceof Uint8Array ? Buffer.from(v).toString("latin1") : v)) ?? null,
          }),
        refused: ({ message, line }) => reject(new Error(`${line}: ${message}`)),
        failed: (f) => failures.push(f),
        printed: (text) => printed.push(text),
        ended: ({ message }) => ended.push(message),
      },
      packet,
    );
    hosts.push(host);
  });
}

const lua = (body: string, before = ""): string =>
  `${before}\nfunction register_hook() return "on_message_publish" end\nfunction on_message_publish(...) ${body} end`;
const js = (body: string, before = ""): string => `${before}\nexport function on_message_publish(...args) { ${body} }`;

describe("values", () => {
  const binary = new Uint8Array(256).map((_, i) => i);
  for (const [language, source] of [
    ["lua", lua("return ...")],
    ["javascript", js("return args")],
  ] as const) {
    test(`${language}: bytes stay bytes, texts and numbers come back`, async () => {
      const { host } = await start(language, source);
      const out = host.ask(PUBLISH, ["clé", binary, new Uint8Array(0), 1, -0.5, true, false]) as Value[];
      expect(Buffer.from(out[1] as Uint8Array).equals(Buffer.from(binary))).toBe(true);
      expect(out[2]).toHaveLength(0);
      expect([Buffer.from(out[0] as string).toString(), ...out.slice(3)]).toEqual(["clé", 1, -0.5, true, false]);
    });

    test(`${language}: a payload of several pieces goes both ways`, async () => {
      const { host } = await start(language, source);
      const large = Buffer.alloc(3 * MIB + 5, "abcdefg");
      expect(Buffer.from((host.ask(PUBLISH, [large]) as Value[])[0] as Uint8Array).equals(large)).toBe(true);
    });
  }

  test("nothing that there is: Lua gets the word of EMQ X 3.1, JavaScript null", async () => {
    const a = await start("lua", lua("return ..."));
    const b = await start("javascript", js("return args.map((a) => a === null)"));
    expect(a.ask(null)).toEqual(["undefined"]);
    expect(b.ask(null)).toEqual([true]);
  });

  test("what no callback can return is no value; a promise is an error", async () => {
    const a = await start("lua", lua("return {}, print, nil, 1"));
    expect(a.ask()).toEqual([Number.NaN, Number.NaN, null, 1]);
    const b = await start("javascript", "export async function on_message_publish() { return false }");
    expect(b.ask()).toBeNull();
    expect(b.failures[0]?.message).toContain("promise");
  });

  test("Lua writes a number that is whole without a point, as in EMQ X 3.1", async () => {
    const { ask } = await start("lua", lua("return 10 / 2 .. '', tostring(-3.0), (... + 0.0) .. 'x', 0.5 .. ''"));
    expect(ask(7)).toEqual(["5", "-3", "7x", "0.5"]);
  });

  test("Lua has what EMQ X 3.1 had of older versions", async () => {
    const { ask } = await start("lua", lua("return math.pow(2, 10), unpack({ 1, 2 })"));
    expect(ask()).toEqual([1024, 1, 2]);
  });

  test("TypeScript is taken as it is written", async () => {
    const { ask } = await start(
      "typescript",
      "type Topic = string; export function on_message_publish(topic: Topic): [Topic, number] { const n = 2 as number; return [topic, n]; }",
    );
    expect(ask("x")).toEqual(["x", 2]);
  });
});

describe("Lua: globals do not survive a call", () => {
  const cases: [name: string, before: string, body: string][] = [
    ["a global", "n = 0", "n = n + 1; return n"],
    ["a new global", "", "n = (n or 0) + 1; return n"],
    ["a variable of the file", "local n = 0", "n = n + 1; return n"],
    ["an entry of a table", "t = { n = 0 }", "t.n = t.n + 1; return t.n"],
    ["a new entry of a table in a table", "local t = { a = {} }", "t.a.n = (t.a.n or 0) + 1; return t.a.n"],
    ["an entry that is taken away", "t = { 1, 2 }", "table.remove(t); return #t"],
    ["a list that grows", "t = {}", "table.insert(t, 1); return #t"],
    [
      "a table with a metatable of its own",
      "t = setmetatable({}, { __len = function() return 1 end })",
      "local n = #t; setmetatable(t, nil); return n",
    ],
    ["what the libraries have", "", "string.n = (string.n or 0) + 1; return string.n"],
    ["what is known of the time", "", "os.n = (os.n or 0) + 1; local n = os.n; os.time = nil; os.date = nil; return n"],
    ["a table that os.time puts right", "t = { year = 2020, month = 0, day = 1 }", "os.time(t); return t.month == 12 and 1 or t.month"],
    ["what strings have", "", "local n = (('x').n or 0) + 1; getmetatable('').__index.n = n; return n"],
    ["a function in place of another", "function f() return 1 end", "local n = f(); function f() return 2 end; return n"],
    ["rawset", "t = { n = 0 }", "rawset(t, 'n', t.n + 1); return t.n"],
    [
      "a variable of a function's own",
      "local function counter() local n = 0; return function() n = n + 1; return n end end; count = counter()",
      "return count()",
    ],
  ];
  for (const [name, before, body] of cases) {
    test(name, async () => {
      const { ask } = await start("lua", lua(body, before));
      expect([ask(), ask(), ask()]).toEqual([[1], [1], [1]]);
    });
  }

  test("a call that fails in the middle leaves nothing either", async () => {
    const { ask } = await start("lua", lua("t.n = t.n + 1; if ... then error('x') end; return t.n", "t = { n = 0 }"));
    expect([ask(true), ask(true), ask(false)]).toEqual([null, null, [1]]);
  });
});

test("JavaScript: a module is a module, what it keeps it keeps", async () => {
  const { ask } = await start("javascript", js("return [++n]", "let n = 0;"));
  expect([ask(), ask()]).toEqual([[1], [2]]);
});

test("Lua: no files, no processes, no debugging, no code from bytes", async () => {
  const names = ["io", "debug", "package", "require", "dofile", "loadfile", "load", "loadstring", "js", "fengari"];
  const { ask } = await start("lua", lua(`return ${names.map((n) => `${n} == nil`).join(", ")}`));
  expect(ask()).toEqual(names.map(() => true));
  const ofOs = await start("lua", lua("local t = {} for k in pairs(os) do t[#t + 1] = k end table.sort(t) return table.concat(t, ' ')"));
  expect(ofOs.ask()).toEqual(["clock date difftime time"]);
  const byBytes = await start("lua", lua("local ok, e = pcall(string.dump, function() end); return ok, type(load)"));
  expect(byBytes.ask()?.[1]).toBe("nil");
});

describe("a script that cannot be loaded says why, and in which line", () => {
  const cases: [name: string, language: Language, source: string, said: RegExp][] = [
    ["Lua, bad syntax", "lua", "function register_hook() return 'on_message_publish' end\nfunction x( end", /^2: .*expected/],
    ["Lua, no register_hook", "lua", "x = 1", /^null: .*register_hook/],
    ["Lua, an error while it is read", "lua", "\nerror('no')", /^2: no/],
    ["Lua, precompiled", "lua", "\x1bLua", /binary chunk|attempt to load/],
    ["Lua, register_hook fails", "lua", "function register_hook()\nlocal x = nil + 1 end", /^2: .*arithmetic/],
    ["JavaScript, bad syntax", "javascript", "export function on_message_publish() {\n return ]; }", /^2: /],
    ["JavaScript, no callback", "javascript", "export const x = 1;", /^null: .*exports no callback/],
    ["JavaScript, an error while it is read", "javascript", "\n\nthrow new Error('no');", /^3: no/],
    ["JavaScript, a module that is not there", "javascript", 'import "./nowhere.js";', /nowhere/],
    ["JavaScript, a promise that is refused", "javascript", `await Promise.reject(new Error('no'));`, /^1: no/],
    ["JavaScript, one refused later", "javascript", `\nawait new Promise((_, no) => setTimeout(() => no(new Error('no')), 5));`, /^2: no/],
    ["JavaScript, an error that nobody waits for", "javascript", `queueMicrotask(() => { throw new Error('no') }); await 1;`, /^null: no/],
    [
      "JavaScript, an error of a timer",
      "javascript",
      `setTimeout(() => { throw new Error('no') }, 0); await new Promise((on) => setTimeout(on, 20));`,
      /^null: no/,
    ],
    [
      "JavaScript, a promise that nobody keeps",
      "javascript",
      "await new Promise(() => {});",
      /^null: its worker ended before it was loaded/,
    ],
    ["JavaScript, the end of its worker", "javascript", "process.exit(1);", /^null: its worker ended before it was loaded/],
    [
      "JavaScript, nothing that can be printed",
      "javascript",
      "throw { get message() { throw 1 }, toString: null };",
      /^null: something that cannot be printed/,
    ],
    ["JavaScript, a mistake in what it imports", "javascript", `import ${JSON.stringify(BROKEN)};`, /^null: .*broken\.js:2: /],
    ["Lua, that never comes to an end", "lua", "while true do end", /took more than 2000 ms/],
    ["JavaScript, that never comes to an end", "javascript", "for (;;) {}", /not loaded within 5 s/],
  ];
  for (const [name, language, source, said] of cases) {
    test(name, async () => {
      const outcome = await start(language, source).then(
        () => "loaded",
        (err: Error) => err.message,
      );
      expect(outcome).toMatch(said);
    });
  }
});

describe("errors", () => {
  test("with line and message, whatever is thrown; the next call is as ever", async () => {
    const { ask, failures } = await start(
      "lua",
      lua("\nif ... == 1 then error('boom') elseif ... == 2 then error({}) elseif ... == 3 then local x = nil .. 'a' end return 'ok'"),
    );
    expect([ask(1), ask(2), ask(3), ask(4)]).toEqual([null, null, null, ["ok"]]);
    expect(failures.map(({ line, kind, callback }) => [line, kind, callback])).toEqual([
      [4, "error", "on_message_publish"],
      [null, "error", "on_message_publish"],
      [4, "error", "on_message_publish"],
    ]);
    expect(failures[0]?.message).toBe("boom");
    const j = await start("javascript", js("\nthrow new TypeError('boom');"));
    expect(j.ask()).toBeNull();
    expect(j.failures).toEqual([{ callback: "on_message_publish", kind: "error", line: 3, message: "boom" }]);
  });

  test("print and console.log are told, but not without end", async () => {
    const { ask, printed } = await start("lua", lua("for i = 1, 1000 do print('n', i, nil, ('x'):rep(2000)) end return 1"));
    expect(ask()).toEqual([1]);
    await until(() => printed.length > 0);
    expect(printed[0]).toStartWith("n\t1\tnil\txxx");
    expect(printed[0]?.length).toBeLessThan(600);
    expect(printed.length).toBeLessThanOrEqual(40);
    const j = await start("javascript", js("console.log('hello', { a: 1 }); return 1"));
    expect(j.ask()).toEqual([1]);
    await until(() => j.printed.length > 0);
    expect(j.printed[0]).toContain("hello");
  });
});

/** What each of these costs is the budget: the broker goes on, and the next call of a good script is answered. */
describe("abuse", () => {
  const BUDGET = 100;
  const LIMITS = { budget: BUDGET, memory: 16 * MIB };
  /** On top of the two budgets: the machine is shared. */
  const SLACK = 2000;
  const scripts: [name: string, language: Language, source: string][] = [
    ["a loop", "lua", lua("while true do end")],
    ["a loop of calls", "lua", lua("local function f() return f() end f()")],
    ["recursion", "lua", lua("local function f() return 1 + f() end f()")],
    [
      "recursion by a metamethod",
      "lua",
      lua("local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return s[k .. 'x'] end return t.a"),
    ],
    ["errors that are caught", "lua", lua("while true do pcall(function() while true do end end) end")],
    ["errors that are caught in errors", "lua", lua("local function f() while true do xpcall(function() error('x') end, f) end end f()")],
    ["coroutines without end", "lua", lua("while true do coroutine.wrap(function() while true do coroutine.yield() end end)() end")],
    ["a coroutine that catches", "lua", lua("while true do coroutine.resume(coroutine.create(function() while true do end end)) end")],
    ["a string that doubles", "lua", lua("local s = 'x' while true do s = s .. s end")],
    ["a string that is repeated", "lua", lua("return ('x'):rep(1e9)")],
    ["a string that is repeated often", "lua", lua("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) end")],
    ["an empty string repeated for ever", "lua", lua("return (''):rep(2147483647)")],
    ["many strings put together", "lua", lua("local s = ('x'):rep(8e6) return s .. s .. s .. s .. s .. s .. s .. s")],
    [
      "memory that is taken although refused",
      "lua",
      lua("local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(4e6) end) end"),
    ],
    ["a table without end", "lua", lua("local t = {} local i = 0 while true do i = i + 1 t[i] = { i } end")],
    [
      "table.concat",
      "lua",
      lua(
        "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end local s = table.concat(t) while true do s = s .. table.concat(t, s) end",
      ),
    ],
    ["string.format", "lua", lua("local s = ('x'):rep(1e6) while true do s = string.format('%s%s', s, s) end")],
    ["an exponential pattern", "lua", lua("return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')")],
    ["a date of millions", "lua", lua("return os.date(('%c'):rep(4e6))")],
    ["a slow pattern", "lua", lua("return (('a'):rep(3000)):find('.-.-.-.-.-b')")],
    ["gsub that never ends", "lua", lua("return (('x'):rep(1e5)):gsub('', function() return ('y'):rep(1e5) end)")],
    ["a sort that lies", "lua", lua("local t = {} for i = 1, 1e5 do t[i] = i end table.sort(t, function() while true do end end)")],
    ["table.move over everything", "lua", lua("table.move({ 1 }, 1, 2147483646, 2)")],
    ["a tostring that does not return", "lua", lua("error(setmetatable({}, { __tostring = function() while true do end end }))")],
    [
      "a comparison that does not return",
      "lua",
      lua("local m = { __eq = function() while true do end end } return setmetatable({}, m) == setmetatable({}, m)"),
    ],
    ["unpacking millions", "lua", lua("return table.unpack({}, 1, 1e7)")],
    ["a loop", "javascript", js("for (;;) {}")],
    ["a loop that catches", "javascript", js("for (;;) { try { for (;;) {} } catch {} finally { continue } }")],
    ["recursion that catches", "javascript", js("const f = () => { try { f() } finally { f() } }; f()")],
    ["an exponential regular expression", "javascript", js("return /^(a+)+$/.test('a'.repeat(40) + 'b')")],
    ["memory without end", "javascript", js("const a = []; for (;;) a.push(new Uint8Array(65536).fill(1))")],
    ["a number without end", "javascript", js("let b = 3n; for (;;) b = b * b")],
    ["waiting", "javascript", js("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)")],
    ["sleeping", "javascript", js("Bun.sleepSync(60000)")],
    ["the end of its worker", "javascript", js("process.exit(1)")],
  ];
  for (const [name, language, source] of scripts) {
    test(`${language}: ${name}`, async () => {
      const good = await start("lua", lua("return 'still here'"));
      const { host, ask } = await start(language, source, LIMITS);
      const rss = process.memoryUsage.rss();
      const before = performance.now();
      const answer = ask("x");
      const took = performance.now() - before;
      expect(took).toBeLessThan(2 * BUDGET + SLACK);
      // Some of them come to an end after all, with a result that says nothing.
      if (answer !== null) expect(answer.length).toBeLessThan(10);
      expect(good.ask()).toEqual(["still here"]);
      expect(process.memoryUsage.rss() - rss).toBeLessThan(400 * MIB);
      if (host.ready) host.ask(PUBLISH, ["y"]);
      expect(good.ask()).toEqual(["still here"]);
    });
  }

  test("Lua says in which line, and goes on with the same worker", async () => {
    const { ask, failures, ended } = await start("lua", lua("\n\nif ... == 'loop' then\nwhile true do end end return 'ok'"), LIMITS);
    expect(ask("loop")).toBeNull();
    expect(failures).toEqual([{ callback: "on_message_publish", kind: "time", line: 6, message: `the call took more than ${BUDGET} ms` }]);
    expect([ask("x"), ended]).toEqual([["ok"], []]);
  });

  test("memory: the limit is told as one, with the line", async () => {
    const { ask, failures } = await start("lua", lua("\nlocal s = ('x'):rep(20000000)\nreturn s"));
    expect(ask()).toBeNull();
    expect(failures[0]).toMatchObject({ kind: "memory", line: 4, message: "the call took more than 16384 KiB of memory" });
    expect((await start("lua", lua("return #('x'):rep(1000):rep(4000)"))).ask()).toEqual([4_000_000]);
  });

  test("JavaScript that keeps more and more is found out", async () => {
    const { host, ask, ended } = await start("javascript", js("kept.push(new Uint8Array(1e6).fill(1)); return 1", "const kept = [];"));
    for (let i = 0; i < 200 && host.ready; i++) ask();
    expect([host.ready, ended]).toEqual([false, ["the script keeps more than 16384 KiB of memory"]]);
  });

  for (const [where, before, body] of [
    [
      "a coroutine",
      "co = coroutine.wrap(function() local t = {} while true do t[#t + 1] = ('x'):rep(1e6) coroutine.yield(#t) end end)",
      "return co()",
    ],
    [
      "one with a pcall in it",
      "co = coroutine.wrap(function() local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e6) end) coroutine.yield() end end)",
      "co() return 1",
    ],
  ] as const)
    test(`Lua that keeps more and more is found out: in ${where} made while loading`, async () => {
      const { host, ask, ended } = await start("lua", lua(body, before));
      for (let i = 0; i < 200 && host.ready; i++) ask();
      expect([host.ready, ended]).toEqual([false, ["the script keeps more than 16384 KiB of memory"]]);
    });

  test("Lua whose calls only take, and keep nothing, goes on with the same worker", async () => {
    const { host, ask, ended } = await start("lua", lua("local s = ('x'):rep(8e6) return 1"));
    for (let i = 0; i < 20; i++) expect(ask()).toEqual([1]);
    expect([host.ready, ended]).toEqual([true, []]);
  });

  for (const [language, source] of [
    ["lua", lua("local t = {} for i = 1, 50 do t[i] = s end return table.unpack(t)", "s = ('x'):rep(1e6)")],
    ["javascript", js("return Array(50).fill(s)", "const s = 'x'.repeat(1e6);")],
  ] as const)
    test(`${language}: a result that is one text many times is not copied`, async () => {
      const { host, ask, failures } = await start(language, source);
      expect(ask()).toBeNull();
      expect(failures[0]).toMatchObject({ kind: "error", message: "bad result: expected at most 16384 KiB" });
      expect(host.ready).toBe(true);
    });

  test("a result is not too large where it is what was given", async () => {
    const { host } = await start("javascript", js("return args"), { budget: 20_000, memory: MIB });
    expect(host.ask(PUBLISH, [Buffer.alloc(3 * MIB)])).toHaveLength(1);
  });

  for (const said of [
    "null",
    "'hello'",
    "{ what: 'loaded' }",
    "{ what: 'loaded', callbacks: 1, unknown: [] }",
    "{ what: 'failed' }",
    "{ what: 'failed', message: 'x', line: null, kind: 'time', isKept: true, callback: 5 }",
    "{ what: 'failed', message: 'x', line: null, kind: 'other', isKept: false, callback: 'on_message_acked' }",
    "{ what: 'printed', text: 5 }",
    "{ what: 'refused' }",
  ])
    test(`JavaScript that posts ${said} to the broker says nothing`, async () => {
      const { host, ask, printed, failures } = await start("javascript", js("return 1", `postMessage(${said});`));
      expect(ask()).toEqual([1]);
      expect([host.ready, printed, failures]).toEqual([true, [], []]);
    });

  test("what is only told, and never ends, is found by looking", async () => {
    const source = `function register_hook() return "on_message_acked" end\nfunction on_message_acked() while true do end end`;
    const { host, failures } = await start("lua", source, LIMITS);
    expect(host.tell(numberOf("on_message_acked"), [])).toBe(true);
    await until(() => failures.length > 0);
    expect(failures[0]).toMatchObject({ callback: "on_message_acked", kind: "time", line: 2 });
    const j = await start("javascript", "export function on_message_acked() { for (;;) {} }", LIMITS);
    expect(j.host.tell(numberOf("on_message_acked"), [])).toBe(true);
    await until(() => {
      j.host.watch(100);
      return j.ended.length > 0;
    });
    expect(j.ended[0]).toContain("took more than");
    expect(j.host.ready).toBe(false);
  });

  test("what is told and does not fit is refused, nothing waits for it", async () => {
    const { host } = await start("javascript", "export function on_message_acked() { Bun.sleepSync(5) }");
    const payload = Buffer.alloc(60_000);
    let taken = 0;
    while (host.tell(numberOf("on_message_acked"), [payload])) taken++;
    expect(taken).toBeGreaterThan(5);
    await until(() => host.tell(numberOf("on_message_acked"), [payload]), "there is room again");
  });

  test("what is told is as large as the largest packet; one that waits with it has room, what is larger has not", async () => {
    const source = "export function on_message_acked(payload) { console.log(payload.length, payload[payload.length - 1]) }";
    const { host, printed } = await start("javascript", source, undefined, 3 * MIB);
    const tell = (bytes: number): boolean => host.tell(numberOf("on_message_acked"), [Buffer.alloc(bytes, 7)]);
    expect([tell(3 * MIB), tell(100_000), tell(4 * MIB), host.mostTold < 4 * MIB]).toEqual([true, true, false, true]);
    await until(() => printed.length === 2);
    expect(printed).toEqual([`${3 * MIB} 7`, "100000 7"]);
    // Again, over the end of the ring.
    for (let i = 3; i < 6; i++) {
      await until(() => tell(3 * MIB));
      await until(() => printed.length === i);
      expect(printed.at(-1)).toBe(`${3 * MIB} 7`);
    }
  });

  test("where a node takes packets of any size, what is told is bounded all the same", async () => {
    const { host } = await start("javascript", "export function on_message_acked() {}", undefined, Number.POSITIVE_INFINITY);
    expect(host.mostTold).toBeGreaterThan(16 * MIB);
    expect(host.mostTold).toBeLessThan(17 * MIB);
  });

  test("what was told before takes none of the time of what is asked", async () => {
    const begun = join(dir, "begun");
    const source = `import { writeFileSync } from "node:fs";
      export function on_message_acked() { writeFileSync(${JSON.stringify(begun)}, ""); Bun.sleepSync(1650) }
      export function on_message_publish() { Bun.sleepSync(1650); return 1 }`;
    const { host, ask, ended } = await start("javascript", source, { budget: 3000, memory: 16 * MIB });
    host.tell(numberOf("on_message_acked"), []);
    await until(() => existsSync(begun));
    expect([ask(), ended]).toEqual([[1], []]);
  });

  test("a worker that was left does nothing more of what waits, also while the next one works", async () => {
    const done = join(dir, "done");
    writeFileSync(done, "");
    const source = (word: string): string => `import { appendFileSync } from "node:fs";
      export function on_message_acked() { Bun.sleepSync(2); appendFileSync(${JSON.stringify(done)}, "${word}") }`;
    const old = await start("javascript", source("o"));
    const tell = ({ host }: Running, n: number): void => {
      for (let i = 0; i < n; i++) expect(host.tell(numberOf("on_message_acked"), [])).toBe(true);
    };
    const seen = (): string => readFileSync(done, "utf8");
    const next = await start("javascript", source("n"));
    tell(old, 1000);
    await until(() => seen().length > 5);
    old.host.close();
    const before = seen().length;
    tell(next, 100);
    await until(() => seen().replaceAll("o", "").length === 100);
    // One was in the middle.
    expect(seen().replaceAll("n", "").length - before).toBeLessThanOrEqual(1);
  });
});
