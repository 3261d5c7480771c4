import { Eye, EyeOff, Search, X } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  /** What is wrong with the value; "" or undefined = nothing. */
  bad?: string | undefined;
  full?: boolean;
  box?: { current: HTMLDivElement | null };
  children: (id: string, describedBy: string) => ComponentChildren;
}

/** Label, control, hint and error, tied together for screen readers. */
export function Field({ label, hint, bad, full = false, box, children }: FieldProps) {
  const id = useId();
  return (
    <div class={full ? "field full" : "field"} {...(box ? { ref: box } : {})}>
      <label for={id}>{label}</label>
      {children(id, `${id}-d`)}
      <span id={`${id}-d`} class={bad ? "bad" : "hint"} role={bad ? "alert" : undefined}>
        {bad || hint}
      </span>
    </div>
  );
}

interface TextProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  hint?: ComponentChildren;
  bad?: string | undefined;
  full?: boolean;
  type?: "text" | "number" | "password" | "datetime-local";
  placeholder?: string;
  required?: boolean;
  autofocus?: boolean;
  autocomplete?: string;
  mono?: boolean;
  disabled?: boolean;
  rows?: number;
  maxLength?: number;
}

export function TextField({ label, value, onInput, hint, bad, full = false, type = "text", mono = false, rows, ...rest }: TextProps) {
  const { t } = useApp().i18n;
  const [shown, setShown] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (rest.autofocus) box.current?.querySelector<HTMLElement>("input, textarea")?.focus();
  }, [rest.autofocus]);
  return (
    <Field label={label} hint={hint} bad={bad} full={full} box={box}>
      {(id, describedBy) => {
        const common = {
          id,
          class: mono ? "input mono" : "input",
          value,
          "aria-describedby": describedBy,
          "aria-invalid": Boolean(bad),
          spellcheck: false,
          autocapitalize: "off" as const,
          onInput: (e: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) => onInput(e.currentTarget.value),
          placeholder: rest.placeholder ?? "",
          required: rest.required ?? false,
          disabled: rest.disabled ?? false,
          ...(rest.maxLength === undefined ? {} : { maxLength: rest.maxLength }),
        };
        if (rows) return <textarea {...common} rows={rows} />;
        // JSX types tie every input type to its own attributes; the ones used here fit all of them.
        const kind = { type: shown ? "text" : type } as { type: "text" };
        const input = <input {...common} {...kind} autocomplete={rest.autocomplete ?? "off"} />;
        if (type !== "password") return input;
        const name = t(shown ? "action.hidePassword" : "action.showPassword");
        return (
          <div class="with-icon secret">
            {input}
            <IconButton of={shown ? EyeOff : Eye} label={name} title={name} onClick={() => setShown(!shown)} />
          </div>
        );
      }}
    </Field>
  );
}

interface SelectProps<V extends string> {
  label: string;
  value: V;
  options: readonly (readonly [V, string])[];
  onChange: (value: V) => void;
  hint?: ComponentChildren;
  full?: boolean;
  disabled?: boolean;
}

export function SelectField<V extends string>({ label, value, options, onChange, hint, full = false, disabled = false }: SelectProps<V>) {
  return (
    <Field label={label} hint={hint} full={full}>
      {(id, describedBy) => (
        <select
          id={id}
          class="select"
          value={value}
          disabled={disabled}
          aria-describedby={describedBy}
          onChange={(e) => onChange(e.currentTarget.value as V)}
        >
          {options.map(([v, text]) => (
            <option key={v} value={v}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface CheckProps {
  label: ComponentChildren;
  checked: boolean;
  onChange: (on: boolean) => void;
  disabled?: boolean;
}

export const Check = ({ label, checked, onChange, disabled = false }: CheckProps) => (
  <label class="check">
    <input type="checkbox" checked={checked} disabled={disabled} onChange={(e) => onChange(e.currentTarget.checked)} />
    <span>{label}</span>
  </label>
);

/** `label` is read out; `text` is seen. */
export const Switch = ({ label, text, checked, onChange, disabled = false }: CheckProps & { label: string; text?: string }) => (
  <label class="switch">
    <input
      type="checkbox"
      role="switch"
      aria-label={label}
      checked={checked}
      disabled={disabled}
      onChange={(e) => {
        // The model decides what is shown, also when the server refuses.
        e.currentTarget.checked = checked;
        onChange(!checked);
      }}
    />
    {text ? <span>{text}</span> : null}
  </label>
);

const SEARCH_DELAY_MS = 250;

/** A search box that waits for a pause in typing. */
export function SearchBox({ value, label, onSearch }: { value: string; label: string; onSearch: (text: string) => void }) {
  const { t } = useApp().i18n;
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const send = (next: string): void => {
    sent.current = next;
    onSearch(next);
  };
  return (
    <div class="with-icon search" role="search">
      <Icon of={Search} size={15} />
      <input
        class="input"
        type="text"
        inputMode="search"
        aria-label={label}
        placeholder={label}
        value={text}
        spellcheck={false}
        autocomplete="off"
        onInput={(e) => {
          const next = e.currentTarget.value;
          setText(next);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => send(next.trim()), SEARCH_DELAY_MS);
        }}
        onKeyDown={(e) => {
          if (e.key !== "Enter") return;
          clearTimeout(timer.current);
          send(text.trim());
        }}
      />
      {text === "" ? null : (
        <IconButton
          of={X}
          label={t("action.clear")}
          size={14}
          onClick={() => {
            setText("");
            send("");
          }}
        />
      )}
    </div>
  );
}

/** A choice of few, side by side. */
export function Segments<V extends string>(props: {
  label: string;
  value: V;
  options: readonly (readonly [V, string])[];
  onChange: (v: V) => void;
}) {
  return (
    <fieldset class="seg" aria-label={props.label}>
      {props.options.map(([v, text]) => (
        <button key={v} type="button" aria-pressed={v === props.value} onClick={() => props.onChange(v)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
