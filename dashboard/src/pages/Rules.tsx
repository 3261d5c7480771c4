/** What happens to messages and events beside being delivered: all rules with how much goes through them. */
import { CircleAlert, Download, FileUp, Plus, SearchX, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { RuleRow } from "../api/client.ts";
import { Empty, Loading, Page, Status, Tag, Time } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { SearchBox, Segments, Switch } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { RuleEngineOff } from "../components/RuleEngineOff.tsx";
import { RuleStarts } from "../components/RuleStarts.tsx";
import { RulesImport } from "../components/RulesImport.tsx";
import { compact, integer } from "../lib/format.ts";
import type { TextKey } from "../models/i18n.ts";
import { link } from "../models/router.ts";
import { conditionOf, createRules, filterRules, firstLine, type RuleCondition, type RulesModel } from "../models/rules.ts";
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
  const now = conditionOf(rule);
  return <Status tone={TONES[now]}>{t(WORDS[now])}</Status>;
}

/** Above so many a part is shown: whoever has more looks for a name. */
const SHOWN_MAX = 200;

function Rules() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createRules);
  const [importing, setImporting] = useState(false);
  const { q = "", state = "" } = router.place.value.query;
  const rows = model.list.data.value;
  const error = model.list.error.value;
  const found = rows && filterRules(rows, q, state);
  const actions = (
    <>
      <button type="button" class="btn" onClick={() => setImporting(true)}>
        <Icon of={FileUp} /> {t("rules.import.title")}
      </button>
      {rows && rows.length > 0 ? (
        <>
          <button type="button" class="btn" onClick={() => void download(model)}>
            <Icon of={Download} /> {t("rules.export")}
          </button>
          <a class="btn primary" href={link("rules", "new")}>
            <Icon of={Plus} /> {t("rules.new")}
          </a>
        </>
      ) : null}
    </>
  );
  return (
    <Page title={t("page.rules")} lead={t("rules.lead")} actions={actions}>
      {!rows || !found ? (
        <div class="card">{error ? <RuleEngineOff error={error} retry={() => model.list.refresh()} /> : <Loading />}</div>
      ) : rows.length === 0 ? (
        <section aria-label={t("rules.empty")} class="stack">
          <div>
            <h2>{t("rules.empty")}</h2>
            <p class="soft">{t("rules.emptyText")}</p>
          </div>
          <RuleStarts />
        </section>
      ) : (
        <>
          <div class="toolbar">
            <SearchBox value={q} label={t("rules.search")} onSearch={(text) => router.patch({ q: text })} />
            <Segments
              label={t("field.state")}
              value={state}
              onChange={(s) => router.patch({ state: s })}
              options={[["", t("plugins.all")], ...(Object.keys(WORDS) as RuleCondition[]).map((s) => [s, t(WORDS[s])] as const)]}
            />
          </div>
          <section class="card" aria-label={t("page.rules")}>
            {found.length === 0 ? <Empty icon={SearchX} title={t("table.noMatch")} /> : null}
            {found.slice(0, SHOWN_MAX).map((r) => (
              <Row key={r.id} rule={r} model={model} />
            ))}
            {found.length > SHOWN_MAX ? <p class="body muted small rule-more">{t("rules.more", { n: found.length - SHOWN_MAX })}</p> : null}
          </section>
        </>
      )}
      {importing ? <RulesImport onClose={() => setImporting(false)} onDone={() => void model.list.refresh()} /> : null}
    </Page>
  );
}

function Row({ rule, model }: { rule: RuleRow; model: RulesModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const m = rule.metrics;
  const bad = m.failed + m.actions_failed + m.actions_dropped;
  const wrong = rule.reason ?? m.last_error;
  return (
    <article class="rule-item">
      <div class="rule-main">
        <a class="key" href={link("rules", rule.id)}>
          {rule.name}
        </a>
        <code class="ellipsis muted small">{firstLine(rule.rawsql)}</code>
        <span class="row">
          {rule.actions.map((a) => (
            <Tag key={a.id} tone={a.state === "broken" ? "danger" : ""}>
              {a.name}
            </Tag>
          ))}
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
      </dl>
      <div class="row acts">
        <button
          type="button"
          class="btn small icon ghost danger"
          aria-label={t("rules.deleteOne", { name: rule.name })}
          title={t("action.delete")}
          onClick={() => void model.remove(rule)}
        >
          <Icon of={Trash2} size={15} />
        </button>
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
