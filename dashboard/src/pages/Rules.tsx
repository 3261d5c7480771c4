/** What happens to messages and events beside being delivered: rules, a page of them at a time, with how much goes through them. */
import { CircleAlert, Download, FileUp, Plus, SearchX, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { RuleCondition, RuleRow } from "../api/client.ts";
import { Empty, Loading, Page, Status, Tag, Time } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Switch } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { Pager } from "../components/Pager.tsx";
import { RuleEngineOff } from "../components/RuleEngineOff.tsx";
import { RuleStartMenu, RuleStarts } from "../components/RuleStarts.tsx";
import { RulesImport } from "../components/RulesImport.tsx";
import { StateSearch } from "../components/StateSearch.tsx";
import { compact, integer } from "../lib/format.ts";
import type { TextKey } from "../models/i18n.ts";
import { link } from "../models/router.ts";
import { createRules, oneLine, type RulesModel } from "../models/rules.ts";
import { waitingOf } from "../models/waiting_rows.ts";
import type { PageProps } from "../routes.tsx";
import { RuleEditor } from "./RuleEditor.tsx";
import "../styles/plugins.css";
import "../styles/rules.css";

export function RulesPage({ rest }: PageProps) {
  const [id] = rest;
  return id === undefined ? <Rules /> : <RuleEditor key={id} id={id === "new" ? null : id} />;
}

const TONES: Readonly<Record<RuleCondition, "ok" | "warn" | "off" | "danger">> = {
  running: "ok",
  failing: "warn",
  disabled: "off",
  broken: "danger",
};
const WORDS: Readonly<Record<RuleCondition, TextKey>> = {
  running: "rules.state.running",
  failing: "rules.state.failing",
  disabled: "rules.state.disabled",
  broken: "rules.state.broken",
};

function RuleStatus({ rule }: { rule: RuleRow }) {
  const { t } = useApp().i18n;
  return <Status tone={TONES[rule.condition]}>{t(WORDS[rule.condition])}</Status>;
}

function Rules() {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createRules);
  const [importing, setImporting] = useState(false);
  const { table } = model;
  const rows = table.rows.value;
  const error = table.live.error.value;
  const isAny = table.count.value > 0 || table.filtered.value;
  const actions = (
    <>
      <button type="button" class="btn" onClick={() => setImporting(true)}>
        <Icon of={FileUp} /> {t("rules.import.title")}
      </button>
      {isAny ? (
        <>
          <button type="button" class="btn" onClick={() => void download(model)}>
            <Icon of={Download} /> {t("rules.export")}
          </button>
          <a class="btn primary" href={link("rules", "new")}>
            <Icon of={Plus} /> {t("rules.new")}
          </a>
          <RuleStartMenu />
        </>
      ) : null}
    </>
  );
  return (
    <Page title={t("page.rules")} lead={t("rules.lead")} actions={actions}>
      {!rows ? (
        <div class="card">{error ? <RuleEngineOff error={error} retry={() => table.live.refresh()} /> : <Loading />}</div>
      ) : !isAny ? (
        <section aria-label={t("rules.empty")} class="stack">
          <div>
            <h2>{t("rules.empty")}</h2>
            <p class="soft">{t("rules.emptyText")}</p>
          </div>
          <RuleStarts />
        </section>
      ) : (
        <>
          <StateSearch label={t("rules.search")} states={(Object.keys(WORDS) as RuleCondition[]).map((s) => [s, t(WORDS[s])])} />
          <section class="card" aria-label={t("page.rules")}>
            {rows.length === 0 ? <Empty icon={SearchX} title={t("table.noMatch")} /> : null}
            {rows.map((r) => (
              <Row key={r.id} rule={r} model={model} />
            ))}
            <Pager model={table} />
          </section>
        </>
      )}
      {importing ? <RulesImport onClose={() => setImporting(false)} onDone={() => void table.live.refresh()} /> : null}
    </Page>
  );
}

function Row({ rule, model }: { rule: RuleRow; model: RulesModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const m = rule.metrics;
  const bad = m.failed + m.actions_failed + m.actions_dropped;
  const waiting = waitingOf(rule.actions);
  const wrong = rule.reason ?? m.last_error;
  return (
    <article class="rule-item">
      <div class="rule-main">
        <a class="key" href={link("rules", rule.id)}>
          {rule.name}
        </a>
        <code class="ellipsis muted small">{oneLine(rule.rawsql)}</code>
        <span class="row">
          {rule.actions.map((a) => (
            <Tag key={a.id} tone={a.state === "broken" ? "danger" : ""}>
              {a.name}
            </Tag>
          ))}
          {waiting.letters > 0 ? (
            <a class="tag warn" href={link("rules", rule.id, { tab: "letters" })}>
              {t("letters.count", { n: waiting.letters })}
            </a>
          ) : null}
        </span>
        {wrong === null ? null : (
          <p class="bad small row" role="note">
            <Icon of={CircleAlert} size={13} /> <span class="grow">{wrong}</span>{" "}
            {rule.reason === null && m.last_error_at_ms !== null ? <Time ms={m.last_error_at_ms} relative /> : null}
          </p>
        )}
      </div>
      <RuleStatus rule={rule} />
      <dl class="rule-numbers">
        <div>
          <dt>{t("rules.rate")}</dt>
          <dd>{compact(m.rate, lang)}</dd>
        </div>
        <div>
          <dt>{t("rules.passed")}</dt>
          <dd title={integer(m.passed, lang)}>{compact(m.passed, lang)}</dd>
        </div>
        <div class={bad > 0 ? "bad" : ""}>
          <dt>{t("rules.failed")}</dt>
          <dd title={integer(bad, lang)}>{compact(bad, lang)}</dd>
        </div>
        <div>
          <dt>{t("rules.waiting")}</dt>
          <dd title={t("rules.waitingRows", { n: waiting.rows })}>{compact(waiting.rows, lang)}</dd>
        </div>
      </dl>
      <div class="row acts">
        <IconButton
          of={Trash2}
          label={t("rules.deleteOne", { name: rule.name })}
          title={t("action.delete")}
          danger
          onClick={() => void model.remove(rule)}
        />
        <Switch
          label={t("rules.enable", { name: rule.name })}
          checked={rule.enabled}
          disabled={model.busy.value.has(rule.id)}
          onChange={() => void model.toggle(rule)}
        />
      </div>
    </article>
  );
}

async function download(model: RulesModel): Promise<void> {
  const file = await model.exported();
  if (file === null) return;
  const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2)], { type: "application/json" }));
  const a = document.createElement("a");
  a.href = url;
  a.download = `rules-${new Date(file.exported_at_ms).toISOString().slice(0, 10)}.json`;
  a.click();
  URL.revokeObjectURL(url);
}
