/** `acl_file` as somebody edits it: read, and written so that a crash leaves the one or the other, with what it was before beside it. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { AclFilePort } from "../admin/deps.ts";
import type { Config } from "../config/config.ts";
import { DEFAULT_ACL, parseAclRules } from "../core/access/acl_file.ts";
import { writeWhole } from "../lib/write_whole.ts";

/** `reload`: the rules in force become those of the file. */
export function aclFilePort(config: Config, reload: () => void): AclFilePort {
  const path = (): string => resolve(String(config.get("acl_file")));
  const former = (): string => `${path()}.before`;
  const bytesOf = (file: string): Buffer | null => (existsSync(file) ? readFileSync(file) : null);
  return {
    read() {
      const bytes = bytesOf(path());
      const text = bytes?.toString("utf8") ?? DEFAULT_ACL;
      return { path: path(), text, exists: bytes !== null, former: bytesOf(former())?.toString("utf8") ?? null };
    },
    write(text) {
      // What cannot be used must not stand there at the next start.
      parseAclRules(text);
      mkdirSync(dirname(path()), { recursive: true });
      // Byte for byte: a file that is not in UTF-8 must not be lost with the copy.
      const before = bytesOf(path()) ?? Buffer.from(DEFAULT_ACL);
      if (!before.equals(Buffer.from(text))) writeWhole(former(), before, path());
      writeWhole(path(), text);
      reload();
    },
  };
}
