/**
 * The modules of fengari that are used, without those that reach files, processes and the console. They need each other in a circle, which comes up
 * only when `defs.js` is the first: nothing else may import them.
 */
import defs from "fengari/src/defs.js";
import lauxlib from "fengari/src/lauxlib.js";
import lbaselib from "fengari/src/lbaselib.js";
import lcorolib from "fengari/src/lcorolib.js";
import lmathlib from "fengari/src/lmathlib.js";
import lobject from "fengari/src/lobject.js";
import lstrlib from "fengari/src/lstrlib.js";
import ltable from "fengari/src/ltable.js";
import ltablib from "fengari/src/ltablib.js";
import lua from "fengari/src/lua.js";
import lutf8lib from "fengari/src/lutf8lib.js";

export type { TValue } from "fengari/src/lobject.js";
export type { lua_State } from "fengari/src/lstate.js";
export type { Table } from "fengari/src/ltable.js";
export { defs, lauxlib, lbaselib, lcorolib, lmathlib, lobject, lstrlib, ltable, ltablib, lua, lutf8lib };
