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
  const textOf = (file: string): string | null => (existsSync(file) ? readFileSync(file, "utf8") : null);
  return {
    read() {
      const text = textOf(path());
      return { path: path(), text: text ?? DEFAULT_ACL, exists: text !== null, former: textOf(former()) };
    },
    write(text) {
      // What cannot be used must not stand there at the next start.
      parseAclRules(text);
      mkdirSync(dirname(path()), { recursive: true });
      const before = textOf(path()) ?? DEFAULT_ACL;
      if (before !== text) writeWhole(former(), before);
      writeWhole(path(), text);
      reload();
    },
  };
}
