/** Lua 5.3 by fengari: base, coroutine, math, string, table and utf8, and the time; no files, no processes, no debugging, no loading of code. */
import { heapSize } from "bun:jsc";
import { wordsOf } from "../../../lib/errors.ts";
import type { Value } from "../values.ts";
import { keepsMore, type Limits, type Loaded, type Print, ScriptError } from "./engine.ts";
import { lauxlib, lbaselib, lcorolib, lmathlib, lstrlib, ltablib, lua, type lua_State, lutf8lib, type Table } from "./fengari.ts";
import type { Meter } from "./meter.ts";
import { openOs } from "./os.ts";
import { Undo } from "./undo.ts";

const text = (s: string): Uint8Array => Buffer.from(s, "utf8");
const words = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString("utf8");

const LIBRARIES = [
  ["_G", lbaselib.luaopen_base],
  ["coroutine", lcorolib.luaopen_coroutine],
  ["math", lmathlib.luaopen_math],
  ["string", lstrlib.luaopen_string],
  ["table", ltablib.luaopen_table],
  ["utf8", lutf8lib.luaopen_utf8],
] as const;
/** What would read files or make code of bytes. */
const FORBIDDEN = ["dofile", "load", "loadfile", "loadstring", "require"] as const;
/** Instructions between two looks at the clock: about 0.1 ms. */
const LOOK_EVERY = 1000;
/** Loading may take more than a call: so many times the memory, and this time, ms. */
const LOAD_MEMORY = 4;
const LOAD_MS = 2000;
/** The integers that fengari has. */
const isInteger = (n: number): boolean => (n | 0) === n && !Object.is(n, -0);

/** What `username` and `password` are where there is none: EMQ X 3.1 handed over the word. */
const NONE = text("undefined");

export function loadLua(name: string, source: Uint8Array, limits: Limits, meter: Meter, print: Print): Loaded {
  const L = lauxlib.luaL_newstate();
  const script = new Script(L, name, meter);
  const os = openOs((bytes) => meter.take(bytes));
  for (const [lib, open] of [...LIBRARIES, ["os", os] as const]) {
    lauxlib.luaL_requiref(L, text(lib), open, 1);
    lua.lua_settop(L, 0);
  }
  for (const gone of FORBIDDEN) {
    lua.lua_pushnil(L);
    lua.lua_setglobal(L, text(gone));
  }
  older(L);
  define(L, "print", (of) => {
    const parts: string[] = [];
    for (let i = 1; i <= lua.lua_gettop(of); i++) {
      parts.push(words(lauxlib.luaL_tolstring(of, i)));
      lua.lua_settop(of, -2);
    }
    print(parts.join("\t"));
    return 0;
  });

  const undo = new Undo(L, (bytes) => meter.take(bytes));
  lua.lua_getglobal(L, text("setmetatable"));
  const setmetatable = lua.lua_tocfunction(L, -1);
  lua.lua_settop(L, 0);
  define(L, "setmetatable", (of) => {
    undo.metatable(lua.lua_topointer(of, 1));
    return setmetatable(of);
  });

  const loading: Limits = { budget: LOAD_MS, memory: limits.memory * LOAD_MEMORY };
  const registered = script.run("loading it", loading, () => {
    let given = false;
    const reader = (): Uint8Array | null => {
      if (given) return null;
      given = true;
      return source;
    };
    const status = lua.lua_load(L, reader, null, text(`@${name}`), text("t"));
    if (status !== lua.LUA_OK) return status;
    const ran = lua.lua_pcall(L, 0, 0, 0);
    if (ran !== lua.LUA_OK) return ran;
    if (lua.lua_getglobal(L, text("register_hook")) !== lua.LUA_TFUNCTION)
      throw new ScriptError("there is no function register_hook: expected one that returns the names of the callbacks", "error", null);
    return lua.lua_pcall(L, 0, lua.LUA_MULTRET, 0);
  });
  // The function that was asked for is gone from the stack, its results are there.
  const names = registered.map((v) => (v instanceof Uint8Array ? words(v) : String(v)));
  lua.lua_settop(L, 0);
  lua.lua_pushglobaltable(L);
  // That of strings is no global's, and every script has it.
  lua.lua_pushlstring(L, text(""), 0);
  lua.lua_getmetatable(L, 2);
  undo.keep([lua.lua_topointer(L, 1) as Table, lua.lua_topointer(L, 3) as Table]);
  lua.lua_settop(L, 0);

  const functions = new Set<string>();
  const unknown: string[] = [];
  for (const hook of names) {
    (lua.lua_getglobal(L, text(hook)) === lua.LUA_TFUNCTION ? functions : { add: (n: string) => unknown.push(n) }).add(hook);
    lua.lua_settop(L, 0);
  }
  Bun.gc(true);
  const most = heapSize() + limits.memory;
  /** What is not taken back (a coroutine made while loading) is not to grow from call to call. */
  function look(): void {
    if (meter.taken < limits.memory) return;
    meter.taken = 0;
    if (keepsMore(most))
      throw new ScriptError(`the script keeps more than ${Math.round(limits.memory / 1024)} KiB of memory`, "memory", null, true);
  }
  return {
    callbacks: [...functions],
    unknown,
    call(callback, args) {
      let values: Value[];
      undo.begin();
      try {
        values = script.run("the call", limits, () => {
          lua.lua_getglobal(L, text(callback));
          for (const arg of args) push(L, arg);
          return lua.lua_pcall(L, args.length, lua.LUA_MULTRET, 0);
        });
      } finally {
        undo.end();
      }
      look();
      return values;
    },
  };
}

/** What scripts of EMQ X 3.1 had of older versions of Lua. */
function older(L: lua_State): void {
  lua.lua_getglobal(L, text("table"));
  lua.lua_getfield(L, -1, text("unpack"));
  lua.lua_setglobal(L, text("unpack"));
  lua.lua_getglobal(L, text("math"));
  lua.lua_pushcfunction(L, (of) => {
    lua.lua_pushnumber(of, lauxlib.luaL_checknumber(of, 1) ** lauxlib.luaL_checknumber(of, 2));
    return 1;
  });
  lua.lua_setfield(L, -2, text("pow"));
  lua.lua_settop(L, 0);
}

function define(L: lua_State, name: string, fn: (L: lua_State) => number): void {
  lua.lua_pushcfunction(L, fn);
  lua.lua_setglobal(L, text(name));
}

function push(L: lua_State, value: Value): void {
  if (value === null) lua.lua_pushlstring(L, NONE, NONE.length);
  else if (typeof value === "boolean") lua.lua_pushboolean(L, value);
  else if (typeof value === "number") isInteger(value) ? lua.lua_pushinteger(L, value) : lua.lua_pushnumber(L, value);
  else {
    const bytes = typeof value === "string" ? text(value) : value;
    lua.lua_pushlstring(L, bytes, bytes.length);
  }
}

class Script {
  #deadline = 0;
  #fault: { kind: "time" | "memory"; line: number | null } | null = null;
  readonly #hook: (L: lua_State) => void;

  constructor(
    private readonly L: lua_State,
    private readonly name: string,
    private readonly meter: Meter,
  ) {
    this.#hook = (of) => {
      if (this.#fault === null && performance.now() < this.#deadline) return;
      this.#over("time", of);
      // Whoever catches it gets the next one at once.
      lua.lua_sethook(of, this.#hook, lua.LUA_MASKCOUNT, 1);
      lauxlib.luaL_error(of, text("the call took more than it may"));
    };
    // What is thrown by what is no Lua (no more memory, no more stack) becomes an error as others.
    lua.lua_atnativeerror(L, (of) => {
      meter.freely(() => {
        const said = wordsOf(lua.lua_touserdata(of, 1));
        const where = this.#place(of, [1, 2, 3, 4]);
        const bytes = text(`${where === null ? "" : `${this.name}:${where}: `}${said}`);
        lua.lua_pushlstring(of, bytes, bytes.length);
      });
      return 1;
    });
  }

  #over(kind: "time" | "memory", of: lua_State): void {
    this.#fault ??= { kind, line: this.#place(of, [0, 1, 2, 3]) };
  }

  /** The line that runs, at the first of these levels that is the script's. */
  #place(of: lua_State, levels: readonly number[]): number | null {
    let line: number | null = null;
    this.meter.freely(() => {
      for (const level of levels) {
        if (line !== null) return;
        lauxlib.luaL_where(of, level);
        line = this.#lineIn(words(lua.lua_tostring(of, -1)));
        lua.lua_settop(of, -2);
      }
    });
    return line;
  }

  #lineIn(said: string): number | null {
    const at = said.startsWith(`${this.name}:`) ? /^:(\d+):/.exec(said.slice(this.name.length)) : null;
    return at === null ? null : Number(at[1]);
  }

  /** `act` answers with the state of its last call. `what`: it, in words. @throws ScriptError */
  run(what: string, { budget, memory }: Limits, act: () => number): Value[] {
    const { L, meter } = this;
    lua.lua_settop(L, 0);
    this.#fault = null;
    this.#deadline = performance.now() + budget;
    lua.lua_sethook(L, this.#hook, lua.LUA_MASKCOUNT, LOOK_EVERY);
    meter.begin(memory, () => {
      this.#over("memory", L);
      lua.lua_sethook(L, this.#hook, lua.LUA_MASKCOUNT, 1);
    });
    let status: number;
    try {
      status = act();
    } catch (err) {
      meter.end();
      if (err instanceof ScriptError) throw err;
      throw this.#overrun(what, { budget, memory }) ?? new ScriptError(wordsOf(err), "error", null);
    }
    meter.end();
    lua.lua_sethook(L, null, 0, 0);
    const over = this.#overrun(what, { budget, memory });
    if (over !== null) throw over;
    if (status !== lua.LUA_OK) throw this.#failure();
    const values: Value[] = [];
    for (let i = 1; i <= lua.lua_gettop(L); i++) values.push(this.#value(i));
    return values;
  }

  #overrun(what: string, { budget, memory }: Limits): ScriptError | null {
    const fault = this.#fault;
    if (fault === null) return null;
    const most = fault.kind === "time" ? `${budget} ms` : `${Math.round(memory / 1024)} KiB of memory`;
    return new ScriptError(`${what} took more than ${most}`, fault.kind, fault.line);
  }

  #failure(): ScriptError {
    const { L } = this;
    if (lua.lua_type(L, -1) !== lua.LUA_TSTRING) return new ScriptError("it raised an error that is no text", "error", null);
    const said = words(lua.lua_tostring(L, -1));
    const line = this.#lineIn(said);
    return new ScriptError(line === null ? said : said.slice(`${this.name}:${line}:`.length).trim(), "error", line);
  }

  #value(i: number): Value {
    const { L } = this;
    const type = lua.lua_type(L, i);
    if (type === lua.LUA_TSTRING) return lua.lua_tostring(L, i);
    if (type === lua.LUA_TNUMBER) return lua.lua_tonumber(L, i);
    if (type === lua.LUA_TBOOLEAN) return lua.lua_toboolean(L, i);
    // A table or a function is no result of any callback: it is told from nothing by its kind being wrong.
    return type === lua.LUA_TNIL ? null : Number.NaN;
  }
}
