/** 简体中文. A missing or surplus key does not compile. */
import type { Messages } from "./en.ts";
import { kinds } from "./zh/kinds.ts";
import { manage } from "./zh/manage.ts";
import { monitor } from "./zh/monitor.ts";
import { rules } from "./zh/rules.ts";
import { shell } from "./zh/shell.ts";
import { tools } from "./zh/tools.ts";

/** What the API says in English. */
export const said: ReadonlyMap<string, string> = new Map(Object.entries(kinds));

export const zh: Messages = { ...shell, ...monitor, ...manage, ...rules, ...tools };
