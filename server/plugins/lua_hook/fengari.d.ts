/** What is used of fengari, which brings no types: its modules one by one, so that files, processes and debugging are not even loaded. */
declare module "fengari/src/defs.js" {
  const defs: { readonly constant_types: { readonly LUA_TNUMINT: number } };
  export default defs;
}
declare module "fengari/src/lstate.js" {
  export interface lua_State {
    readonly __brand: "lua_State";
  }
}
declare module "fengari/src/lua.js" {
  import type { lua_State } from "fengari/src/lstate.js";
  export type CFunction = (L: lua_State) => number;
  const lua: {
    readonly LUA_OK: number;
    readonly LUA_MULTRET: number;
    readonly LUA_MASKCOUNT: number;
    readonly LUA_TNIL: number;
    readonly LUA_TBOOLEAN: number;
    readonly LUA_TNUMBER: number;
    readonly LUA_TSTRING: number;
    readonly LUA_TTABLE: number;
    readonly LUA_TFUNCTION: number;
    lua_atnativeerror(L: lua_State, fn: CFunction): CFunction | null;
    lua_checkstack(L: lua_State, n: number): boolean;
    lua_createtable(L: lua_State, list: number, fields: number): void;
    lua_getfield(L: lua_State, index: number, key: Uint8Array): number;
    lua_getglobal(L: lua_State, name: Uint8Array): number;
    lua_getmetatable(L: lua_State, index: number): boolean;
    lua_gettop(L: lua_State): number;
    lua_isinteger(L: lua_State, index: number): boolean;
    lua_load(
      L: lua_State,
      reader: (L: lua_State, data: unknown) => Uint8Array | null,
      data: unknown,
      name: Uint8Array,
      mode: Uint8Array,
    ): number;
    lua_pcall(L: lua_State, args: number, results: number, handler: number): number;
    lua_pushboolean(L: lua_State, value: boolean): void;
    lua_pushcfunction(L: lua_State, fn: CFunction): void;
    lua_pushglobaltable(L: lua_State): void;
    lua_pushinteger(L: lua_State, value: number): void;
    lua_pushlstring(L: lua_State, bytes: Uint8Array, length: number): void;
    lua_pushnil(L: lua_State): void;
    lua_pushnumber(L: lua_State, value: number): void;
    lua_rawsetp(L: lua_State, index: number, key: unknown): void;
    lua_setfield(L: lua_State, index: number, key: Uint8Array): void;
    lua_setglobal(L: lua_State, name: Uint8Array): void;
    lua_sethook(L: lua_State, hook: ((L: lua_State) => void) | null, mask: number, count: number): void;
    lua_settop(L: lua_State, index: number): void;
    lua_toboolean(L: lua_State, index: number): boolean;
    lua_tocfunction(L: lua_State, index: number): CFunction;
    lua_tonumber(L: lua_State, index: number): number;
    /** false = it is none. */
    lua_tonumberx(L: lua_State, index: number): number | false;
    lua_topointer(L: lua_State, index: number): unknown;
    lua_tostring(L: lua_State, index: number): Uint8Array | null;
    lua_touserdata(L: lua_State, index: number): unknown;
    lua_type(L: lua_State, index: number): number;
  };
  export default lua;
}
declare module "fengari/src/lauxlib.js" {
  import type { lua_State } from "fengari/src/lstate.js";
  import type { CFunction } from "fengari/src/lua.js";

  const lauxlib: {
    luaL_newstate(): lua_State;
    luaL_argerror(L: lua_State, arg: number, message: Uint8Array): never;
    luaL_checknumber(L: lua_State, arg: number): number;
    luaL_checkstring(L: lua_State, arg: number): Uint8Array;
    luaL_checktype(L: lua_State, arg: number, type: number): void;
    /** `message`: a format of C, in which % stands for itself as %%. */
    luaL_error(L: lua_State, message: Uint8Array): never;
    luaL_requiref(L: lua_State, name: Uint8Array, open: CFunction, global: number): void;
    luaL_tolstring(L: lua_State, index: number): Uint8Array;
    luaL_where(L: lua_State, level: number): void;
  };
  export default lauxlib;
}
declare module "fengari/src/lbaselib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_base: CFunction };
  export default lib;
}
declare module "fengari/src/lcorolib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_coroutine: CFunction };
  export default lib;
}
declare module "fengari/src/lmathlib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_math: CFunction };
  export default lib;
}
declare module "fengari/src/lstrlib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_string: CFunction };
  export default lib;
}
declare module "fengari/src/ltablib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_table: CFunction };
  export default lib;
}
declare module "fengari/src/lutf8lib.js" {
  import type { CFunction } from "fengari/src/lua.js";

  const lib: { luaopen_utf8: CFunction };
  export default lib;
}
declare module "fengari/src/lobject.js" {
  export interface TValue {
    type: number;
    value: unknown;
    setfrom(value: TValue): void;
  }
  const lobject: {
    TValue: new (type: number, value: unknown) => TValue;
    LClosure: new (...args: never[]) => { upvals: TValue[] };
    luaO_nilobject: TValue;
  };
  export default lobject;
}
declare module "fengari/src/ltable.js" {
  import type { TValue } from "fengari/src/lobject.js";
  import type { lua_State } from "fengari/src/lstate.js";
  export interface Entry {
    key: TValue;
    value: TValue;
    n: Entry | undefined;
  }
  export interface Table {
    readonly f: Entry | undefined;
    metatable: Table | null;
  }
  const ltable: {
    Table: new (L: lua_State) => Table;
    invalidateTMcache(t: Table): void;
    luaH_get(L: lua_State, t: Table, key: TValue): TValue;
    luaH_getint(t: Table, key: number): TValue;
    luaH_setfrom(L: lua_State, t: Table, key: TValue, value: TValue): void;
    luaH_setint(t: Table, key: number, value: TValue): void;
  };
  export default ltable;
}
