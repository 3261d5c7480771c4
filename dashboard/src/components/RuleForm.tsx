/** A rule without SQL: what it looks at, what it takes, and when. It writes the SQL, and shows what is written there as far as it can. */
import { Plus, X } from "lucide";
import { useId, useState } from "preact/hooks";
import type { RuleEventRow } from "../api/client.ts";
import {
  type RuleForm as Form,
  type FormCondition,
  type FormField,
  OPERATORS,
  type Operator,
  readSql,
  writeSql,
} from "../lib/rule_form.ts";
import { sourcesOf, withSources } from "../lib/sql_text.ts";
import type { PathRow } from "../lib/value_paths.ts";
import { useApp } from "./context.ts";
import { Segments } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";

interface Props {
  sql: string;
  onInput: (sql: string) => void;
  events: readonly RuleEventRow[];
  columns: readonly PathRow[];
}

const changed = <T,>(list: readonly T[], at: number, part: Partial<T>): T[] => list.map((x, i) => (i === at ? { ...x, ...part } : x));
const without = <T,>(list: readonly T[], at: number): T[] => list.filter((_, i) => i !== at);

export function RuleForm({ sql, onInput, events, columns }: Props) {
  const { t } = useApp().i18n;
  // Rows that are not filled in yet are in the form and not in the SQL.
  const [own, setOwn] = useState<{ form: Form; sql: string } | null>(null);
  const names = useId();
  const read = own !== null && own.sql === sql ? own.form : readSql(sql);
  const sources = read?.sources ?? sourcesOf(sql);
  if (sources === null) return <p class="muted small">{t("rules.form.none")}</p>;
  const set = (change: Partial<Form>): void => {
    if (read === null) return;
    const form = { ...read, ...change };
    const next = writeSql(form);
    setOwn({ form, sql: next });
    onInput(next);
  };
  const setSources = (next: string[]): void => (read === null ? onInput(withSources(sql, next) ?? sql) : set({ sources: next }));
  return (
    <div class="rule-form">
      <datalist id={names}>
        {columns.map((c) => (
          <option key={c.path} value={c.path}>
            {c.example}
          </option>
        ))}
      </datalist>
      <Sources sources={sources} events={events} onChange={setSources} />
      {read === null ? (
        <p class="muted small">{t("rules.form.sqlOnly")}</p>
      ) : (
        <>
          <Fields fields={read.fields} names={names} onChange={(fields) => set({ fields })} columns={columns} />
          {read.conditions === null ? (
            <div class="rule-line">
              <span class="rule-word">{t("rules.form.when")}</span>
              <p class="muted small">{t("rules.form.whereOnly")}</p>
            </div>
          ) : (
            <Conditions
              conditions={read.conditions}
              join={read.join}
              names={names}
              onChange={(conditions) => set({ conditions })}
              onJoin={(join) => set({ join })}
            />
          )}
        </>
      )}
    </div>
  );
}

function Sources({
  sources,
  events,
  onChange,
}: {
  sources: string[];
  events: readonly RuleEventRow[];
  onChange: (next: string[]) => void;
}) {
  const { t, said } = useApp().i18n;
  const kindOf = (source: string): string => events.find((e) => e.topic === source && e.topic.startsWith("$"))?.topic ?? "";
  return (
    <div class="rule-line">
      <span class="rule-word">{t("rules.form.from")}</span>
      <div class="stack tight">
        {sources.map((source, i) => (
          <div key={i} class="row rule-row">
            <select
              class="select"
              aria-label={t("rules.form.sourceKind", { n: i + 1 })}
              value={kindOf(source)}
              onChange={(e) => onChange(sources.map((s, n) => (n === i ? e.currentTarget.value || "sensors/#" : s)))}
            >
              <option value="">{t("rules.form.messages")}</option>
              {events
                .filter((e) => e.event !== "message.publish")
                .map((e) => (
                  <option key={e.event} value={e.topic}>
                    {said(e.description.en)}
                  </option>
                ))}
            </select>
            {kindOf(source) === "" ? (
              <input
                class="input mono grow"
                aria-label={t("rules.form.topic", { n: i + 1 })}
                value={source}
                spellcheck={false}
                placeholder="sensors/+/temperature"
                onInput={(e) => onChange(sources.map((s, n) => (n === i ? e.currentTarget.value : s)))}
              />
            ) : null}
            {sources.length > 1 ? (
              <RemoveButton label={t("rules.form.removeSource", { n: i + 1 })} onClick={() => onChange(without(sources, i))} />
            ) : null}
          </div>
        ))}
        <AddButton label={t("rules.form.addSource")} onClick={() => onChange([...sources, "sensors/#"])} />
      </div>
    </div>
  );
}

interface FieldsProps {
  fields: FormField[] | null;
  names: string;
  columns: readonly PathRow[];
  onChange: (fields: FormField[] | null) => void;
}

function Fields({ fields, names, columns, onChange }: FieldsProps) {
  const { t } = useApp().i18n;
  const choose = (kind: "all" | "some"): void => {
    const inner = columns.filter((c) => /^payload\.[\w$]+$/.test(c.path)).map((c) => ({ expr: c.path, as: c.path.slice(8) }));
    onChange(kind === "all" ? null : [{ expr: "clientid", as: "" }, ...(inner.length > 0 ? inner : [{ expr: "topic", as: "" }])]);
  };
  return (
    <div class="rule-line">
      <span class="rule-word">{t("rules.form.take")}</span>
      <div class="stack tight">
        <Segments
          label={t("rules.form.take")}
          value={fields === null ? "all" : "some"}
          onChange={choose}
          options={[
            ["all", t("rules.form.all")],
            ["some", t("rules.form.some")],
          ]}
        />
        {fields?.map((f, i) => (
          <div key={i} class="row rule-row">
            <input
              class="input mono grow"
              list={names}
              aria-label={t("rules.form.field", { n: i + 1 })}
              value={f.expr}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => onChange(changed(fields, i, { expr: e.currentTarget.value }))}
            />
            <span class="muted small">{t("rules.form.as")}</span>
            <input
              class="input mono grow"
              aria-label={t("rules.form.name", { n: i + 1 })}
              value={f.as}
              placeholder={/^\w+$/.test(f.expr) ? f.expr : ""}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => onChange(changed(fields, i, { as: e.currentTarget.value }))}
            />
            <RemoveButton label={t("rules.form.removeField", { n: i + 1 })} onClick={() => onChange(without(fields, i))} />
          </div>
        ))}
        {fields === null ? null : (
          <AddButton label={t("rules.form.addField")} onClick={() => onChange([...fields, { expr: "", as: "" }])} />
        )}
      </div>
    </div>
  );
}

interface ConditionsProps {
  conditions: FormCondition[];
  join: Form["join"];
  names: string;
  onChange: (conditions: FormCondition[]) => void;
  onJoin: (join: Form["join"]) => void;
}

function Conditions({ conditions, join, names, onChange, onJoin }: ConditionsProps) {
  const { t } = useApp().i18n;
  return (
    <div class="rule-line">
      <span class="rule-word">{t("rules.form.when")}</span>
      <div class="stack tight">
        {conditions.length === 0 ? <span class="muted small">{t("rules.form.always")}</span> : null}
        {conditions.length > 1 ? (
          <Segments
            label={t("rules.form.join")}
            value={join}
            onChange={onJoin}
            options={[
              ["AND", t("rules.form.and")],
              ["OR", t("rules.form.or")],
            ]}
          />
        ) : null}
        {conditions.map((c, i) => (
          <div key={i} class="row rule-row">
            <input
              class="input mono grow"
              list={names}
              aria-label={t("rules.form.left", { n: i + 1 })}
              value={c.left}
              placeholder="payload.temperature"
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => onChange(changed(conditions, i, { left: e.currentTarget.value }))}
            />
            <select
              class="select mono rule-op"
              aria-label={t("rules.form.op", { n: i + 1 })}
              value={c.op}
              onChange={(e) => onChange(changed(conditions, i, { op: e.currentTarget.value as Operator }))}
            >
              {OPERATORS.map((op) => (
                <option key={op} value={op}>
                  {op === "=~" ? t("rules.form.matches") : op}
                </option>
              ))}
            </select>
            <input
              class="input mono grow"
              aria-label={t("rules.form.right", { n: i + 1 })}
              value={c.right}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => onChange(changed(conditions, i, { right: e.currentTarget.value }))}
            />
            <RemoveButton label={t("rules.form.removeCondition", { n: i + 1 })} onClick={() => onChange(without(conditions, i))} />
          </div>
        ))}
        <AddButton label={t("rules.form.addCondition")} onClick={() => onChange([...conditions, { left: "", op: ">", right: "" }])} />
      </div>
    </div>
  );
}

const AddButton = ({ label, onClick }: { label: string; onClick: () => void }) => (
  <button type="button" class="btn small ghost rule-add" onClick={onClick}>
    <Icon of={Plus} size={14} /> {label}
  </button>
);

const RemoveButton = ({ label, onClick }: { label: string; onClick: () => void }) => (
  <IconButton of={X} label={label} title={label} size={14} onClick={onClick} />
);
