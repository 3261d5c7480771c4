/** What was decided where, one step under the other, with what each asked others. */
import { Check, Minus, X } from "lucide";
import type { AskedRow } from "../api/client.ts";
import { Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import "../styles/explain.css";

interface Step {
  step: string;
  verdict: "ok" | "allow" | "deny" | "ignore" | "error";
  final?: boolean;
  why: string;
  ms: number;
  asked?: readonly AskedRow[];
}

const MARKS = { ok: Check, allow: Check, ignore: Minus, deny: X, error: X };

export function Steps({ steps }: { steps: readonly Step[] }) {
  const { t } = useApp().i18n;
  return (
    <ol class="steps">
      {steps.map((s, i) => (
        <li key={`${i} ${s.step}`} class={s.final ? "final" : ""}>
          <span class={`step-mark ${s.verdict}`}>
            <Icon of={MARKS[s.verdict]} size={14} />
          </span>
          <div class="grow">
            <span class="row">
              <b class="mono">{s.step}</b>
              <span class="muted small">{t(`explain.${s.verdict}`)}</span>
              {s.final ? <Tag tone="accent">{t("explain.final")}</Tag> : null}
            </span>
            <p class="soft">{s.why}</p>
            {s.asked?.map((a, k) => (
              <Asked key={`${k} ${a.question}`} asked={a} />
            ))}
          </div>
          <span class="muted small">{duration(s.ms)}</span>
        </li>
      ))}
    </ol>
  );
}

function Asked({ asked }: { asked: AskedRow }) {
  const { t } = useApp().i18n;
  return (
    <dl class="asked small">
      <dt>{t("asked.question")}</dt>
      <dd class="mono">{asked.question}</dd>
      {asked.values.length > 0 ? (
        <>
          <dt>{t("asked.values")}</dt>
          <dd class="mono">{asked.values.join(", ")}</dd>
        </>
      ) : null}
      <dt>{t("asked.answer")}</dt>
      <dd>
        {asked.answer} <span class="muted">({duration(asked.ms)})</span>
        {asked.rows === undefined ? null : (
          <ol class="answered mono">
            {asked.rows.map((row, i) => (
              <li key={`${i}`}>{row.map(({ name, value }) => `${name}: ${value ?? "NULL"}`).join(", ")}</li>
            ))}
          </ol>
        )}
      </dd>
    </dl>
  );
}

const duration = (ms: number): string => `${ms < 0.1 ? "<0.1" : ms.toFixed(1)} ms`;
