/** The data formats, oldest first: entry n-1 brings a file from format n-1 to n. Never change an entry that was released; add one. */
import { initial } from "./001_initial.ts";
import { settings } from "./002_settings.ts";
import { retained } from "./003_retained.ts";
import { redo } from "./004_redo.ts";

export const MIGRATIONS: readonly string[] = [initial, settings, retained, redo];
