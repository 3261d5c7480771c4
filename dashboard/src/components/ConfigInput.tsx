import { useApp } from "./context.ts";

interface Props {
  id?: string;
  label: string;
  type: string;
  value: string;
  /** Shown while the value is empty. */
  placeholder: string;
  options?: readonly string[] | undefined;
  secret?: boolean | undefined;
  disabled?: boolean;
  onChange: (value: string) => void;
}

const FLAGS: Readonly<Record<string, readonly string[]>> = { flag: ["on", "off"], boolean: ["true", "false"], bool: ["true", "false"] };

/** The control that fits a configuration value's type; the text is the one of the configuration file. */
export function ConfigInput({ id, label, type, value, placeholder, options, secret, disabled = false, onChange }: Props) {
  const { t } = useApp().i18n;
  const choices = options ?? FLAGS[type];
  // JSX types tie every input type to its own attributes; the ones used here fit both.
  const kind = { type: secret ? "password" : "text" } as { type: "text" };
  const described = id ? `${id}-d` : undefined;
  if (choices) {
    // A file may say "yes" where the form offers "on": keep what is there.
    const all = value === "" || choices.includes(value) ? choices : [value, ...choices];
    return (
      <select
        id={id}
        class="select"
        aria-label={id ? undefined : label}
        aria-describedby={described}
        disabled={disabled}
        value={value}
        onChange={(e) => onChange(e.currentTarget.value)}
      >
        <option value="">{placeholder === "" ? t("config.unset") : t("config.default", { value: placeholder })}</option>
        {all.map((c) => (
          <option key={c} value={c}>
            {c}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      {...(id ? { id } : {})}
      class="input mono"
      {...kind}
      inputMode={type === "integer" ? ("numeric" as const) : ("text" as const)}
      aria-label={id ? undefined : label}
      aria-describedby={described}
      autocomplete={secret ? "new-password" : "off"}
      spellcheck={false}
      disabled={disabled}
      value={value}
      placeholder={placeholder}
      onInput={(e) => onChange(e.currentTarget.value)}
    />
  );
}
