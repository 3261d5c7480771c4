/** Which hooks the web hook's service is told of, on its plugin's page: a switch for each, or, where a hook has a topic, the topics. Saved with all the other settings. */
import { Plus, Trash2 } from "lucide";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { PluginConfigRow } from "../api/client.ts";
import { keyOf } from "../lib/config_keys.ts";
import { actionOf, freeName, type Hook, hookOf, ruleText, topicOf } from "../lib/hook_rules.ts";
import { filterError } from "../lib/topic.ts";
import type { Family, PluginConfigModel } from "../models/plugin_config.ts";
import { Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Switch } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { OriginTag, WrongValue } from "./SettingTags.tsx";

interface HookState {
  hook: Hook;
  pattern: PluginConfigRow;
  /** All keys that somebody wrote, also those that say nothing any more. */
  rows: readonly PluginConfigRow[];
  /** Those that say something, as it stands on the page. */
  rules: readonly PluginConfigRow[];
}

const stateOf = ({ pattern, rows }: Family, model: PluginConfigModel): HookState[] => {
  const hook = hookOf(pattern.key);
  return hook === undefined ? [] : [{ hook, pattern, rows, rules: rows.filter((r) => model.value(r) !== "") }];
};

const isFixed = ({ origin }: PluginConfigRow): boolean => origin === "env" || origin === "flag";

/** Kept as it is written: nobody knows what it says. Looked at of what is kept, so that the field stays what it is while one types. */
const isUnread = (hook: Hook, { value }: PluginConfigRow): boolean => value !== "" && topicOf(hook, value) === null;

/** As it is written, on the page too: whoever empties it to write it anew keeps his field. */
const isWritten = (hook: Hook, row: PluginConfigRow, model: PluginConfigModel): boolean =>
  isUnread(hook, row) && model.edits.value[row.key] !== null;

/** For every topic. A name that says nothing any more is taken again; a file may have it. Returns the rule's key. */
function addRule({ hook, pattern, rows }: HookState, model: PluginConfigModel): string {
  const text = ruleText(hook, "");
  const silent = rows.find((r) => model.value(r) === "" && !isFixed(r) && !isWritten(hook, r, model));
  if (silent !== undefined) {
    model.edit(silent, text);
    return silent.key;
  }
  const name = freeName(rows.map((r) => r.key));
  model.add(pattern, name, text);
  return keyOf(pattern.key, name) ?? "";
}

/** `families`: those of the hooks. */
export function HookRules({ families, model }: { families: readonly Family[]; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const card = useRef<HTMLElement>(null);
  const all = families.flatMap((f) => stateOf(f, model));
  const told = all.filter((h) => h.rules.length > 0).length;
  const writeAll = (): void => {
    for (const h of all) addRule(h, model);
    // The button goes: whoever pressed it is not to lose the place.
    card.current?.querySelector("input")?.focus();
  };
  return (
    <section class="card settings-list" aria-label={t("hooks.title")} ref={card}>
      <header>
        <h2>{t("hooks.title")}</h2>
        <Tag tone="accent">{told === 0 ? t("hooks.all") : t("hooks.some", { n: told, all: all.length })}</Tag>
        {told === 0 ? (
          <button type="button" class="btn small" onClick={writeAll}>
            {t("hooks.each")}
          </button>
        ) : null}
      </header>
      <p class="body muted small">{t(told === 0 ? "hooks.allText" : "hooks.someText")}</p>
      {all.map((h) => (
        <HookRow key={h.hook.name} of={h} model={model} isTold={told === 0 || h.rules.length > 0} />
      ))}
    </section>
  );
}

function HookRow({ of, model, isTold }: { of: HookState; model: PluginConfigModel; isTold: boolean }) {
  const { t } = useApp().i18n;
  const id = useId();
  const { hook, rows, rules } = of;
  const isWrong = rules.some((r) => r.key in model.wrong.value || faultOf(hook, model.value(r)) !== null);
  const isChanged = rows.some((r) => r.key in model.edits.value);
  return (
    <div class={isWrong ? "setting hook wrong" : isChanged ? "setting hook changed" : "setting hook"} role="group" aria-labelledby={id}>
      <div>
        <p class="row">
          <b id={id}>{t(hook.title)}</b>
          <Tag tone={rules.length > 0 ? "accent" : ""}>{t(isTold ? "hooks.told" : "hooks.notTold")}</Tag>
        </p>
        <p class="muted small mono">
          {hook.name}
          <span class="hook-action"> → {actionOf(hook)}</span>
        </p>
      </div>
      <div class="hook-rules">
        {rows
          .filter((r) => isWritten(hook, r, model))
          .map((r) => (
            <WrittenRule key={r.key} row={r} model={model} />
          ))}
        {hook.topics ? <Topics of={of} model={model} /> : <OneSwitch of={of} model={model} />}
      </div>
    </div>
  );
}

/** A hook without topics: more than one rule says the same again. */
function OneSwitch({ of, model }: { of: HookState; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const { hook, rows, rules } = of;
  const mine = rules.filter((r) => !isUnread(hook, r));
  const [first] = mine;
  const toggle = (): void => {
    const kept = rows.filter((r) => r.value !== "" && !isUnread(hook, r));
    if (first !== undefined) for (const r of mine) model.drop(r);
    else if (kept.length > 0) for (const r of kept) model.edit(r, r.value);
    else addRule(of, model);
  };
  const bad = mine.map((r) => model.wrong.value[r.key]).find((why) => why !== undefined);
  return (
    <>
      <div class="row hook-switch">
        <Switch
          label={t("hooks.tell", { hook: hook.name })}
          checked={first !== undefined}
          disabled={mine.some(isFixed)}
          onChange={toggle}
        />
        {first === undefined || model.isNew(first) ? null : <OriginTag of={first} />}
      </div>
      {bad ? <WrongValue>{bad}</WrongValue> : null}
      {mine.length > 1 ? <p class="muted small">{t("hooks.times", { n: mine.length })}</p> : null}
      {mine.some(isFixed) ? <p class="muted small">{t("plugins.fixed")}</p> : null}
    </>
  );
}

function Topics({ of, model }: { of: HookState; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const { hook, rules } = of;
  const list = useRef<HTMLDivElement>(null);
  const adder = useRef<HTMLButtonElement>(null);
  /** What has just been added is to be filled in. */
  const [fresh, setFresh] = useState({ key: "" });
  useEffect(() => {
    [...(list.current?.querySelectorAll("input") ?? [])].find((field) => field.dataset.key === fresh.key)?.focus();
  }, [fresh]);
  const mine = rules.filter((r) => !isUnread(hook, r));
  const topics = mine.map((r) => topicOf(hook, model.value(r)) ?? "");
  return (
    <>
      <div class="hook-rules" ref={list}>
        {mine.map((r, i) => (
          <TopicRule
            key={r.key}
            hook={hook}
            row={r}
            topic={topics[i] ?? ""}
            isRepeated={topics.indexOf(topics[i] ?? "") < i}
            model={model}
            onDrop={() => {
              model.drop(r);
              adder.current?.focus();
            }}
          />
        ))}
      </div>
      <button
        type="button"
        class="btn small"
        ref={adder}
        aria-label={t("hooks.addTo", { hook: hook.name })}
        onClick={() => setFresh({ key: addRule(of, model) })}
      >
        <Icon of={Plus} size={14} /> {t("hooks.add")}
      </button>
    </>
  );
}

/** What is wrong with a rule's topic as it stands on the page; null = nothing. */
function faultOf(hook: Hook, text: string): ReturnType<typeof filterError> {
  const topic = topicOf(hook, text);
  return topic === null || topic === "" ? null : filterError(topic);
}

interface TopicRuleProps {
  hook: Hook;
  row: PluginConfigRow;
  topic: string;
  /** One before it says the same. */
  isRepeated: boolean;
  model: PluginConfigModel;
  onDrop: () => void;
}

function TopicRule({ hook, row, topic, isRepeated, model, onDrop }: TopicRuleProps) {
  const { t } = useApp().i18n;
  const fault = faultOf(hook, model.value(row));
  return (
    <RuleLine
      row={row}
      model={model}
      label={t("hooks.topic", { key: row.key })}
      value={topic}
      placeholder={t("hooks.every")}
      bad={fault === null ? model.wrong.value[row.key] : t(fault)}
      hint={isRepeated ? t("hooks.same") : ""}
      onInput={(next) => model.edit(row, topicOf(hook, row.value) === next ? row.value : ruleText(hook, next))}
      onDrop={onDrop}
    />
  );
}

function WrittenRule({ row, model }: { row: PluginConfigRow; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  return (
    <RuleLine
      row={row}
      model={model}
      label={row.key}
      value={model.value(row)}
      placeholder=""
      bad={model.wrong.value[row.key]}
      hint={t("hooks.unread")}
      onInput={(next) => model.edit(row, next)}
      onDrop={() => model.drop(row)}
    />
  );
}

interface RuleLineProps {
  row: PluginConfigRow;
  model: PluginConfigModel;
  label: string;
  value: string;
  placeholder: string;
  bad: string | undefined;
  hint: string;
  onInput: (text: string) => void;
  onDrop: () => void;
}

/** Its name, a field, where it comes from, and away with it. */
function RuleLine({ row, model, label, value, placeholder, bad, hint, onInput, onDrop }: RuleLineProps) {
  const { t } = useApp().i18n;
  const id = useId();
  const said = isFixed(row) ? t("plugins.fixed") : hint;
  return (
    <div class="hook-rule">
      <span class="mono muted small" title={row.key}>
        {row.key.split(".").at(-1)}
      </span>
      <input
        class="input mono"
        data-key={row.key}
        aria-label={label}
        aria-invalid={Boolean(bad)}
        aria-describedby={bad || said ? `${id}-d` : undefined}
        placeholder={placeholder}
        disabled={isFixed(row)}
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        value={value}
        onInput={(e) => onInput(e.currentTarget.value)}
      />
      {model.isNew(row) ? null : <OriginTag of={row} />}
      {isFixed(row) ? null : (
        <IconButton
          of={Trash2}
          label={t("plugins.removeOne", { key: row.key })}
          title={t("plugins.remove")}
          size={14}
          danger
          onClick={onDrop}
        />
      )}
      {bad ? <WrongValue id={`${id}-d`}>{bad}</WrongValue> : null}
      {!bad && said ? (
        <p id={`${id}-d`} class="muted small">
          {said}
        </p>
      ) : null}
    </div>
  );
}
