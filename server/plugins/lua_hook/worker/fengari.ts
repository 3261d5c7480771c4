/**
 * The modules of fengari that are used, without those that reach files, processes and the console. They need each other in a circle, which comes up
 * only when `defs.js` is the first, and static imports have an order of their own: nothing else may import them.
 */

// A number that is whole is written without ".0", as in EMQ X 3.1, whose Lua (luerl, 5.2) had one kind of numbers: fengari reads this as it is loaded.
process.env.FENGARICONF = JSON.stringify({ LUA_COMPAT_FLOATSTRING: true });
export const { default: defs } = await import("fengari/src/defs.js");
export const { default: lauxlib } = await import("fengari/src/lauxlib.js");
export const { default: lbaselib } = await import("fengari/src/lbaselib.js");
export const { default: lcorolib } = await import("fengari/src/lcorolib.js");
export const { default: lmathlib } = await import("fengari/src/lmathlib.js");
export const { default: lobject } = await import("fengari/src/lobject.js");
export const { default: lstrlib } = await import("fengari/src/lstrlib.js");
export const { default: ltable } = await import("fengari/src/ltable.js");
export const { default: ltablib } = await import("fengari/src/ltablib.js");
export const { default: lua } = await import("fengari/src/lua.js");
export const { default: lutf8lib } = await import("fengari/src/lutf8lib.js");

delete process.env.FENGARICONF;

export type { TValue } from "fengari/src/lobject.js";
export type { lua_State } from "fengari/src/lstate.js";
export type { Table } from "fengari/src/ltable.js";
