/** The form of a plugin's settings: each with its origin and the way back to the file; rules of hooks; keys that stand for many; those without effect. */
import { FileUp, Plus, Trash2 } from "lucide";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { PluginConfigRow } from "../api/client.ts";
import { isLong, isPattern, prefixOf, sent, suggestions } from "../lib/config_keys.ts";
import { hookOf } from "../lib/hook_rules.ts";
import type { Family, PluginConfigModel } from "../models/plugin_config.ts";
import { Tag } from "./basics.tsx";
import { ConfigInput } from "./ConfigInput.tsx";
import { useApp } from "./context.ts";
import { HookRules } from "./HookRules.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { OriginTag, useTypeName, WrongValue } from "./SettingTags.tsx";

export function PluginSettings({ model }: { model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const form = useRef<HTMLFormElement>(null);
  const { plain, families, inert } = model.parts.value;
  const hooks = families.filter((f) => hookOf(f.pattern.key) !== undefined);
  const dirty = model.dirty.value;
  const wrong = model.wrong.value;
  useEffect(() => {
    const field = form.current?.querySelector<HTMLElement>(".setting [aria-invalid=true]");
    if (!field || Object.keys(wrong).length === 0) return;
    field.closest("details")?.setAttribute("open", "");
    field.focus();
    field.scrollIntoView({ block: "center" });
  }, [wrong]);
  const save = (e: Event): void => {
    e.preventDefault();
    if (model.dirty.peek()) void model.save();
  };
  return (
    <form class="stack" ref={form} onSubmit={save}>
      {hooks.length > 0 ? <HookRules families={hooks} model={model} /> : null}
      <section class="card settings-list" aria-label={t("page.settings")}>
        <header>
          <h2>{t("page.settings")}</h2>
          <button type="button" class="btn small" onClick={() => void model.resetAll()}>
            <Icon of={FileUp} size={14} /> {t("plugins.toFile")}
          </button>
        </header>
        {plain.map((r) => (
          <Row key={r.key} row={r} model={model} />
        ))}
      </section>
      {families
        .filter((f) => !hooks.includes(f))
        .map((f) => (
          <FamilyCard key={f.pattern.key} family={f} model={model} />
        ))}
      {inert.length > 0 ? (
        <details class="card settings-list">
          <summary>{t("plugins.inert", { n: inert.length })}</summary>
          {inert.map((r) => (
            <Row key={r.key} row={r} model={model} />
          ))}
        </details>
      ) : null}
      <div class={dirty ? "save-bar floating" : "save-bar"}>
        <span class="grow muted small">{t(model.inPlace.value ? "plugins.saveText" : "plugins.saveRestarts")}</span>
        <button type="button" class="btn" disabled={!dirty} onClick={model.discard}>
          {t("action.discard")}
        </button>
        <button type="submit" class="btn primary" disabled={!dirty}>
          {t("action.save")}
        </button>
      </div>
    </form>
  );
}

function Row({ row, model, member = false }: { row: PluginConfigRow; model: PluginConfigModel; member?: boolean }) {
  const { t } = useApp().i18n;
  const typeName = useTypeName();
  const id = useId();
  const value = model.value(row);
  const bad = model.wrong.value[row.key];
  const changed = row.key in model.edits.value;
  const isFixed = row.origin === "env" || row.origin === "flag";
  const emptied = row.value !== "";
  return (
    <div class={bad ? "setting wrong" : changed ? "setting changed" : "setting"}>
      <div>
        <label for={id} class="mono key">
          {row.key}
        </label>
        <div id={`${id}-d`}>
          {member ? null : <p class="muted small">{row.doc || row.desc}</p>}
          {isFixed ? <p class="muted small">{t("plugins.fixed")}</p> : null}
        </div>
      </div>
      <div class="row setting-value">
        <div class="grow">
          <ConfigInput
            id={id}
            label={row.key}
            type={row.type}
            value={value}
            placeholder={emptied && sent(row, "") === "" ? t("config.unset") : row.default}
            options={row.enum}
            suggestions={suggestions(row)}
            long={isLong(row)}
            emptied={emptied}
            bad={bad}
            describedBy={bad ? `${id}-e ${id}-d` : `${id}-d`}
            secret={row.secret}
            disabled={isFixed}
            onChange={(v) => model.edit(row, v)}
          />
          {bad ? <WrongValue id={`${id}-e`}>{bad}</WrongValue> : null}
        </div>
        {model.isNew(row) ? (
          <IconButton
            of={Trash2}
            label={t("plugins.removeOne", { key: row.key })}
            title={t("plugins.remove")}
            size={14}
            danger
            onClick={() => void model.remove(row)}
          />
        ) : null}
        {row.origin === "api" ? (
          <IconButton
            of={member ? Trash2 : FileUp}
            label={t(member ? "plugins.removeOne" : "settings.resetOne", { key: row.key })}
            title={t(member ? "plugins.remove" : "settings.reset")}
            size={14}
            danger={member}
            onClick={() => void (member ? model.remove(row) : model.reset(row))}
          />
        ) : null}
      </div>
      <div class="row setting-tags">
        <OriginTag of={row} />
        <Tag>{typeName(row.type)}</Tag>
      </div>
    </div>
  );
}

function FamilyCard({ family: { pattern, rows }, model }: { family: Family; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const id = useId();
  const [name, setName] = useState("");
  const [refused, setRefused] = useState(false);
  const card = useRef<HTMLElement>(null);
  /** The row that has just been added is the one to fill in. */
  const [fresh, setFresh] = useState(0);
  useEffect(() => {
    if (fresh > 0) [...(card.current?.querySelectorAll<HTMLElement>(".setting :is(input, textarea, select)") ?? [])].at(-1)?.focus();
  }, [fresh]);
  const add = (): void => {
    const done = model.add(pattern, name.trim());
    setRefused(!done);
    if (!done) return;
    setName("");
    setFresh(fresh + 1);
  };
  return (
    <section class="card settings-list" aria-label={pattern.key} ref={card}>
      <header>
        <h2 class="mono">{pattern.key}</h2>
      </header>
      <p class="body muted small">{pattern.doc || pattern.desc}</p>
      {rows
        .filter((r) => !isPattern(r))
        .map((r) => (
          <Row key={r.key} row={r} model={model} member />
        ))}
      <div class="setting-add">
        <label for={id} class="mono small">
          {prefixOf(pattern.key)}
        </label>
        <input
          id={id}
          class="input mono"
          aria-invalid={refused}
          aria-describedby={`${id}-d`}
          placeholder={t("plugins.newName")}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          value={name}
          onInput={(e) => {
            setName(e.currentTarget.value);
            setRefused(false);
          }}
          onKeyDown={(e) => {
            if (e.key !== "Enter" || e.isComposing) return;
            e.preventDefault();
            if (name.trim() !== "") add();
          }}
        />
        <button type="button" class="btn" disabled={name.trim() === ""} onClick={add}>
          <Icon of={Plus} size={14} /> {t("plugins.add")}
        </button>
        <span id={`${id}-d`} class="bad small" role={refused ? "alert" : undefined}>
          {refused ? t("plugins.badName") : ""}
        </span>
      </div>
    </section>
  );
}
