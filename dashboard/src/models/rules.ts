/** Rules, page by page: which are shown, switched, removed; taken out and brought in as one file. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { ImportResult, RuleRow, RulesFile } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { App } from "./app.ts";
import { createTable, type TableModel } from "./table.ts";
import { lostTexts, waitingOf } from "./waiting_rows.ts";

/** No screen has room for more. */
const LINE_MAX = 300;

/** SQL without its line ends and without comments that have lines of their own, cut. */
export function oneLine(sql: string): string {
  const lines = sql.split("\n").map((l) => l.trim());
  return lines
    .filter((l) => l !== "" && !l.startsWith("--"))
    .join(" ")
    .slice(0, LINE_MAX);
}

export interface RulesModel {
  /** One page of them is asked for, with its figures: there may be thousands. */
  table: TableModel<RuleRow>;
  busy: ReadonlySignal<ReadonlySet<string>>;
  toggle(rule: RuleRow): Promise<void>;
  remove(rule: RuleRow): Promise<boolean>;
  exported(): Promise<RulesFile | null>;
  dispose(): void;
}

export function createRules(app: App): RulesModel {
  const { api, i18n, act } = app;
  const table = createTable<RuleRow>(app, {
    fetch: (q) => api.rules(q),
    filters: { q: (word) => ({ _like_any: word.trim() }), state: (condition) => ({ condition }) },
    every: 3000,
  });
  const busy = signal<ReadonlySet<string>>(new Set());
  return {
    table,
    busy,
    async toggle({ id, name, enabled }) {
      busy.value = new Set(busy.peek()).add(id);
      await act(() => api.switchRule(id, !enabled), i18n.t(enabled ? "rules.disabledOne" : "rules.enabledOne", { name }));
      busy.value = new Set([...busy.peek()].filter((b) => b !== id));
      await table.live.refresh();
    },
    async remove(rule) {
      const done = await removeRule(app, rule);
      if (done) await table.live.refresh();
      return done;
    },
    async exported() {
      let file: RulesFile | null = null;
      await act(async () => {
        file = await api.exportRules();
      });
      return file;
    },
    dispose: () => table.dispose(),
  };
}

/** The question names what waits for it. False = it is still there. */
export async function removeRule({ api, act, i18n, notices }: App, rule: RuleRow): Promise<boolean> {
  const { t } = i18n;
  const { id, name, actions } = rule;
  const text = [...lostTexts(waitingOf(actions), i18n), t("rules.deleteText")].join(" ");
  const question = { title: t("rules.deleteOne", { name }), text, yes: t("action.delete"), danger: true };
  return (await notices.ask(question)) && act(() => api.deleteRule(id), t("rules.deleted", { name }));
}

export interface ImportModel {
  fileName: ReadonlySignal<string>;
  /** What would change; null = no file was looked at yet. */
  plan: ReadonlySignal<ImportResult | null>;
  error: ReadonlySignal<string | null>;
  busy: ReadonlySignal<boolean>;
  /** Typed secrets, by place and field. */
  secrets: ReadonlySignal<Readonly<Record<string, string>>>;
  read(file: { name: string; text(): Promise<string> }): Promise<void>;
  setSecret(where: string, field: string, value: string): void;
  /** Look again, with the secrets. */
  check(): Promise<void>;
  apply(): Promise<boolean>;
  dispose(): void;
}

export const secretKey = (where: string, field: string): string => `${where} ${field}`;

export function createImport({ api, i18n, link, act, explainError }: App): ImportModel {
  const fileName = signal("");
  const plan = signal<ImportResult | null>(null);
  const error = signal<string | null>(null);
  const busy = signal(false);
  const secrets = signal<Readonly<Record<string, string>>>({});
  let file: unknown = null;

  async function check(): Promise<void> {
    busy.value = true;
    error.value = null;
    try {
      plan.value = await api.importRules(withSecrets(file, secrets.peek()), true);
    } catch (e) {
      const failed: ApiError = asApiError(e);
      link.report(failed);
      plan.value = null;
      error.value = explainError(failed);
    }
    busy.value = false;
  }
  return {
    fileName,
    plan,
    error,
    busy,
    secrets,
    async read(given) {
      fileName.value = given.name;
      plan.value = null;
      secrets.value = {};
      try {
        file = JSON.parse(await given.text());
      } catch {
        error.value = i18n.t("rules.import.noJson");
        return;
      }
      await check();
    },
    setSecret(where, field, value) {
      secrets.value = { ...secrets.peek(), [secretKey(where, field)]: value };
    },
    check,
    async apply() {
      busy.value = true;
      const n = (plan.peek()?.rules.create.length ?? 0) + (plan.peek()?.rules.update.length ?? 0);
      const done = await act(() => api.importRules(withSecrets(file, secrets.peek()), false), i18n.t("rules.import.done", { n }));
      busy.value = false;
      return done;
    },
    dispose() {},
  };
}

interface FileLike {
  resources?: { config?: Record<string, unknown> }[];
  rules?: { actions?: { params?: Record<string, unknown> }[] }[];
}

/** The file with what was typed in the places that the broker has named: `resources[2] mysql:x`, `rules[1] id`. The file itself stays as it is. */
export function withSecrets(file: unknown, typed: Readonly<Record<string, string>>): unknown {
  const entries = Object.entries(typed).filter(([, value]) => value !== "");
  if (entries.length === 0 || typeof file !== "object" || file === null) return file;
  const out = structuredClone(file) as FileLike;
  for (const [key, value] of entries) {
    const found = /^(resources|rules)\[(\d+)\] .* (\S+)$/s.exec(key);
    if (found === null) continue;
    const at = Number(found[2]) - 1;
    const field = found[3] ?? "";
    const config = out.resources?.[at]?.config;
    if (found[1] === "resources" && config) config[field] = value;
    else if (found[1] === "rules")
      for (const action of out.rules?.[at]?.actions ?? [])
        if (action.params && typeof action.params[field] === "string" && (action.params[field] as string).includes("******"))
          action.params[field] = value;
  }
  return out;
}
