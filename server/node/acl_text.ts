/** The text of `acl_file`. */
import { existsSync, readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { DEFAULT_ACL, parseAclRules } from "../core/access/acl_file.ts";
import { TermError } from "../lib/erlang_term.ts";
import { whyUnreadable } from "../lib/file_errors.ts";

/**
 * `acl_file`; the rules EMQ X 3.1 shipped when the file is the default one and not there.
 * @throws Error that names key and file, also when the rules in it are bad
 */
export function aclText(config: Config): string {
  const file = String(config.get("acl_file"));
  if (config.origin("acl_file") === "default" && !existsSync(file)) return DEFAULT_ACL;
  const text = read(file);
  try {
    parseAclRules(text);
  } catch (err) {
    if (!(err instanceof TermError)) throw err;
    // Not what stands there: whoever may name a file through the API may not be who may read it.
    throw new Error(`acl_file = ${file}: line ${err.line}, column ${err.column}: expected ${err.expected}`);
  }
  return text;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (err) {
    throw new Error(`acl_file = ${file}: expected a file of access rules, but it cannot be read: ${whyUnreadable(err)}`);
  }
}
