/** Find or make the database file, take it for this process alone, check it, bring it to the present format. */
import { accessSync, closeSync, constants, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import { Connection } from "./connection.ts";
import { codeOf, damaged, readError, StoreError } from "./errors.ts";
import { putInPlace, sizeOf, syncDirectory } from "./files.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { namesIn } from "./redo_file.ts";
import { replayRedo } from "./redo_replay.ts";
import { breakSeal, checkSeal, type SealState, seal } from "./seal.ts";
import { checkWal, type WalState } from "./wal_check.ts";

export const DB_NAME = "baomq.db";
const PID_NAME = "baomq.pid";
/** "BaoM" in the file's header. */
const APPLICATION_ID = 0x42616f4d;
const MIB = 1024 * 1024;
/** A full check reads the whole file, about 1.6 ms a MiB. Up to here it always runs … */
const CHECK_ALWAYS = 16 * MIB;
/** … and up to here after an unclean end. Larger files are only checked as far as they are read. */
const CHECK_UNCLEAN = 256 * MIB;

export interface Opened {
  connection: Connection;
  /** Of the redo log, which is to be begun. */
  redo: string;
  /** What was lost or changed, in words for the operator; empty = nothing. */
  damage: string[];
}

/** @throws StoreError */
export function openFile(dir: string, log: Log): Opened {
  makeDirectory(dir);
  const file = join(dir, DB_NAME);
  const size = sizeOf(file);
  if (size === 0) throw damaged(file, "it is empty");
  if (size < 0) {
    const left = [`${file}-wal`, ...namesIn(dir)].find((name) => sizeOf(name) > 0);
    if (left !== undefined) throw damaged(file, `it is missing, but ${left}, which belongs to it, is there`);
    create(file);
  } else checkAccess(file);
  const sealed = lookAtSeal(file);
  const c = lock(dir, file);
  try {
    const unclean = sizeOf(join(dir, PID_NAME)) >= 0;
    const journal = checkWal(`${file}-wal`);
    const damage = damageOf(file, journal, sealed, log);
    breakSeal(file);
    check(c, sizeOf(file), damage.length > 0 ? "all" : unclean ? "unclean" : "clean", log);
    // New frames would be written over damaged ones, and what lies behind those would look like damage for ever.
    if (journal.state !== "whole") emptyWal(c, log);
    migrate(c, log);
    const redo = replayRedo(c, dir, log);
    damage.push(...redo.damage);
    // The log's id is to outlive a damaged journal.
    emptyWal(c, log);
    for (const what of damage) log.error("stored data is damaged", { what });
    c.exec("PRAGMA cache_size = -8000");
    writeFileSync(join(dir, PID_NAME), `${process.pid}\n`, { mode: 0o600 });
    syncDirectory(dir);
    return { connection: c, redo: redo.id, damage };
  } catch (err) {
    c.close();
    throw readError(file, err);
  }
}

/** After the last commit of a clean stop: the next start sees that it was one. `whole` = the database has everything. `closed`: the file is, others may look at it. */
export function closeFile(c: Connection, dir: string, whole: boolean, closed: () => void): void {
  c.close();
  closed();
  if (!whole) return;
  seal(c.file);
  rmSync(join(dir, PID_NAME), { force: true });
}

function lookAtSeal(file: string): SealState {
  try {
    return checkSeal(file);
  } catch (err) {
    throw readError(file, err);
  }
}

/** What SQLite does not tell: the end of a damaged journal, bytes changed within values. Nothing is written to the file before. */
function damageOf(file: string, { state, at, commits, pages }: WalState, sealed: SealState, log: Log): string[] {
  const found: string[] = [];
  const wal = `${file}-wal`;
  if (state === "unfinished") {
    log.warn("the journal ends in a write that is not complete, as a crash leaves it; it is dropped", { file: wal, at, pages });
  } else if (state === "damaged") {
    const copy = keepCopy(wal);
    found.push(
      `the journal ${wal} is damaged at byte ${at}: up to ${commits} commits (${pages} pages) written after it are lost: sessions, queued and ` +
        `retained messages and settings are as they were before. Check the disk${copy === "" ? "" : `; the damaged file is kept as ${copy}`}`,
    );
  }
  if (sealed === "broken") {
    found.push(
      `${file} has changed since it was closed: its structure is in order, but if nobody changed it, stored data is damaged. ` +
        "Check the disk, and put back a backup if there is one",
    );
  }
  return found;
}

function emptyWal(c: Connection, log: Log): void {
  try {
    c.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (err) {
    log.warn("the journal could not be emptied", { file: c.file, error: wordsOf(err) });
  }
}

/** "" = it could not be copied. */
function keepCopy(wal: string): string {
  const copy = `${wal}.damaged`;
  try {
    copyFileSync(wal, copy);
    return copy;
  } catch {
    return "";
  }
}

function makeDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (err) {
    const why = codeOf(err) === "EEXIST" ? "a file of that name is in the way" : wordsOf(err);
    throw new StoreError("access", `data directory ${dir} cannot be used: ${why}`, err);
  }
}

function checkAccess(file: string): void {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (err) {
    throw new StoreError("access", `${file} cannot be read and written: ${wordsOf(err)}. Give it to the user that runs the broker`, err);
  }
}

/** The file appears under its name complete or not at all, so an empty one is never taken for a new one. */
function create(file: string): void {
  const draft = `${file}.new-${process.pid}`;
  try {
    closeSync(openSync(draft, "w", 0o600));
    const c = new Connection(draft);
    try {
      c.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      applyMigrations(c, 0);
    } finally {
      c.close();
    }
    // If another process was faster, its file is as good.
    putInPlace(draft, file);
  } catch (err) {
    throw new StoreError("access", `${file} cannot be created: ${wordsOf(err)}`, err);
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * In exclusive mode the first read locks the file until it is closed; the kernel drops the lock with the process, however that ends.
 * The pid file only serves the message.
 */
function lock(dir: string, file: string): Connection {
  let c: Connection | null = null;
  try {
    c = new Connection(file);
    c.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (c.value("PRAGMA application_id") !== APPLICATION_ID) throw foreign(file);
    if (c.value("PRAGMA journal_mode = WAL") !== "wal") throw new Error("the file system does not allow a write-ahead log");
    c.transaction(() => {});
    return c;
  } catch (err) {
    c?.close();
    if (codeOf(err).startsWith("SQLITE_BUSY")) throw locked(dir, err);
    throw readError(file, err);
  }
}

function foreign(file: string): StoreError {
  return new StoreError("foreign", `${file} is a database of another program: move it away, or give the broker another data directory`);
}

function locked(dir: string, err: unknown): StoreError {
  const pid = holder(join(dir, PID_NAME));
  const who = pid > 0 ? `process ${pid}` : "another process";
  return new StoreError("locked", `data directory ${dir} is in use by ${who}: stop it, or give this one another data directory`, err);
}

/** 0 = unknown. */
function holder(pidFile: string): number {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, "utf8"), 10);
    process.kill(pid, 0);
    return pid;
  } catch (err) {
    // A process of another user is there, too.
    return codeOf(err) === "EPERM" ? Number.parseInt(readFileSync(pidFile, "utf8"), 10) : 0;
  }
}

function check(c: Connection, size: number, reason: "clean" | "unclean" | "all", log: Log): void {
  if (reason !== "all" && size > (reason === "unclean" ? CHECK_UNCLEAN : CHECK_ALWAYS)) return;
  const began = performance.now();
  // Damage was found: indexes are compared with their tables, too.
  const answer = c.value(reason === "all" ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)");
  if (answer !== "ok") throw damaged(c.file, String(answer));
  log.debug("database checked", { file: c.file, bytes: size, ms: Math.round(performance.now() - began) });
}

function migrate(c: Connection, log: Log): void {
  const format = Number(c.value("PRAGMA user_version"));
  const known = MIGRATIONS.length;
  if (format > known) {
    throw new StoreError(
      "newer",
      `${c.file} was written by a newer version (data format ${format}, this program knows ${known}): ` +
        "use the newer version, or move the file away and put back a backup from before the upgrade",
    );
  }
  if (format < 1) throw damaged(c.file, "it has no data format");
  if (format === known) return;
  applyMigrations(c, format);
  log.info("database brought to the present format", { file: c.file, from: format, to: known });
}

function applyMigrations(c: Connection, from: number): void {
  c.transaction(() => {
    for (const sql of MIGRATIONS.slice(from)) c.exec(sql);
    c.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}
