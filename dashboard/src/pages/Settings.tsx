import { Pencil, RotateCcw, SearchX, Zap } from "lucide";
import { useState } from "preact/hooks";
import type { Setting } from "../api/client.ts";
import { Empty, Failed, Loading, Page } from "../components/basics.tsx";
import { ConfigInput } from "../components/ConfigInput.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Dialog } from "../components/Dialog.tsx";
import { Field, SearchBox, Segments } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { OriginTag, useTypeName } from "../components/SettingTags.tsx";
import { createSettings, type SettingsModel, type Show } from "../models/settings.ts";
import "../styles/settings.css";

export function Settings() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createSettings);
  const [editing, setEditing] = useState<Setting | null>(null);
  const { q = "", show = "all" } = router.place.value.query;
  const error = model.list.error.value;
  const groups = model.groups.value;
  return (
    <Page title={t("page.settings")} lead={t("settings.lead")}>
      <div class="toolbar">
        <SearchBox value={q} label={t("settings.search")} onSearch={(text) => router.patch({ q: text })} />
        <Segments<Show>
          label={t("settings.show")}
          value={show as Show}
          onChange={(s) => router.patch({ show: s === "all" ? null : s })}
          options={[
            ["all", t("settings.all")],
            ["changed", t("settings.changed")],
            ["live", t("settings.live")],
          ]}
        />
      </div>
      {model.waiting.value.size > 0 ? (
        <p class="banner warn" role="status">
          {t("settings.restart", { keys: [...model.waiting.value].join(", ") })}
        </p>
      ) : null}
      {!model.list.data.value ? (
        <div class="card">{error ? <Failed error={error} retry={() => void model.list.refresh()} /> : <Loading rows={9} />}</div>
      ) : groups.length === 0 ? (
        <div class="card">
          <Empty icon={SearchX} title={t("table.noMatch")} />
        </div>
      ) : (
        <div class="settings">
          <nav class="settings-nav" aria-label={t("settings.groups")}>
            {groups.map(([name, rows]) => (
              <button
                key={name}
                type="button"
                onClick={() => document.getElementById(`group-${name}`)?.scrollIntoView({ behavior: "smooth", block: "start" })}
              >
                <span class="mono ellipsis">{name}</span> <span class="muted">{rows.length}</span>
              </button>
            ))}
          </nav>
          <div class="stack">
            {groups.map(([name, rows]) => (
              <section key={name} class="card settings-group" id={`group-${name}`} aria-label={name}>
                <header>
                  <h2 class="mono">{name}</h2>
                </header>
                {rows.map((s) => (
                  <Row key={s.key} setting={s} onEdit={() => setEditing(s)} model={model} />
                ))}
              </section>
            ))}
          </div>
        </div>
      )}
      {editing ? <Edit setting={editing} model={model} onClose={() => setEditing(null)} /> : null}
    </Page>
  );
}

function Row({ setting: s, onEdit, model }: { setting: Setting; onEdit: () => void; model: SettingsModel }) {
  const { t } = useApp().i18n;
  return (
    <div class="conf">
      <div>
        <span class="mono key">{s.key}</span>
        <p class="muted small">{s.doc}</p>
        {s.unused ? (
          <p class="conf-unused small">
            <b>{t("settings.unused", { value: s.unused.value === "" ? t("config.unset") : s.unused.value })}</b> {s.unused.why}
          </p>
        ) : null}
      </div>
      <code class={s.value === "" ? "muted" : ""}>{s.value === "" ? t("config.unset") : s.value}</code>
      <div class="row conf-tags">
        {s.live ? (
          <span class="accent-icon" title={t("settings.liveText")}>
            <Icon of={Zap} size={14} />
            <span class="sr">{t("settings.liveText")}</span>
          </span>
        ) : null}
        <OriginTag of={s} />
        {s.origin === "api" || s.unused ? (
          <IconButton
            of={RotateCcw}
            label={t("settings.resetOne", { key: s.key })}
            title={t("settings.reset")}
            size={14}
            onClick={() => void model.save(s, null)}
          />
        ) : null}
        <IconButton of={Pencil} label={t("settings.editOne", { key: s.key })} title={t("action.edit")} size={14} onClick={onEdit} />
      </div>
    </div>
  );
}

function Edit({ setting: s, model, onClose }: { setting: Setting; model: SettingsModel; onClose: () => void }) {
  const { t } = useApp().i18n;
  const typeName = useTypeName();
  const [value, setValue] = useState(s.secret ? "" : s.value);
  const [bad, setBad] = useState("");
  const save = async (): Promise<boolean> => {
    const problem = await model.save(s, value);
    setBad(problem ?? "");
    return problem === null;
  };
  return (
    <Dialog title={s.key} yes={t("action.save")} onClose={onClose} onYes={save} disabled={value === s.value} width={520}>
      {s.doc === "" ? null : <p class="soft">{s.doc}</p>}
      <Field
        label={t("settings.value", { type: typeName(s.type) })}
        bad={bad}
        hint={t("settings.defaultIs", { value: s.default === "" ? t("config.unset") : s.default })}
      >
        {(id, describedBy) => (
          <ConfigInput
            id={id}
            describedBy={describedBy}
            label={s.key}
            type={s.type}
            value={value}
            placeholder={s.default}
            emptied={s.value !== ""}
            bad={bad}
            options={s.enum}
            secret={s.secret}
            onChange={setValue}
          />
        )}
      </Field>
      <p class="muted small">{t(s.live ? "settings.liveText" : "settings.restartText")}</p>
    </Dialog>
  );
}
