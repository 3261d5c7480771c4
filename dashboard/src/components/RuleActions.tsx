/** What a rule does with its rows: one card each, its form made from what the kind says of itself. */
import { Plus, Trash2, Zap } from "lucide";
import { useState } from "preact/hooks";
import type { ResourceRow, RuleActionRow } from "../api/client.ts";
import { faultOf, RESOURCE, typesOf } from "../lib/params.ts";
import { type FieldPath, pathRowsOf, tableOf } from "../lib/row_fields.ts";
import { dialectOf } from "../lib/sql_names.ts";
import { type PathRow, pathsOf } from "../lib/value_paths.ts";
import { aliveOf } from "../models/resources.ts";
import type { DraftAction } from "../models/rule_draft.ts";
import type { RuleEditorModel } from "../models/rule_editor.ts";
import { CopyButton, Empty, Status } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Field } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { ParamsForm } from "./ParamsForm.tsx";
import { ResourceDialog } from "./ResourceDialog.tsx";

export function RuleActions({ model, refused }: { model: RuleEditorModel; refused: { action: number; text: string } | null }) {
  const { t } = useApp().i18n;
  const { actions } = model.draft.value;
  const kinds = model.catalog.kinds.data.value?.actions ?? [];
  const row = model.trial.result.value?.rows?.[0];
  const made = model.trial.fields.value;
  const fields = row === undefined ? pathRowsOf(made ?? []) : pathsOf(row);
  const add = (
    <select
      class="select rule-add-action"
      aria-label={t("rules.actions.add")}
      value=""
      onChange={(e) => {
        const name = e.currentTarget.value;
        e.currentTarget.value = "";
        if (name !== "") model.addAction(name);
      }}
    >
      <option value="">{t("rules.actions.add")}</option>
      {kinds.map((k) => (
        <option key={k.name} value={k.name}>
          {k.title || k.name}
        </option>
      ))}
    </select>
  );
  return (
    <section class="card" aria-label={t("rules.actions.title")}>
      <header>
        <h2>{t("rules.actions.title")}</h2>
        {actions.length > 0 ? (
          <span class="row">
            <Icon of={Plus} size={14} /> {add}
          </span>
        ) : null}
      </header>
      {actions.length === 0 ? (
        <Empty icon={Zap} title={t("rules.actions.empty")} actions={add}>
          <p>{t("rules.actions.emptyText")}</p>
        </Empty>
      ) : (
        actions.map((a, i) => (
          <ActionCard
            key={a.key}
            at={i}
            action={a}
            model={model}
            fields={fields}
            made={made}
            row={row}
            running={model.row.value?.actions.find((r) => r.id === a.id)}
            refused={refused?.action === i ? refused.text : ""}
          />
        ))
      )}
    </section>
  );
}

interface CardProps {
  at: number;
  action: DraftAction;
  model: RuleEditorModel;
  fields: readonly PathRow[];
  made: readonly FieldPath[] | null;
  row: Record<string, unknown> | undefined;
  running: RuleActionRow | undefined;
  refused: string;
}

function ActionCard({ at, action, model, fields, made, row, running, refused }: CardProps) {
  const { t } = useApp().i18n;
  const kind = model.catalog.action(action.name);
  const kinds = model.catalog.kinds.data.value?.actions ?? [];
  const specs = kind?.params ?? {};
  const trial = model.trial.result.value?.actions[at];
  const tried = trial?.name === action.name && trial.error !== null ? trial.error : "";
  const said = refused || tried;
  const fault = said === "" ? null : faultOf(said, specs);
  const set = (params: DraftAction["params"]): void => model.setAction(action.key, { params });
  const sql = specs.sql?.format === "sql" && typeof action.params.sql === "string" ? action.params.sql : null;
  const table = sql === null ? undefined : /^\s*insert\s+into\s+([\w."`]+)/i.exec(sql)?.[1];
  const statement = table !== undefined && made !== null ? tableOf(table, made, row, dialectOf(action.name)) : null;
  return (
    <article class="rule-action">
      <div class="row between">
        <label class="row grow">
          <span class="rule-number" aria-hidden="true">
            {at + 1}
          </span>
          <span class="sr">{t("rules.actions.kind", { n: at + 1 })}</span>
          <select class="select" value={action.name} onChange={(e) => model.replaceAction(action.key, e.currentTarget.value)}>
            {kind === undefined ? <option value={action.name}>{action.name}</option> : null}
            {kinds.map((k) => (
              <option key={k.name} value={k.name}>
                {k.title || k.name}
              </option>
            ))}
          </select>
        </label>
        <IconButton
          of={Trash2}
          label={t("rules.actions.remove", { n: at + 1 })}
          title={t("action.delete")}
          danger
          onClick={() => model.removeAction(action.key)}
        />
      </div>
      {kind === undefined ? <p class="bad small">{t("rules.actions.noKind", { name: action.name })}</p> : null}
      {kind && kind.description !== kind.title ? <p class="muted small">{kind.description}</p> : null}
      {running?.reason ? (
        <p class="bad small" role="alert">
          {running.reason}
        </p>
      ) : null}
      {kind ? (
        <ParamsForm
          specs={specs}
          values={action.params}
          onChange={set}
          fields={fields}
          made={made}
          wrong={fault && fault.field !== RESOURCE ? { [fault.field]: fault.text } : {}}
        >
          {RESOURCE in specs ? (
            <ResourceSelect
              types={typesOf(kind)}
              value={typeof action.params[RESOURCE] === "string" ? (action.params[RESOURCE] as string) : ""}
              onChange={(id) => set({ ...action.params, [RESOURCE]: id })}
              model={model}
              bad={fault?.field === RESOURCE && refused !== "" ? fault.text : ""}
            />
          ) : null}
        </ParamsForm>
      ) : null}
      {said !== "" && fault === null ? <p class="bad small">{said}</p> : null}
      {statement !== null ? (
        <details class="small">
          <summary>{t("rules.actions.table")}</summary>
          <div class="rule-code">
            <pre class="code">{statement}</pre>
            <CopyButton text={statement} />
          </div>
        </details>
      ) : null}
    </article>
  );
}

interface ResourceSelectProps {
  types: readonly string[];
  value: string;
  onChange: (id: string) => void;
  model: RuleEditorModel;
  bad: string;
}

/** Those that will do, and one that is made on the spot. */
function ResourceSelect({ types, value, onChange, model, bad }: ResourceSelectProps) {
  const { t } = useApp().i18n;
  const [making, setMaking] = useState(false);
  const all: readonly ResourceRow[] = model.catalog.resources.data.value ?? [];
  const fit = all.filter((r) => types.includes(r.type));
  const kinds = types.map((name) => model.catalog.type(name)).filter((k) => k !== undefined);
  const now = fit.find((r) => r.id === value);
  return (
    <Field
      full
      label={t("rules.actions.resource")}
      bad={bad}
      hint={
        now ? (
          <Status tone={aliveOf(now) ? "ok" : "danger"}>{aliveOf(now) ? t("resources.alive") : (now.reason ?? t("resources.dead"))}</Status>
        ) : (
          t("rules.actions.resourceText")
        )
      }
    >
      {(id, describedBy) => (
        <div class="row rule-resource">
          <select
            id={id}
            class="select grow"
            value={value}
            aria-describedby={describedBy}
            onChange={(e) => onChange(e.currentTarget.value)}
          >
            {now === undefined ? <option value={value}>{value === "" ? t("rules.actions.noResource") : value}</option> : null}
            {fit.map((r) => (
              <option key={r.id} value={r.id}>
                {r.name}
              </option>
            ))}
          </select>
          <button type="button" class={fit.length === 0 ? "btn primary" : "btn"} onClick={() => setMaking(true)}>
            <Icon of={Plus} size={15} /> {t("resources.new")}
          </button>
          {making ? (
            <ResourceDialog
              types={kinds}
              row={null}
              all={all}
              onClose={() => setMaking(false)}
              onSaved={async (saved) => {
                await model.catalog.resources.refresh();
                onChange(saved.id);
              }}
            />
          ) : null}
        </div>
      )}
    </Field>
  );
}
