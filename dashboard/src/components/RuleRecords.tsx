/** What a rule has left behind: figures, errors with what caused them, inspected rows, dead letters. */
import { CircleCheck, Eye, Mail, RefreshCw, RotateCcw, Trash2 } from "lucide";
import type { RuleRow } from "../api/client.ts";
import { bytes, compact, integer } from "../lib/format.ts";
import { parsed } from "../lib/value_paths.ts";
import type { RuleEditorModel } from "../models/rule_editor.ts";
import { createDeadLetters, createInspected, createRuleErrors } from "../models/rule_records.ts";
import { Empty, Failed, Loading, Tag, Time } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { Figures } from "./Figures.tsx";
import { Check } from "./form.tsx";
import { Icon } from "./Icon.tsx";

export function RuleFigures({ rule, model }: { rule: RuleRow; model: RuleEditorModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const n = (x: number): string => integer(x, lang);
  const m = rule.metrics;
  const ms = m.p95_ms === null ? "–" : `${m.p95_ms < 0.1 ? "<0.1" : m.p95_ms.toFixed(1)} ms`;
  return (
    <div class="stack">
      <section class="card" aria-label={t("rules.figures")}>
        <header>
          <h2>{t("rules.figures")}</h2>
          <button type="button" class="btn small" onClick={() => void model.reset()}>
            <Icon of={RotateCcw} size={14} /> {t("rules.reset")}
          </button>
        </header>
        <Figures
          of={[
            [t("rules.matched"), n(m.matched)],
            [t("rules.passed"), n(m.passed)],
            [t("rules.noResult"), n(m.no_result)],
            [t("rules.failed"), n(m.failed)],
            [t("rules.dropped"), n(m.dropped)],
            [t("rules.rate"), compact(m.rate, lang)],
            [t("rules.rate5m"), compact(m.rate_5m, lang)],
            [t("rules.rateMax"), compact(m.rate_max, lang)],
            [t("rules.p95"), ms],
          ]}
        />
      </section>
      {rule.actions.map((a) => (
        <section key={a.id} class="card" aria-label={`${t("rules.actions.title")} ${a.id}`}>
          <header>
            <h2>{model.catalog.action(a.name)?.title ?? a.name}</h2>
            {a.state === "broken" ? <Tag tone="danger">{t("rules.state.broken")}</Tag> : null}
          </header>
          {a.metrics.last_error === null ? null : (
            <p class="banner danger inset">
              <span class="grow">{a.metrics.last_error}</span> <Time ms={a.metrics.last_error_at_ms ?? 0} relative />
            </p>
          )}
          <Figures
            of={[
              [t("rules.taken"), n(a.metrics.taken)],
              [t("rules.success"), n(a.metrics.success)],
              [t("rules.failed"), n(a.metrics.failed)],
              [t("rules.dropped"), n(a.metrics.dropped)],
              [t("rules.waiting"), `${n(a.metrics.waiting)} (${bytes(a.metrics.waiting_bytes, lang)})`],
              ...(a.metrics.dead_letters === null ? [] : [[t("letters.title"), n(a.metrics.dead_letters)] as const]),
            ]}
          />
        </section>
      ))}
    </div>
  );
}

export function RuleErrors({ rule }: { rule: RuleRow }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createRuleErrors(app, rule.id));
  const rows = model.data.value;
  const name = (where: string): string => (where === "sql" ? "SQL" : (rule.actions.find((a) => a.id === where)?.name ?? where));
  return (
    <section class="card" aria-label={t("rules.errors")}>
      {!rows ? (
        model.error.value ? (
          <Failed error={model.error.value} retry={() => void model.refresh()} />
        ) : (
          <Loading rows={3} />
        )
      ) : rows.length === 0 ? (
        <Empty icon={CircleCheck} title={t("rules.noErrors")}>
          <p>{t("rules.noErrorsText")}</p>
        </Empty>
      ) : (
        <ol class="records">
          {rows.map((r, i) => (
            <li key={`${r.at_ms} ${i}`}>
              <div class="row">
                <Time ms={r.at_ms} />
                <Tag>{name(r.where)}</Tag>
                <span class="muted small">{r.event}</span>
                <span class="mono small">{r.client_id}</span>
                {r.topic === null ? null : <span class="mono small">{r.topic}</span>}
              </div>
              <p class="bad">{r.error}</p>
              {r.payload === null ? null : <pre class="code">{r.payload}</pre>}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

export function RuleInspected({ rule }: { rule: RuleRow }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createInspected(app, rule.id));
  const rows = model.data.value;
  return (
    <section class="card" aria-label={t("rules.inspected")}>
      {!rows ? (
        model.error.value ? (
          <Failed error={model.error.value} retry={() => void model.refresh()} />
        ) : (
          <Loading rows={3} />
        )
      ) : rows.length === 0 ? (
        <Empty icon={Eye} title={t("rules.noInspected")}>
          <p>{t("rules.noInspectedText")}</p>
        </Empty>
      ) : (
        <ol class="records">
          {rows.map((r, i) => (
            <li key={`${r.at_ms} ${i}`}>
              <div class="row">
                <Time ms={r.at_ms} />
                <span class="muted small">{r.event}</span>
                <span class="mono small">{r.client_id}</span>
              </div>
              <pre class="code">{pretty(r.selected)}</pre>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** What was cut is no JSON any more: as it is. */
function pretty(text: string): string {
  const value = parsed(text);
  return typeof value === "object" && value !== null && JSON.stringify(value) === text ? JSON.stringify(value, null, 2) : text;
}

export function RuleLetters({ rule, model }: { rule: RuleRow; model: RuleEditorModel }) {
  const { t } = useApp().i18n;
  const keeping = rule.actions.filter((a) => a.metrics.dead_letters !== null);
  if (keeping.length === 0)
    return (
      <div class="card">
        <Empty icon={Mail} title={t("letters.none")}>
          <p>{t("letters.noneText")}</p>
        </Empty>
      </div>
    );
  return (
    <div class="stack">
      {keeping.map((a) => (
        <Letters key={a.id} rule={rule.id} action={a.id} title={model.catalog.action(a.name)?.title ?? a.name} />
      ))}
    </div>
  );
}

function Letters({ rule, action, title }: { rule: string; action: string; title: string }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel((app) => createDeadLetters(app, rule, action));
  const rows = model.list.data.value;
  const selected = model.selected.value;
  const n = rows?.filter((r) => selected.has(r.id)).length ?? 0;
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {rows && rows.length > 0 ? (
          <div class="row">
            <Check label={t("letters.all")} checked={n === rows.length} onChange={model.selectAll} />
            <button type="button" class="btn small" disabled={n === 0} onClick={() => void model.resend()}>
              <Icon of={RefreshCw} size={14} /> {t("letters.resend", { n })}
            </button>
            <button type="button" class="btn small danger" disabled={n === 0} onClick={() => void model.remove()}>
              <Icon of={Trash2} size={14} /> {t("letters.delete", { n })}
            </button>
          </div>
        ) : null}
      </header>
      {!rows ? (
        model.list.error.value ? (
          <Failed error={model.list.error.value} retry={() => void model.list.refresh()} />
        ) : (
          <Loading rows={3} />
        )
      ) : rows.length === 0 ? (
        <Empty icon={Mail} title={t("letters.empty")} />
      ) : (
        <ol class="records">
          {rows.map((r) => (
            <li key={r.id}>
              <div class="row">
                <Check
                  label={<span class="sr">{t("letters.choose", { n: r.id })}</span>}
                  checked={selected.has(r.id)}
                  onChange={(on) => model.select(r.id, on)}
                />
                <Time ms={r.at_ms} />
                <Tag>{t("letters.tries", { n: r.tries })}</Tag>
                <span class="muted small">{bytes(r.bytes, i18n.lang.value)}</span>
              </div>
              <p class="bad">{r.why}</p>
              <pre class="code">{r.body}</pre>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
