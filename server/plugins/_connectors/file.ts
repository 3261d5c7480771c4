/** Files of lines, below one directory of the node's. */

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../core/ports.ts";
import type { Advice, SettingKeys } from "../_backend/advice.ts";
import type { ResourceKind } from "../actions.ts";
import { actionKind, NOTHING, resourceKind } from "./connector.ts";
import { checkName, FileDriver, type FileTarget, judgeFile } from "./file_driver.ts";
import * as P from "./params.ts";
import { compilePayload, PAYLOAD, shownPayload } from "./payload.ts";

const KEYS: SettingKeys = { server: "path", timeout: "timeout" };

const ADVICE: readonly Advice[] = [
  { codes: ["ENOSPC", "EDQUOT"], says: "the disk is full", see: [] },
  { codes: ["ELOOP", "InTheWay"], says: "something else has that name, or it is a link, which is not followed", see: ["server"] },
  { codes: ["EACCES", "EPERM", "EROFS"], says: "we may not write there", see: ["server"] },
  { codes: ["EISDIR", "ENOTDIR"], says: "something else has that name", see: ["server"] },
];

const MIB = 1024 * 1024;
/** For a line, ms. */
const TIMEOUT_MS = 10_000;

/** `directory`: below it all of them lie. */
export function fileResource(directory: () => string): ResourceKind {
  /** By path: whoever writes to the same file takes turns. */
  const drivers = new Map<string, FileDriver>();
  const driverOf = (target: FileTarget, clock: Clock): FileDriver => {
    const path = join(target.directory, target.name);
    const known = drivers.get(path);
    const driver = known !== undefined && isDeepStrictEqual(known.o, target) ? known : new FileDriver(target, clock);
    drivers.set(path, driver);
    return driver;
  };
  return resourceKind({
    name: "file",
    title: "File",
    description: "A file of lines on this node",
    params: {
      path: P.needed("Path", "Name of the file, below the directory for files of rules."),
      max_size: P.number(100, [1, 10_240], "Max Size", "A larger one is put aside, in MiB."),
      max_count: P.number(10, [0, 1000], "Max Count", "Files put aside that are kept."),
      gzip: P.flag(false, "GZip", "Those that are put aside are compressed."),
      sync: P.flag(false, "Sync", "Lines are on the disk before they count as done."),
    },
    keys: KEYS,
    advice: ADVICE,
    judge: judgeFile,
    open(c, { clock }) {
      const target = {
        directory: directory(),
        name: checkName(c.path),
        maxBytes: c.max_size * MIB,
        keep: c.max_count,
        gzip: c.gzip,
        sync: c.sync,
      };
      return {
        what: `file ${c.path}`,
        open: () => driverOf(target, clock),
        close: (driver: FileDriver) => driver.close(),
        lost: () => false,
        probe: (driver: FileDriver) => driver.probe(),
        pool: 1,
        // It may be opened on a disk that is full.
        probeProves: false,
        timeoutMs: TIMEOUT_MS,
        retries: 0,
      };
    },
  });
}

/** One line each: what is no JSON loses its line ends. */
const lineOf = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");

export const FILE_ACTION = actionKind(["file"], {
  name: "data_to_file",
  title: "Data to File",
  description: "Append a line to a file",
  params: PAYLOAD,
  open({ payload_tmpl }) {
    const payloadOf = compilePayload(payload_tmpl);
    return {
      make: (row) => lineOf(shownPayload(payloadOf(row))),
      shown: (line) => line,
      async write(driver: FileDriver, lines: readonly string[], { wanted }) {
        await driver.append(lines, wanted);
        return NOTHING;
      },
    };
  },
});
