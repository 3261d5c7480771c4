/** An example, and at once what the rule makes of it: rows, and what each action would do. */
import { Antenna, CircleAlert, CircleSlash, Loader } from "lucide";
import { useState } from "preact/hooks";
import { sourcesOf } from "../lib/sql_text.ts";
import type { RuleEditorModel } from "../models/rule_editor.ts";
import type { RuleTrialModel } from "../models/rule_trial.ts";
import { Tag, Time } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Field, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";

const ROWS_MAX = 20;

export function RulePlayground({ model }: { model: RuleEditorModel }) {
  const { t } = useApp().i18n;
  const { trial } = model;
  return (
    <section class="card rule-try" aria-label={t("rules.try.title")}>
      <header>
        <h2>{t("rules.try.title")}</h2>
        <Capture trial={trial} topic={sourcesOf(model.draft.value.sql)?.[0]} />
      </header>
      <div class="body stack">
        <Captured trial={trial} />
        <SampleForm trial={trial} />
        <Outcome model={model} />
      </div>
    </section>
  );
}

function Capture({ trial, topic }: { trial: RuleTrialModel; topic: string | undefined }) {
  const { t } = useApp().i18n;
  const running = trial.capture.row.value?.running === true;
  const left = Math.ceil(trial.capture.left.value / 1000);
  return (
    <button
      type="button"
      class="btn small"
      disabled={topic === undefined || running}
      title={t("rules.try.captureText")}
      onClick={() => void trial.capture.start()}
    >
      <Icon of={running ? Loader : Antenna} size={14} spin={running} />{" "}
      {running ? t("rules.try.capturing", { n: left }) : t("rules.try.capture")}
    </button>
  );
}

function Captured({ trial }: { trial: RuleTrialModel }) {
  const { t } = useApp().i18n;
  const { row, taken, take } = trial.capture;
  const now = row.value;
  if (now === null) return null;
  return (
    <div class="captured" aria-live="polite">
      {now.samples.length === 0 ? (
        <p class="muted small">{t(now.running ? "rules.try.waiting" : "rules.try.nothing", { topic: now.topic })}</p>
      ) : (
        <ul aria-label={t("rules.try.captured")}>
          {now.samples.map((s, i) => (
            <li key={`${s.at_ms} ${i}`}>
              <button type="button" class="captured-one" aria-pressed={taken.value === i} onClick={() => take(i)}>
                <span class="muted small">
                  <Time ms={s.at_ms} />
                </span>
                <span class="mono ellipsis">{String(s.columns.topic ?? s.event)}</span>
                <span class="mono muted ellipsis">{String(s.columns.payload ?? s.columns.clientid ?? "")}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function SampleForm({ trial }: { trial: RuleTrialModel }) {
  const { t } = useApp().i18n;
  const sample = trial.sample.value;
  const text = (name: string): string => (typeof sample[name] === "string" ? (sample[name] as string) : JSON.stringify(sample[name] ?? ""));
  return (
    <div class="stack tight">
      {trial.hasPayload.value ? (
        <>
          <TextField
            label={t("rules.try.topic")}
            mono
            value={text("topic")}
            onInput={(v) => trial.setColumn("topic", v)}
            hint={trial.unseen.value ? <span class="warn-text">{t("rules.try.unseen")}</span> : ""}
          />
          <TextField
            label={sample.payload_encoding === "base64" ? t("rules.try.payloadBase64") : t("rules.try.payload")}
            mono
            rows={5}
            value={text("payload")}
            onInput={(v) => trial.setColumn("payload", v)}
          />
        </>
      ) : null}
      <Columns trial={trial} open={!trial.hasPayload.value} />
    </div>
  );
}

/** The whole example, for whoever needs more than a payload. */
function Columns({ trial, open }: { trial: RuleTrialModel; open: boolean }) {
  const { t } = useApp().i18n;
  const [typed, setTyped] = useState<string | null>(null);
  const [isBad, setBad] = useState(false);
  const text = typed ?? JSON.stringify(trial.sample.value, null, 2);
  return (
    <details open={open}>
      <summary class="small">{t("rules.try.columns")}</summary>
      <Field label={t("rules.try.columnsJson")} bad={isBad ? t("params.noJson") : ""}>
        {(id, describedBy) => (
          <textarea
            id={id}
            class="input mono small"
            rows={8}
            spellcheck={false}
            aria-describedby={describedBy}
            aria-invalid={isBad}
            value={text}
            onBlur={() => isBad || setTyped(null)}
            onInput={(e) => {
              const next = e.currentTarget.value;
              setTyped(next);
              try {
                const columns: unknown = JSON.parse(next);
                const good = typeof columns === "object" && columns !== null && !Array.isArray(columns);
                if (good) trial.setColumns(columns as Record<string, unknown>);
                setBad(!good);
              } catch {
                setBad(true);
              }
            }}
          />
        )}
      </Field>
    </details>
  );
}

function Outcome({ model }: { model: RuleEditorModel }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const { result, error, busy } = model.trial;
  if (error.value !== null)
    return (
      <p class="banner danger" role="alert">
        <Icon of={CircleAlert} /> {explainError(error.value)}
      </p>
    );
  const now = result.value;
  if (now === null) return <p class="muted small">{t("state.loading")}</p>;
  return (
    <div class="stack tight" aria-live="polite" aria-busy={busy.value}>
      <h3 class="row">
        {t("rules.try.rows")}
        {now.rows === null ? null : now.rows.length === 0 ? (
          <Tag>{t("rules.try.no")}</Tag>
        ) : (
          <Tag tone="ok">{t("rules.try.yes", { n: now.rows.length })}</Tag>
        )}
      </h3>
      {now.error !== null ? (
        <p class="small row bad">
          <Icon of={CircleAlert} size={14} /> {now.error.stage === "sql" ? t("rules.try.sqlWrong") : now.error.message}
        </p>
      ) : null}
      {now.rows?.length === 0 ? (
        <p class="small row muted">
          <Icon of={CircleSlash} size={14} /> {t("rules.try.noText")}
        </p>
      ) : null}
      {now.rows?.slice(0, ROWS_MAX).map((row, i) => (
        <pre key={i} class="code">
          {JSON.stringify(row, null, 2)}
        </pre>
      ))}
      {now.rows !== null && now.rows.length > 0
        ? now.actions.map((a, i) => (
            <div key={`${i} ${a.name}`} class="stack tight">
              <h3>{t("rules.try.action", { n: i + 1, name: model.catalog.action(a.name)?.title ?? a.name })}</h3>
              {a.error !== null ? (
                <p class="small row bad">
                  <Icon of={CircleAlert} size={14} /> {a.error}
                </p>
              ) : (
                <Rendered of={a.rendered[0] ?? {}} />
              )}
            </div>
          ))
        : null}
    </div>
  );
}

/** What the templates have become. Numbers of the queue say nothing here. */
function Rendered({ of }: { of: Record<string, unknown> }) {
  const { t } = useApp().i18n;
  const shown = Object.entries(of).filter(
    ([, v]) => (typeof v === "string" && v !== "") || (typeof v === "object" && v !== null && Object.keys(v).length > 0),
  );
  if (shown.length === 0) return <p class="muted small">{t("rules.try.whole")}</p>;
  return (
    <dl class="rendered small">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt class="muted">{name}</dt>
          <dd class="mono">{typeof value === "string" ? value : statement(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** `{sql, values}`: the statement as it is sent, and what is bound. */
function statement(value: unknown): string {
  const { sql, values } = value as { sql?: unknown; values?: unknown };
  return typeof sql === "string" ? `${sql}\n← ${JSON.stringify(values)}` : JSON.stringify(value, null, 1);
}
