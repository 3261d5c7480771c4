/** English: the language every other one is checked against. "{n} client|{n} clients" is chosen by n. */
import { manage } from "./en/manage.ts";
import { monitor } from "./en/monitor.ts";
import { rules } from "./en/rules.ts";
import { shell } from "./en/shell.ts";
import { tools } from "./en/tools.ts";

export const en = { ...shell, ...monitor, ...manage, ...rules, ...tools } as const;

export type TextKey = keyof typeof en;
export type Messages = Readonly<Record<TextKey, string>>;
