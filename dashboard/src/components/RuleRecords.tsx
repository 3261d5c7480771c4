/** What a rule has left behind: figures, errors with what caused them, inspected rows, dead letters. */
import { CircleCheck, Eye, type IconNode, Mail, RotateCcw } from "lucide";
import type { ComponentChildren } from "preact";
import type { RuleActionRow, RuleRow } from "../api/client.ts";
import { bytes, compact, integer } from "../lib/format.ts";
import { parsed } from "../lib/value_paths.ts";
import type { Live } from "../models/live.ts";
import type { RuleEditorModel } from "../models/rule_editor.ts";
import { createInspected, createRuleErrors } from "../models/rule_records.ts";
import { Empty, Tag, Time } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { DeadLetters } from "./DeadLetters.tsx";
import { Figures } from "./Figures.tsx";
import { Icon } from "./Icon.tsx";
import { Records } from "./Records.tsx";

export function RuleFigures({ rule, model }: { rule: RuleRow; model: RuleEditorModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const n = (x: number): string => integer(x, lang);
  const m = rule.metrics;
  /** A rule's, or an action's. */
  const pace = (of: RuleRow["metrics"] | RuleActionRow["metrics"]): [label: string, value: string][] => [
    [t("rules.rate"), compact(of.rate, lang)],
    [t("rules.rate5m"), compact(of.rate_5m, lang)],
    [t("rules.rateMax"), compact(of.rate_max, lang)],
    [t("rules.p95"), of.p95_ms === null ? "–" : `${of.p95_ms < 0.1 ? "<0.1" : of.p95_ms.toFixed(1)} ms`],
  ];
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
            ...pace(m),
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
              ...pace(a.metrics),
              ...(a.metrics.dead_letters === null ? [] : [[t("letters.title"), n(a.metrics.dead_letters)] as const]),
            ]}
          />
        </section>
      ))}
    </div>
  );
}

export function RuleErrors({ rule, model }: { rule: RuleRow; model: RuleEditorModel }) {
  const { t } = useApp().i18n;
  const errors = useModel((app) => createRuleErrors(app, rule.id));
  const name = (where: string): string => {
    const kind = rule.actions.find((a) => a.id === where)?.name ?? where;
    return where === "sql" ? "SQL" : model.catalog.action(kind)?.title || kind;
  };
  return (
    <Kept of={errors} title={t("rules.errors")} icon={CircleCheck} none={t("rules.noErrors")} noneText={t("rules.noErrorsText")}>
      {(r) => (
        <>
          <div class="row">
            <Time ms={r.at_ms} />
            <Tag>{name(r.where)}</Tag>
            <span class="muted small">{r.event}</span>
            <span class="mono small">{r.client_id}</span>
            {r.topic === null ? null : <span class="mono small">{r.topic}</span>}
          </div>
          <p class="bad">{r.error}</p>
          {r.payload === null ? null : <pre class="code">{r.payload}</pre>}
        </>
      )}
    </Kept>
  );
}

export function RuleInspected({ rule }: { rule: RuleRow }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createInspected(app, rule.id));
  return (
    <Kept of={model} title={t("rules.inspected")} icon={Eye} none={t("rules.noInspected")} noneText={t("rules.noInspectedText")}>
      {(r) => (
        <>
          <div class="row">
            <Time ms={r.at_ms} />
            <span class="muted small">{r.event}</span>
            <span class="mono small">{r.client_id}</span>
          </div>
          <pre class="code">{pretty(r.selected)}</pre>
        </>
      )}
    </Kept>
  );
}

interface KeptProps<T> {
  of: Live<readonly T[]>;
  title: string;
  /** Of a list without rows, with what would stand there. */
  icon: IconNode;
  none: string;
  noneText: string;
  /** What stands in a row. */
  children: (row: T) => ComponentChildren;
}

/** The last things of a kind that the broker keeps of a rule. */
function Kept<T extends { at_ms: number }>({ of, title, icon, none, noneText, children }: KeptProps<T>) {
  return (
    <section class="card" aria-label={title}>
      <Records
        of={of}
        rowKey={(r, i) => `${r.at_ms} ${i}`}
        empty={
          <Empty icon={icon} title={none}>
            <p>{noneText}</p>
          </Empty>
        }
      >
        {children}
      </Records>
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
        <DeadLetters key={a.id} of={{ rule: rule.id, action: a.id }} title={model.catalog.action(a.name)?.title ?? a.name} />
      ))}
    </div>
  );
}
