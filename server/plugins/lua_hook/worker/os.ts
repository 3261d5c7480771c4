/**
 * `os` of Lua 5.3 as far as it is about time: clock, date, difftime and time; nothing that reaches files, processes or the environment. fengari's own
 * brings those along, and takes no heed of "!". Times are floats: integers have 32 bits here, and `os.time() * 1000` would be another number.
 */
import { lauxlib, lua, type lua_State } from "./fengari.ts";
import { BadConversion, isSummer, type Parts, partsOf, strftime } from "./strftime.ts";

const text = (s: string): Uint8Array => Buffer.from(s, "latin1");
const HOUR_MS = 3_600_000;
/** A field of a date is no larger than this. */
const FIELD_MOST = 0x3fffffff;

/** Seconds. @throws Lua's error */
function timeOf(L: lua_State, arg: number): number {
  const n = lauxlib.luaL_checknumber(L, arg);
  return Number.isInteger(n) ? n : lauxlib.luaL_argerror(L, arg, text("number has no integer representation"));
}

/** Of the table on top. `otherwise`: where there is none; null = there has to be one. @throws Lua's error */
function fieldOf(L: lua_State, name: string, otherwise: number | null): number {
  const type = lua.lua_getfield(L, -1, text(name));
  const n = lua.lua_tonumberx(L, -1);
  lua.lua_settop(L, -2);
  if (n === false || !Number.isInteger(n)) {
    if (type !== lua.LUA_TNIL) return lauxlib.luaL_error(L, text(`field '${name}' is not an integer`));
    return otherwise ?? lauxlib.luaL_error(L, text(`field '${name}' missing in date table`));
  }
  return Math.abs(n) <= FIELD_MOST ? n : lauxlib.luaL_error(L, text(`field '${name}' is out-of-bound`));
}

/** null = it does not say. */
function summerOf(L: lua_State): boolean | null {
  const type = lua.lua_getfield(L, -1, text("isdst"));
  const is = lua.lua_toboolean(L, -1);
  lua.lua_settop(L, -2);
  return type === lua.LUA_TNIL ? null : is;
}

/** Into the table on top. */
function setFields(L: lua_State, { year, month, day, hour, min, sec, wday, yday, isdst }: Parts): void {
  for (const [name, n] of Object.entries({ sec, min, hour, day, month: month + 1, year, wday: wday + 1, yday: yday + 1 })) {
    lua.lua_pushinteger(L, n);
    lua.lua_setfield(L, -2, text(name));
  }
  lua.lua_pushboolean(L, isdst);
  lua.lua_setfield(L, -2, text("isdst"));
}

/** What the fields of a table say, in the machine's zone; what is too much of one goes over into the next. */
function time(L: lua_State): number {
  if (lua.lua_type(L, 1) <= lua.LUA_TNIL) {
    lua.lua_pushnumber(L, Math.floor(Date.now() / 1000));
    return 1;
  }
  lauxlib.luaL_checktype(L, 1, lua.LUA_TTABLE);
  lua.lua_settop(L, 1);
  const [year, month, day] = [fieldOf(L, "year", null), fieldOf(L, "month", null), fieldOf(L, "day", null)];
  const [hour, min, sec] = [fieldOf(L, "hour", 12), fieldOf(L, "min", 0), fieldOf(L, "sec", 0)];
  const summer = summerOf(L);
  // A year below 100 is that year.
  let at = new Date(2000, 0, 1);
  at.setFullYear(year, month - 1, day);
  at.setHours(hour, min, sec);
  if (summer !== null && summer !== isSummer(at)) at = moved(at, summer);
  if (Number.isNaN(at.getTime())) return lauxlib.luaL_error(L, text("time result cannot be represented in this installation"));
  setFields(L, partsOf(at, false));
  lua.lua_pushnumber(L, Math.floor(at.getTime() / 1000));
  return 1;
}

/** The same hands of a clock that goes by summer time, or does not, where the other one is in force. As it is where there is no summer time. */
function moved(at: Date, summer: boolean): Date {
  const year = at.getFullYear();
  if (new Date(year, 0, 1).getTimezoneOffset() === new Date(year, 6, 1).getTimezoneOffset()) return at;
  return new Date(at.getTime() + (summer ? -HOUR_MS : HOUR_MS));
}

function date(L: lua_State, take: (bytes: number) => void): number {
  const format = lua.lua_type(L, 1) <= lua.LUA_TNIL ? "%c" : Buffer.from(lauxlib.luaL_checkstring(L, 1)).toString("latin1");
  const seconds = lua.lua_type(L, 2) <= lua.LUA_TNIL ? Date.now() / 1000 : timeOf(L, 2);
  const at = new Date(Math.floor(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return lauxlib.luaL_error(L, text("date result cannot be represented in this installation"));
  const utc = format.startsWith("!");
  const parts = partsOf(at, utc);
  const wanted = utc ? format.slice(1) : format;
  if (wanted === "*t") {
    lua.lua_createtable(L, 0, 9);
    setFields(L, parts);
    return 1;
  }
  try {
    const bytes = text(strftime(wanted, parts, take));
    lua.lua_pushlstring(L, bytes, bytes.length);
    return 1;
  } catch (err) {
    if (!(err instanceof BadConversion)) throw err;
    return lauxlib.luaL_argerror(L, 1, text(`invalid conversion specifier '%${err.message}'`));
  }
}

function difftime(L: lua_State): number {
  lua.lua_pushnumber(L, timeOf(L, 1) - timeOf(L, 2));
  return 1;
}

/** Seconds of processor time, of the whole process, as C's `clock`. */
function clock(L: lua_State): number {
  const { user, system } = process.cpuUsage();
  lua.lua_pushnumber(L, (user + system) / 1e6);
  return 1;
}

/** `take`: told of the bytes of what is made. */
export const openOs =
  (take: (bytes: number) => void) =>
  (L: lua_State): number => {
    lua.lua_createtable(L, 0, 4);
    for (const [name, fn] of Object.entries({ clock, date: (of: lua_State) => date(of, take), difftime, time })) {
      lua.lua_pushcfunction(L, fn);
      lua.lua_setfield(L, -2, text(name));
    }
    return 1;
  };
