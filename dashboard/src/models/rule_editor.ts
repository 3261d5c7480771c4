/** One rule in the editor: its draft, the playground, how it is while it runs, and what is saved. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { RuleRow } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import { RESOURCE, typesOf } from "../lib/params.ts";
import { insertOf } from "../lib/row_fields.ts";
import { dialectOf } from "../lib/sql_names.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";
import { link as linkTo } from "./router.ts";
import { createCatalog, type RuleCatalog } from "./rule_catalog.ts";
import { type DraftAction, draftOf, newAction, type RuleDraft, sameDraft, sentActions } from "./rule_draft.ts";
import { RULE_STARTS, type RuleStart } from "./rule_starts.ts";
import { createTrial, type RuleTrialModel, type Sample } from "./rule_trial.ts";
import { removeRule } from "./rules.ts";
import { lostTexts, waitingOf } from "./waiting_rows.ts";

export interface RuleEditorModel {
  /** null = it is not made yet. */
  id: string | null;
  catalog: RuleCatalog;
  /** The rule as it runs; undefined while it is new or not known. */
  row: ReadonlySignal<RuleRow | undefined>;
  live: Live<RuleRow> | null;
  draft: ReadonlySignal<RuleDraft>;
  /** Something differs from what is saved. */
  dirty: ReadonlySignal<boolean>;
  /** Unsaved changes that were left here before. */
  resumed: ReadonlySignal<boolean>;
  trial: RuleTrialModel;
  saving: ReadonlySignal<boolean>;
  /** Why it was not saved. */
  refused: ReadonlySignal<ApiError | null>;
  edit(change: Partial<Omit<RuleDraft, "actions">>): void;
  addAction(name: string): void;
  setAction(key: string, change: Partial<Pick<DraftAction, "params">>): void;
  /** Another kind in its place. */
  replaceAction(key: string, name: string): void;
  removeAction(key: string): void;
  discard(): void;
  /** Of a new one: begin anew with one of the beginnings ("" = an empty rule), when it is agreed that what is typed is lost. */
  begin(start: string): Promise<void>;
  /** False = it was refused, or not agreed to what is lost by it. */
  save(): Promise<boolean>;
  toggle(): Promise<void>;
  reset(): Promise<void>;
  remove(): Promise<void>;
  /** Rows a second of each action, by its id. */
  rates: ReadonlySignal<ReadonlyMap<string, number>>;
  dispose(): void;
}

interface Kept {
  /** What is not saved yet. */
  drafts: Map<string, RuleDraft>;
  /** The playground's examples. */
  samples: Map<string, Sample>;
}

/** They live with the tab: look elsewhere and come back. By the rule's id, or the beginning of a new one. */
const kept = new WeakMap<App, Kept>();

function keptOf(app: App): Kept {
  const found = kept.get(app) ?? { drafts: new Map(), samples: new Map() };
  kept.set(app, found);
  return found;
}

const EMPTY: RuleDraft = { name: "", description: "", sql: `SELECT *\nFROM "t/#"`, actions: [] };
const LIVE_MS = 2000;
/** Where ready-made statements write to. */
const TABLE = "readings";

const startOf = (id: string): RuleStart | undefined => RULE_STARTS.find((s) => s.id === id);
const freshOf = (start: RuleStart | undefined): RuleDraft => (start ? { ...EMPTY, name: start.name, sql: start.sql } : EMPTY);
const placeOfNew = (start: string): string => `new ${start}`;

/** `id` null: a new one, begun as `start` says. */
export function createRuleEditor(app: App, id: string | null, start: string): RuleEditorModel {
  const { api, link, act, i18n, router, notices } = app;
  const { drafts, samples } = keptOf(app);
  let place = id ?? placeOfNew(start);
  const begun = signal(startOf(start));
  const catalog = createCatalog(app);
  const live = id === null ? null : createLive(() => api.rule(id), { link, every: LIVE_MS });
  /** What a new one begins with. */
  const fresh = signal<RuleDraft>(freshOf(begun.peek()));
  const before = drafts.get(place);
  /** null = nothing was changed. */
  const edited: Signal<RuleDraft | null> = signal(before ?? null);
  const resumed = signal(before !== undefined);
  /** What it is when nothing was edited; of a saved rule it follows what others save. */
  const saved = computed(() => (live === null ? fresh.value : live.data.value && draftOf(live.data.value)));
  const draft = computed<RuleDraft>(() => edited.value ?? saved.value ?? EMPTY);
  const dirty = computed(() => edited.value !== null && saved.value !== undefined && !sameDraft(edited.value, saved.value));
  const saving = signal(false);
  const refused = signal<ApiError | null>(null);
  const actions = computed(() => sentActions(draft.value.actions, catalog));
  // By what they say: figures that come in change neither.
  const asked = computed(() => JSON.stringify(actions.value));
  const sql = computed(() => draft.value.sql);
  const trial = createTrial(app, {
    sql,
    actions: computed(() => JSON.parse(asked.value) as typeof actions.value),
    catalog,
    start: samples.get(place) ?? begun.peek()?.sample ?? {},
  });
  const rates = signal<ReadonlyMap<string, number>>(new Map());

  const change = (next: RuleDraft): void => {
    edited.value = next;
    refused.value = null;
    drafts.set(place, next);
  };

  /** Actions whose statement is written as soon as the fields of the rule's rows are known. */
  const unwritten = new Set<string>();

  // A beginning names kinds of actions; which there are is known later.
  const stopStart = effect(() => {
    const start = begun.value;
    const kinds = catalog.kinds.data.value?.actions;
    if (start === undefined || kinds === undefined || !catalog.ready.value || fresh.peek().actions.length > 0) return;
    const name = start.actions.find((a) => kinds.some((k) => k.name === a));
    if (name === undefined) return;
    fresh.value = { ...fresh.peek(), actions: [filled(newAction(name, catalog))] };
    writeStatements();
  });

  const stopWriting = effect(() => {
    if (trial.fieldsNow.value !== null) writeStatements();
  });

  function writeStatements(): void {
    if (unwritten.size === 0) return;
    const fields = trial.fieldsNow.peek();
    if (fields === null) {
      void trial.askFields();
      return;
    }
    const written = (of: RuleDraft): RuleDraft => ({
      ...of,
      actions: of.actions.map((a) => {
        // What somebody has typed meanwhile stays.
        const isOpen = unwritten.has(a.key) && (a.params.sql ?? "") === "";
        return isOpen ? { ...a, params: { ...a.params, sql: insertOf(TABLE, fields, dialectOf(a.name)) } } : a;
      }),
    });
    const typed = edited.peek();
    if (typed !== null) change(written(typed));
    fresh.value = written(fresh.peek());
    unwritten.clear();
  }

  /** With the only resource there is; its statement follows. */
  function filled(action: DraftAction): DraftAction {
    const kind = catalog.action(action.name);
    if (kind === undefined) return action;
    const types = typesOf(kind);
    const fit = (catalog.resources.data.peek() ?? []).filter((r) => types.includes(r.type));
    const params = { ...action.params };
    if (types.length > 0 && params[RESOURCE] === undefined && fit.length === 1) params[RESOURCE] = fit[0]?.id;
    if (kind.params.sql?.format === "sql" && params.sql === undefined) unwritten.add(action.key);
    if (action.name === "built_in:republish_action" && params.target_topic === undefined) params.target_topic = `alerts/\${clientid}`;
    return { ...action, params };
  }

  let last: { at: number; taken: Map<string, number> } | null = null;
  const stopRates = effect(() => {
    const row = live?.data.value;
    if (row === undefined) return;
    const now = { at: performance.now(), taken: new Map(row.actions.map((a) => [a.id, a.metrics.success] as const)) };
    if (last !== null && now.at - last.at > 500) {
      const seconds = (now.at - last.at) / 1000;
      const was = last.taken;
      rates.value = new Map([...now.taken].map(([key, n]) => [key, Math.max(0, n - (was.get(key) ?? n)) / seconds]));
    }
    if (last === null || now.at - last.at > 500) last = now;
  });

  const patch = (list: readonly DraftAction[]): void => {
    change({ ...draft.peek(), actions: list });
    writeStatements();
  };

  const forget = (): void => {
    drafts.delete(place);
    resumed.value = false;
    refused.value = null;
    edited.value = null;
  };

  /** What waits for actions that are not there any more goes when it is saved. */
  async function losesNothing(): Promise<boolean> {
    const row = live?.data.peek();
    const stays = new Set(draft.peek().actions.map((a) => a.id));
    const gone = row?.actions.filter((a) => !stays.has(a.id)) ?? [];
    const texts = lostTexts(waitingOf(gone), i18n);
    if (row === undefined || texts.length === 0) return true;
    const title = i18n.t("rules.saveLosing", { name: row.name });
    return notices.ask({ title, text: [i18n.t("rules.saveLosingText"), ...texts].join(" "), yes: i18n.t("action.save"), danger: true });
  }

  return {
    id,
    catalog,
    row: computed(() => live?.data.value),
    live,
    draft,
    dirty,
    resumed: computed(() => resumed.value && dirty.value),
    trial,
    saving,
    refused,
    rates,
    edit: (given) => change({ ...draft.peek(), ...given }),
    addAction: (name) => patch([...draft.peek().actions, filled(newAction(name, catalog))]),
    setAction: (key, given) => patch(draft.peek().actions.map((a) => (a.key === key ? { ...a, ...given } : a))),
    replaceAction: (key, name) => patch(draft.peek().actions.map((a) => (a.key === key ? filled(newAction(name, catalog)) : a))),
    removeAction: (key) => patch(draft.peek().actions.filter((a) => a.key !== key)),
    discard: forget,
    async begin(next) {
      const { t } = i18n;
      const found = startOf(next);
      const title = t("rules.start.ask", { title: t(found?.title ?? "rules.start.empty") });
      const question = { title, text: t("rules.start.askText"), yes: t("rules.start.anew"), danger: true };
      if ((dirty.peek() || trial.changed.peek()) && !(await notices.ask(question))) return;
      forget();
      place = placeOfNew(next);
      // A beginning is what it says, not what was made of it before.
      forget();
      batch(() => {
        fresh.value = freshOf(found);
        trial.begin(found?.sample ?? {});
        // The same one again begins again, too.
        begun.value = found && { ...found };
      });
      router.go(linkTo("rules", "new", { start: next }), { replace: true });
    },
    async save() {
      if (saving.peek() || !(await losesNothing())) return false;
      saving.value = true;
      refused.value = null;
      const { name, description, sql: rawsql } = draft.peek();
      const request = { name: name.trim(), description, rawsql, actions: actions.peek() };
      let row: RuleRow | null = null;
      try {
        row = id === null ? await api.createRule({ ...request, enabled: true }) : await api.updateRule(id, request);
      } catch (err) {
        refused.value = asApiError(err);
        link.report(refused.peek());
      }
      saving.value = false;
      if (row === null) return false;
      drafts.delete(place);
      // What was tried with it goes on being the example.
      samples.set(row.id, trial.sample.peek());
      resumed.value = false;
      notices.ok(i18n.t(id === null ? "rules.created" : "rules.saved", { name: row.name }));
      if (id === null) router.go(linkTo("rules", row.id), { replace: true });
      else {
        live?.set(row);
        edited.value = null;
      }
      return true;
    },
    async toggle() {
      const row = live?.data.peek();
      if (row === undefined || id === null) return;
      const done = i18n.t(row.enabled ? "rules.disabledOne" : "rules.enabledOne", { name: row.name });
      await act(async () => live?.set(await api.switchRule(id, !row.enabled)), done);
    },
    async reset() {
      if (id === null) return;
      await act(() => api.resetRule(id), i18n.t("rules.resetDone"));
      await live?.refresh();
    },
    async remove() {
      const row = live?.data.peek();
      if (row === undefined) return;
      if (!(await removeRule(app, row))) return;
      drafts.delete(place);
      router.go(linkTo("rules"));
    },
    dispose() {
      if (!dirty.peek()) drafts.delete(place);
      if (id !== null) samples.set(place, trial.sample.peek());
      stopStart();
      stopWriting();
      stopRates();
      trial.dispose();
      live?.dispose();
      catalog.dispose();
    },
  };
}
