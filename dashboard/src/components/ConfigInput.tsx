import { useApp } from "./context.ts";

interface Props {
  id?: string;
  label: string;
  type: string;
  value: string;
  /** Shown while the value is empty. */
  placeholder: string;
  options?: readonly string[] | undefined;
  /** Choices beside which others can be typed. */
  suggestions?: readonly string[];
  /** A line is too short for it: the field grows. */
  long?: boolean;
  /** It was set: empty is not the default. */
  emptied?: boolean;
  /** What is wrong with the value; it stands in one of `describedBy`. */
  bad?: string | undefined;
  /** Ids of what is said of the field, in the order in which it is read out. */
  describedBy?: string;
  secret?: boolean | undefined;
  disabled?: boolean;
  onChange: (value: string) => void;
}

const FLAGS: Readonly<Record<string, readonly string[]>> = { flag: ["on", "off"], boolean: ["true", "false"], bool: ["true", "false"] };
/** Characters of a line, where the browser does not measure the text itself. */
const COLUMNS = 32;

/** The control that fits a configuration value's type; the text is the one of the configuration file. */
export function ConfigInput(props: Props) {
  const { id, label, type, value, placeholder, options, secret, disabled = false, emptied = false, bad, describedBy, onChange } = props;
  const { t } = useApp().i18n;
  const choices = options ?? FLAGS[type];
  const common = {
    ...(id ? { id } : {}),
    "aria-label": id ? undefined : label,
    "aria-describedby": describedBy,
    "aria-invalid": Boolean(bad),
    disabled,
    value,
  };
  if (choices) {
    // A file may say "yes" where the form offers "on": keep what is there.
    const all = value === "" || choices.includes(value) ? choices : [value, ...choices];
    return (
      <select {...common} class="select" onChange={(e) => onChange(e.currentTarget.value)}>
        {emptied && value !== "" ? null : (
          <option value="">{placeholder === "" ? t("config.unset") : t("config.default", { value: placeholder })}</option>
        )}
        {all.map((c) => (
          <option key={c} value={c}>
            {c}
          </option>
        ))}
      </select>
    );
  }
  if (props.long && !secret)
    return (
      <textarea
        {...common}
        class="input mono grows"
        rows={Math.ceil(Math.max(value.length, 1) / COLUMNS)}
        spellcheck={false}
        placeholder={placeholder}
        // A value is one line, as in the file.
        onInput={(e) => onChange(e.currentTarget.value.replace(/\s*\n\s*/g, " "))}
        onKeyDown={(e) => {
          if (e.key !== "Enter" || e.isComposing) return;
          e.preventDefault();
          e.currentTarget.form?.requestSubmit();
        }}
      />
    );
  // JSX types tie every input type to its own attributes; the ones used here fit both.
  const kind = { type: secret ? "password" : "text" } as { type: "text" };
  const list = id && props.suggestions && props.suggestions.length > 0 ? `${id}-l` : undefined;
  return (
    <>
      <input
        {...common}
        {...kind}
        class="input mono"
        inputMode={type === "integer" ? ("numeric" as const) : ("text" as const)}
        autocomplete={secret ? "new-password" : "off"}
        spellcheck={false}
        list={list}
        placeholder={placeholder}
        onInput={(e) => onChange(e.currentTarget.value)}
      />
      {list ? (
        <datalist id={list}>
          {props.suggestions?.map((s) => (
            <option key={s} value={s} />
          ))}
        </datalist>
      ) : null}
    </>
  );
}
