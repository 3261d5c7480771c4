/** A form made from what a kind of action or resource says of its parameters. */
import { Plus, TriangleAlert, X } from "lucide";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { completeTemplate, placeholders } from "../lib/completion.ts";
import { isMain, type ParamValues, RESOURCE, SECRET_MASK, type Spec, type Specs } from "../lib/params.ts";
import { type FieldPath, fieldsText, unmade } from "../lib/row_fields.ts";
import type { PathRow } from "../lib/value_paths.ts";
import { CodeField } from "./CodeField.tsx";
import { useApp } from "./context.ts";
import { Check, Field, SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";

interface Props {
  specs: Specs;
  values: ParamValues;
  onChange: (values: ParamValues) => void;
  /** What `${…}` may stand for. */
  fields?: readonly PathRow[];
  /** What rows have, to warn of anything else that `${…}` names; null = nobody knows. */
  made?: readonly FieldPath[] | null;
  /** What is wrong, by parameter. */
  wrong?: Readonly<Record<string, string>>;
  /** Before all others: the resource. */
  children?: ComponentChildren;
}

export function ParamsForm({ specs, values, onChange, fields = [], made = null, wrong = {}, children }: Props) {
  const { t } = useApp().i18n;
  const [more, setMore] = useState(false);
  const names = Object.keys(specs).filter((n) => n !== RESOURCE);
  const first = names.filter((n) => isMain(n, specs[n] as Spec) || n in wrong || isTemplate(specs[n] as Spec));
  const rest = names.filter((n) => !first.includes(n));
  const row = (name: string) => (
    <Param
      key={name}
      name={name}
      spec={specs[name] as Spec}
      value={values[name]}
      onChange={(v) => onChange({ ...values, [name]: v })}
      fields={fields}
      made={made}
      bad={wrong[name]}
    />
  );
  return (
    <div class="form two">
      {children}
      {first.map(row)}
      {rest.length > 0 ? (
        <div class="full">
          <button type="button" class="btn small ghost" aria-expanded={more} onClick={() => setMore(!more)}>
            {t(more ? "action.less" : "action.more")} ({rest.length})
          </button>
        </div>
      ) : null}
      {more ? rest.map(row) : null}
    </div>
  );
}

const isTemplate = ({ format, type }: Spec): boolean =>
  type === "string" && (format === "template" || format === "sql" || format === "topic");

interface ParamProps {
  name: string;
  spec: Spec;
  value: unknown;
  onChange: (value: unknown) => void;
  fields: readonly PathRow[];
  made: readonly FieldPath[] | null;
  bad?: string | undefined;
}

const textOf = (value: unknown): string =>
  value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** That `${…}` in a value names what no row has. */
function Unmade({ value, made }: Pick<ParamProps, "value" | "made">) {
  const { t } = useApp().i18n;
  const names = made === null ? [] : unmade(textOf(value), made);
  if (made === null || names.length === 0) return null;
  return (
    <span class="warn-text row">
      <Icon of={TriangleAlert} size={14} />
      <span class="grow">{t("rules.actions.noColumn", { names: names.join(", "), fields: fieldsText(made) })}</span>
    </span>
  );
}

function Param({ name, spec, value, onChange, fields, made, bad }: ParamProps) {
  const { t } = useApp().i18n;
  const label = spec.title === "" ? name : spec.title;
  const needed = spec.required === true;
  const hint = spec.description === spec.title ? "" : spec.description;
  const common = { label: needed ? `${label} *` : label, hint, bad };
  // Before `enum`, which a flag may have for other forms than this one.
  if (spec.type === "boolean")
    return (
      <div class="field">
        <Check label={label} checked={value === true || value === "true"} onChange={onChange} />
        <span class={bad ? "bad" : "hint"}>{bad ?? hint}</span>
      </div>
    );
  if (spec.enum !== undefined) {
    const options = spec.enum.map((e) => [JSON.stringify(e), textOf(e)] as const);
    const now = spec.enum.find((e) => e === value || textOf(e) === textOf(value));
    const list = now === undefined ? [["", "–"] as const, ...options] : options;
    return (
      <SelectField
        label={common.label}
        hint={bad ?? hint}
        value={now === undefined ? "" : JSON.stringify(now)}
        options={list}
        onChange={(v) => onChange(v === "" ? undefined : JSON.parse(v))}
      />
    );
  }
  if (spec.type === "object" && spec.schema !== undefined && Object.keys(spec.schema).length > 0)
    return (
      <fieldset class="full params-group">
        <legend>{label}</legend>
        <ParamsForm specs={spec.schema} values={(value ?? {}) as ParamValues} onChange={onChange} fields={fields} made={made} />
      </fieldset>
    );
  if (spec.type === "object") return <Pairs {...common} value={value} onChange={onChange} made={made} />;
  if (spec.type === "array" && (spec.items === undefined || spec.items.type !== "object"))
    return (
      <TextField
        {...common}
        full
        mono
        rows={3}
        hint={[hint, t("params.lines")].filter((h) => h !== "").join(" · ")}
        value={Array.isArray(value) ? value.map(textOf).join("\n") : textOf(value)}
        onInput={(text) => onChange(text.split("\n").filter((l, i, all) => l !== "" || i < all.length - 1))}
      />
    );
  if (spec.type === "array") return <Json {...common} value={value} onChange={onChange} made={made} />;
  if (spec.secret === true) {
    const saved = value === SECRET_MASK;
    return (
      <TextField
        {...common}
        type="password"
        autocomplete="new-password"
        value={saved ? "" : textOf(value)}
        placeholder={saved ? t("params.saved") : ""}
        hint={saved ? t("params.savedText") : hint}
        onInput={onChange}
      />
    );
  }
  if (isTemplate(spec) && spec.format !== "topic")
    return <Template {...common} spec={spec} value={textOf(value)} onChange={onChange} fields={fields} made={made} />;
  if (spec.type === "string" && spec.format === "topic")
    return (
      <Template
        {...common}
        spec={spec}
        value={textOf(value)}
        onChange={(v) => onChange(v.replaceAll("\n", ""))}
        fields={fields}
        made={made}
        rows={1}
      />
    );
  return (
    <TextField
      {...common}
      mono={spec.type !== "string" || spec.format === "url"}
      value={textOf(value)}
      required={needed}
      placeholder={spec.format === "url" ? "https://" : ""}
      onInput={onChange}
    />
  );
}

interface TemplateProps {
  label: string;
  hint: string;
  bad?: string | undefined;
  spec: Spec;
  value: string;
  onChange: (value: string) => void;
  fields: readonly PathRow[];
  made: readonly FieldPath[] | null;
  rows?: number;
}

function Template({ label, hint, bad, spec, value, onChange, fields, made, rows = 3 }: TemplateProps) {
  const { t } = useApp().i18n;
  return (
    <Field
      label={label}
      hint={
        <>
          <Unmade value={value} made={made} />
          {[hint, ...(fields.length > 0 ? [t("params.template")] : [])].filter((h) => h !== "").join(" · ")}
        </>
      }
      bad={bad}
      full={spec.format !== "topic"}
    >
      {(id, describedBy) => (
        <CodeField
          id={id}
          describedBy={describedBy}
          invalid={Boolean(bad)}
          value={value}
          rows={rows}
          onInput={onChange}
          paint={(text) => placeholders(text).map((p) => ({ ...p, class: "sql-function" }))}
          complete={(text, caret) => completeTemplate(text, caret, fields)}
        />
      )}
    </Field>
  );
}

type Loose = Omit<ParamProps, "name" | "spec" | "fields"> & { label: string; hint: string };

/** Names and values, such as headers. */
function Pairs({ label, hint, bad, value, onChange, made }: Loose) {
  const { t } = useApp().i18n;
  const [rows, setRows] = useState<[string, string][]>(() =>
    Object.entries((value ?? {}) as Record<string, unknown>).map(([k, v]) => [k, textOf(v)]),
  );
  const set = (next: [string, string][]): void => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([k]) => k.trim() !== "").map(([k, v]) => [k.trim(), v])));
  };
  return (
    <fieldset class="full field params-pairs">
      <legend>{label}</legend>
      {rows.map(([k, v], i) => (
        <div key={i} class="row">
          <input
            class="input mono"
            aria-label={t("params.pairName", { n: i + 1, label })}
            value={k}
            placeholder={t("field.name")}
            spellcheck={false}
            onInput={(e) => set(rows.map((r, n) => (n === i ? [e.currentTarget.value, r[1]] : r)))}
          />
          <input
            class="input mono"
            aria-label={t("params.pairValue", { n: i + 1, label })}
            value={v}
            placeholder={t("params.value")}
            spellcheck={false}
            onInput={(e) => set(rows.map((r, n) => (n === i ? [r[0], e.currentTarget.value] : r)))}
          />
          <IconButton
            of={X}
            label={t("params.removePair", { n: i + 1, label })}
            size={14}
            onClick={() => set(rows.filter((_, n) => n !== i))}
          />
        </div>
      ))}
      <div class="row">
        <button type="button" class="btn small" onClick={() => setRows([...rows, ["", ""]])}>
          <Icon of={Plus} size={14} /> {t("params.addPair", { label })}
        </button>
      </div>
      <Unmade value={value} made={made} />
      <span class={bad ? "bad" : "hint"}>{bad ?? hint}</span>
    </fieldset>
  );
}

/** What no form has a shape for. It counts while it is JSON. */
function Json({ label, hint, bad, value, onChange, made }: Loose) {
  const { t } = useApp().i18n;
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [isBad, setBad] = useState(false);
  return (
    <TextField
      label={label}
      hint={
        <>
          <Unmade value={value} made={made} />
          {hint}
        </>
      }
      bad={isBad ? t("params.noJson") : bad}
      full
      mono
      rows={4}
      value={text}
      onInput={(next) => {
        setText(next);
        try {
          onChange(next.trim() === "" ? undefined : JSON.parse(next));
          setBad(false);
        } catch {
          setBad(true);
        }
      }}
    />
  );
}
