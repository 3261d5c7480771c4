/** What the admin layer needs of the configuration: every key with where its value comes from, and changing them. */
import type { Setting, SettingsApplied } from "./extra_rows.ts";

export interface ConfigView {
  /** Secrets are shown as "******". */
  list(): Setting[];
  /** All or nothing, kept over a restart; null = back to what file, environment or default say. @throws AdminError 108, naming the key. */
  apply(changes: Readonly<Record<string, string | null>>): Promise<SettingsApplied>;
}
