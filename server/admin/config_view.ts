/** What the admin layer needs of the configuration and of the program around it to show and change settings. */
import type { ConfigRow, SettingProblem } from "../config/types.ts";
import type { SettingChanges, SettingSource } from "../plugins/settings.ts";

/** The configuration with its layers: default, file, API, environment, flags; later ones stand above earlier ones. */
export interface ConfigLayers {
  entries(): Iterable<ConfigRow>;
  /** One of them, or of a name that is not there yet. */
  row(key: string): ConfigRow | undefined;
  /** What is wrong with a value for a key; null = nothing. */
  checkOverride(key: string, text: string | null): string | null;
  /** As text, in force. */
  raw(key: string): string;
  /** What is shown of a text for a key. */
  shown(key: string, text: string): string;
  /** What the API's layer says, in force or not; undefined = nothing, null = as by default. */
  override(key: string): string | null | undefined;
  /** Number of keys of which the API's layer says something. */
  overrides(): number;
  /** What a file says of a key, in force or not; undefined = nothing. */
  line(key: string): string | undefined;
  /** The key is one of those that a `$name` key stands for. */
  isMember(key: string): boolean;
  /** Environment or flag that stands above the API's layer, in words; null = none. */
  fixedBy(key: string): string | null;
  change(changes: SettingChanges): void;
  /** As it would be with the changes; nobody else sees it. */
  with(changes: SettingChanges): { texts(app: string): SettingSource; raw(key: string): string };
}

export interface SettingsPorts {
  layers: ConfigLayers;
  /** Values of the API's layer that are not in force because the node, or the plugin that has the key, cannot use them, and why. What is changed or taken back leaves it. */
  aside: Map<string, { text: string | null; why: string }>;
  /** Bring `aside` up to date with the plugins that there are by now; what is new there is logged. */
  review(): void;
  /** What would keep the node from starting with these changes. */
  problems(changes: SettingChanges): SettingProblem[];
  /** Write to the store. */
  keep(changes: SettingChanges): void;
  /** The core follows. */
  changed(): void;
}
