/** One rule: the picture of it, what it looks at and does, and what came of it. */
import { ChevronLeft, CircleAlert, Loader, Save, Trash2 } from "lucide";
import { useEffect } from "preact/hooks";
import { Loading, Page } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Switch, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { RuleActions } from "../components/RuleActions.tsx";
import { RuleEngineOff } from "../components/RuleEngineOff.tsx";
import { type FlowEnd, RuleFlow } from "../components/RuleFlow.tsx";
import { RuleForm } from "../components/RuleForm.tsx";
import { RulePlayground } from "../components/RulePlayground.tsx";
import { RuleErrors, RuleFigures, RuleInspected, RuleLetters } from "../components/RuleRecords.tsx";
import { RuleStartMenu } from "../components/RuleStarts.tsx";
import { SqlField } from "../components/SqlField.tsx";
import { Tabs } from "../components/Tabs.tsx";
import type { SqlWords } from "../lib/completion.ts";
import { actionOf, RESOURCE } from "../lib/params.ts";
import { sourcesOf } from "../lib/sql_text.ts";
import { pathsOf } from "../lib/value_paths.ts";
import type { TextKey } from "../models/i18n.ts";
import { link } from "../models/router.ts";
import { eventOf } from "../models/rule_catalog.ts";
import { createRuleEditor, type RuleEditorModel } from "../models/rule_editor.ts";
import { knownColumns } from "../models/rule_trial.ts";

const TABS = [
  ["", "rules.tab.rule"],
  ["figures", "rules.figures"],
  ["errors", "rules.errors"],
  ["inspected", "rules.inspected"],
  ["letters", "letters.title"],
] as const satisfies readonly (readonly [string, TextKey])[];

export function RuleEditor({ id }: { id: string | null }) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel((app) => createRuleEditor(app, id, app.router.place.peek().query.start ?? ""));
  const row = model.row.value;
  const error = model.live?.error.value ?? model.catalog.kinds.error.value;
  const tab = id === null ? "" : (router.place.value.query.tab ?? "");
  const title = id === null ? t("rules.new") : (row?.name ?? id);
  // The browser asks before a tab with unsaved changes is closed.
  const dirty = model.dirty.value;
  useEffect(() => {
    if (!dirty) return;
    const ask = (e: Event): void => e.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [dirty]);
  const counts: Readonly<Record<string, number>> = {
    letters: row?.actions.reduce((n, a) => n + (a.metrics.dead_letters ?? 0), 0) ?? 0,
  };
  const retry = async (): Promise<void> => {
    await Promise.all([
      model.live?.refresh(),
      model.catalog.kinds.refresh(),
      model.catalog.fixed.refresh(),
      model.catalog.resources.refresh(),
    ]);
  };
  return (
    <Page
      title={title}
      lead={id === null ? t("rules.newLead") : (row?.description ?? "")}
      crumb={
        <a href={link("rules")} class="row">
          <Icon of={ChevronLeft} size={14} /> {t("page.rules")}
        </a>
      }
      actions={
        id === null ? (
          <RuleStartMenu begin={(start) => void model.begin(start)} />
        ) : row ? (
          <>
            <Switch
              label={t("rules.enable", { name: row.name })}
              text={t("rules.enabled")}
              checked={row.enabled}
              onChange={() => void model.toggle()}
            />
            <button type="button" class="btn danger" onClick={() => void model.remove()}>
              <Icon of={Trash2} /> {t("action.delete")}
            </button>
          </>
        ) : null
      }
    >
      {!model.catalog.ready.value || (id !== null && !row) ? (
        <div class="card">{error ? <RuleEngineOff error={error} retry={retry} /> : <Loading />}</div>
      ) : (
        <>
          <Flow model={model} />
          {row?.reason ? (
            <p class="banner danger" role="alert">
              <Icon of={CircleAlert} /> {row.reason}
            </p>
          ) : null}
          {id === null ? null : (
            <Tabs
              label={title}
              current={tab}
              tabs={TABS.map(([path, key]) => ({
                id: path,
                text: t(key),
                href: link("rules", id, { tab: path }),
                count: counts[path] ?? 0,
              }))}
            />
          )}
          {tab === "figures" && row ? (
            <RuleFigures rule={row} model={model} />
          ) : tab === "errors" && row ? (
            <RuleErrors rule={row} model={model} />
          ) : tab === "inspected" && row ? (
            <RuleInspected rule={row} />
          ) : tab === "letters" && row ? (
            <RuleLetters rule={row} model={model} />
          ) : (
            <Edit model={model} />
          )}
        </>
      )}
    </Page>
  );
}

function Flow({ model }: { model: RuleEditorModel }) {
  const { t, said } = useApp().i18n;
  const row = model.row.value;
  const draft = model.draft.value;
  const events = model.catalog.fixed.data.value?.events ?? [];
  const sources = (sourcesOf(draft.sql) ?? []).map((source) => {
    const event = events.find((e) => e.topic.startsWith("$") && e.topic === source);
    return { title: event ? said(event.description.en) : source, isEvent: event !== undefined };
  });
  const now = row?.condition;
  const rule: FlowEnd = {
    title: draft.name || t("rules.new"),
    text: row ? t("rules.flow.passed", { passed: row.metrics.passed, failed: row.metrics.failed }) : t("rules.flow.notSaved"),
    tone: now === "running" ? "ok" : now === "disabled" || now === undefined ? "off" : "danger",
    rate: null,
  };
  const actions = draft.actions.map((a): FlowEnd => {
    const running = row?.actions.find((r) => r.id === a.id);
    const m = running?.metrics;
    return {
      title: model.catalog.action(a.name)?.title || a.name,
      text: m
        ? t("rules.flow.done", { success: m.success, failed: m.failed + m.dropped })
        : String(a.params[RESOURCE] ?? a.params.target_topic ?? ""),
      tone: running === undefined ? "off" : running.state === "broken" || (m !== undefined && m.failed + m.dropped > 0) ? "danger" : "ok",
      rate: running === undefined ? null : (model.rates.value.get(running.id) ?? 0),
    };
  });
  return <RuleFlow sources={sources} rule={rule} actions={actions} rate={row?.enabled ? row.metrics.rate : null} />;
}

function Edit({ model }: { model: RuleEditorModel }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const draft = model.draft.value;
  const fixed = model.catalog.fixed.data.value;
  const events = fixed?.events ?? [];
  const sample = model.trial.sample.value;
  const event = eventOf(events, sourcesOf(draft.sql));
  const columns = pathsOf(knownColumns(event?.columns ?? [], sample));
  const words: SqlWords = {
    columns,
    functions: fixed?.functions ?? [],
    events: events.map((e) => ({ topic: e.topic, title: i18n.said(e.description.en) })),
  };
  const result = model.trial.result.value;
  const error = model.refused.value;
  const message = error === null ? "" : explainError(error);
  const refusedAction = actionOf(message);
  const saving = model.saving.value;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        void model.save();
      }}
    >
      <div class="rule-grid">
        <div class="stack">
          <section class="card" aria-label={t("rules.what")}>
            <header>
              <h2>{t("rules.what")}</h2>
            </header>
            <div class="body stack">
              <RuleForm sql={draft.sql} events={events} columns={columns} onInput={(sql) => model.edit({ sql })} />
              <SqlField value={draft.sql} words={words} result={result} onInput={(sql) => model.edit({ sql })} />
            </div>
          </section>
          <RuleActions model={model} refused={refusedAction === null ? null : { action: refusedAction, text: message }} />
          <section class="card" aria-label={t("rules.naming")}>
            <div class="card pad form two bare">
              <TextField label={t("rules.name")} value={draft.name} required maxLength={200} onInput={(name) => model.edit({ name })} />
              <TextField label={t("rules.description")} value={draft.description} onInput={(description) => model.edit({ description })} />
            </div>
          </section>
        </div>
        <RulePlayground model={model} />
      </div>
      <div class={model.id === null || model.dirty.value ? "save-bar floating" : "save-bar"}>
        <span class="grow small" aria-live="polite">
          {message !== "" ? (
            <span class="bad row">
              <Icon of={CircleAlert} size={14} /> {message}
            </span>
          ) : model.resumed.value ? (
            t("rules.resumed")
          ) : (
            <span class="muted">{t(model.id === null ? "rules.saveNew" : model.dirty.value ? "rules.saveText" : "rules.noChanges")}</span>
          )}
        </span>
        {model.dirty.value ? (
          <button type="button" class="btn" onClick={() => model.discard()}>
            {t("action.discard")}
          </button>
        ) : null}
        <button
          type="submit"
          class="btn primary"
          disabled={saving || draft.name.trim() === "" || (model.id !== null && !model.dirty.value) || result?.error?.stage === "sql"}
        >
          <Icon of={saving ? Loader : Save} spin={saving} /> {t(model.id === null ? "rules.create" : "action.save")}
        </button>
      </div>
    </form>
  );
}
