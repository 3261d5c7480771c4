/** What this program is. The commit and date are stamped in by build.ts; run from source they are empty. */
import { version } from "../../package.json";

declare const BAOMQ_COMMIT: string | undefined;
declare const BAOMQ_BUILT_AT: string | undefined;

export interface BuildInfo {
  readonly version: string;
  /** Short git hash, "" when run from source or built outside a repository. */
  readonly commit: string;
  /** ISO date, "" when run from source. */
  readonly builtAt: string;
}

export const buildInfo: BuildInfo = {
  version,
  commit: typeof BAOMQ_COMMIT === "string" ? BAOMQ_COMMIT : "",
  builtAt: typeof BAOMQ_BUILT_AT === "string" ? BAOMQ_BUILT_AT : "",
};
