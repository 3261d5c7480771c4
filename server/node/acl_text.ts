/** The text of `acl_file`. */
import { existsSync, readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { DEFAULT_ACL } from "../core/access/acl_file.ts";
import { wordsOf } from "../lib/errors.ts";

/** `acl_file`; the rules EMQ X 3.1 shipped when the file is the default one and not there. */
export function aclText(config: Config): string {
  const file = String(config.get("acl_file"));
  if (config.origin("acl_file") === "default" && !existsSync(file)) return DEFAULT_ACL;
  try {
    return readFileSync(file, "utf8");
  } catch (err) {
    throw new Error(`acl_file = ${file} cannot be read: ${wordsOf(err)}`);
  }
}
