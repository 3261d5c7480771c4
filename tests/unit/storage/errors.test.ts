import { describe, expect, test } from "bun:test";
import { codeOf, damaged, readError, StoreError, writeError } from "../../../server/storage/errors.ts";

const failure = (code: string | undefined, message: string): Error => Object.assign(new Error(message), code === undefined ? {} : { code });
const FILE = "/data/baomq.db";

test("codeOf: SQLite's name or the system's, empty when there is none", () => {
  expect([failure("SQLITE_BUSY", "x"), failure(undefined, "x"), null, undefined, { code: 5 }].map(codeOf)).toEqual([
    "SQLITE_BUSY",
    "",
    "",
    "",
    "",
  ]);
});

describe("an error met while reading", () => {
  const damage = (what: string): string =>
    `${FILE} is damaged (${what}): move it, ${FILE}-wal and the baomq.redo files to another place, then put a backup in its place or start without one, empty`;
  test.each([
    ["SQLITE_NOTADB", "file is not a database", "damaged", damage("it is not a database")],
    ["SQLITE_CORRUPT", "database disk image is malformed", "damaged", damage("database disk image is malformed")],
    ["SQLITE_CORRUPT_INDEX", "index", "damaged", damage("index")],
    ["SQLITE_FULL", "database or disk is full", "access", `${FILE} cannot be opened: the disk is full`],
    ["SQLITE_IOERR", "disk I/O error", "access", `${FILE} cannot be read: disk I/O error`],
    [undefined, "what is this", "access", `${FILE} cannot be read: what is this`],
  ] as const)("%s: %s", (code, message, kind, words) => {
    const cause = failure(code, message);
    const err = readError(FILE, cause);
    expect(err).toBeInstanceOf(StoreError);
    expect([err.code, err.message, err.cause]).toEqual([kind, words, cause]);
  });

  test("a column that is no JSON is damage, and what is clear already stays as it is", () => {
    expect(readError(FILE, new SyntaxError("Unexpected end"))).toMatchObject({ code: "damaged", message: damage("Unexpected end") });
    const clear = damaged(FILE, "it is empty");
    expect(readError("/other", clear)).toBe(clear);
  });
});

describe("a failed commit", () => {
  const kept = "The data is kept in memory and written when that works again";
  test.each([
    ["SQLITE_FULL", "x", "the disk is full"],
    ["SQLITE_IOERR_WRITE", "x", "input/output error (SQLITE_IOERR_WRITE)"],
    ["SQLITE_READONLY_DBMOVED", "x", "the file or its disk is read-only"],
    ["ENOSPC", "no space left on device", "the disk is full"],
    ["EACCES", "permission denied", "permission denied"],
  ])("%s", (code, message, why) => {
    const err = writeError(FILE, failure(code, message));
    expect([err.code, err.message]).toEqual(["write", `${FILE} cannot be written: ${why}. ${kept}`]);
  });
});
