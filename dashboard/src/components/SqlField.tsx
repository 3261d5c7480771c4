/** SQL of a rule: coloured, completed, with what is wrong under the very word. */
import { CircleAlert, CircleCheck, TriangleAlert, WandSparkles } from "lucide";
import { useId } from "preact/hooks";
import type { RuleTestResult } from "../api/client.ts";
import { completeSql, type SqlWords } from "../lib/completion.ts";
import { placeOf, sqlTokens } from "../lib/sql_text.ts";
import { CodeField } from "./CodeField.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

interface Props {
  value: string;
  onInput: (sql: string) => void;
  words: SqlWords;
  result: RuleTestResult | null;
}

const paint = (sql: string) =>
  sqlTokens(sql)
    .filter((t) => t.kind !== "space" && t.kind !== "name" && t.kind !== "sign")
    .map(({ at, end, kind }) => ({ at, end, class: `sql-${kind}` }));

export function SqlField({ value, onInput, words, result }: Props) {
  const { t } = useApp().i18n;
  const id = useId();
  const fault = result?.error?.stage === "sql" ? result.error : null;
  const wrong = fault !== null && fault.line > 0 ? placeOf(value, fault.line, fault.column, fault.length) : null;
  // A hint of one word is the word that was meant.
  const meant = /^[\w$]+$/.test(fault?.hint ?? "") ? fault?.hint : undefined;
  return (
    <div class="field full">
      <label for={id}>SQL</label>
      <CodeField
        id={id}
        value={value}
        onInput={onInput}
        paint={paint}
        wrong={wrong}
        invalid={fault !== null}
        describedBy={`${id}-d`}
        rows={5}
        complete={(sql, caret, asked) => completeSql(sql, caret, words, asked)}
      />
      <div id={`${id}-d`} class="sql-verdict small" aria-live="polite">
        {fault !== null ? (
          <>
            <span class="bad row">
              <Icon of={CircleAlert} size={14} /> {fault.message}
            </span>
            {meant != null && wrong !== null ? (
              <button type="button" class="btn small" onClick={() => onInput(value.slice(0, wrong.at) + meant + value.slice(wrong.end))}>
                <Icon of={WandSparkles} size={13} /> {t("rules.useWord", { word: meant })}
              </button>
            ) : null}
          </>
        ) : result === null ? (
          <span class="muted">{t("rules.sqlHelp")}</span>
        ) : (
          <>
            <span class="good row">
              <Icon of={CircleCheck} size={14} /> {t("rules.sqlGood")}
            </span>
            <span class="muted">{t("rules.sqlHelp")}</span>
            {result.warnings?.map((warning) => (
              <span key={warning} class="warn-text row">
                <Icon of={TriangleAlert} size={14} /> <span class="grow">{warning}</span>
              </span>
            ))}
          </>
        )}
      </div>
    </div>
  );
}
