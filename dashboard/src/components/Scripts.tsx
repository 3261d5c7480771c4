/** The scripts on the page of emqx_lua_hook. */
import { CircleAlert, CirclePause, CirclePlay, FileCode, ListX, RotateCw } from "lucide";
import type { Script } from "../api/client.ts";
import { integer } from "../lib/format.ts";
import { createScripts, type ScriptsModel } from "../models/scripts.ts";
import { Empty, Failed, Loading, Status, Tag, Time } from "./basics.tsx";
import { useApp, useModel } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { SimpleTable } from "./SimpleTable.tsx";

const STATES = {
  loading: ["off", "scripts.loading"],
  running: ["ok", "state.running"],
  failed: ["danger", "scripts.failed"],
  stopped: ["danger", "scripts.stopped"],
  unloaded: ["off", "scripts.isUnloaded"],
  disabled: ["off", "scripts.disabled"],
} as const;
const LANGUAGES = { lua: "Lua", javascript: "JavaScript", typescript: "TypeScript" } as const;

export function Scripts() {
  const { t } = useApp().i18n;
  const model = useModel(createScripts);
  const { data, error } = model.scripts;
  const all = data.value;
  return (
    <>
      <section class="card" aria-label={t("scripts.title")}>
        <header>
          <h2>{t("scripts.title")}</h2>
        </header>
        {!all ? (
          error.value ? (
            <Failed error={error.value} retry={() => void model.scripts.refresh()} />
          ) : (
            <Loading rows={2} />
          )
        ) : all.length === 0 ? (
          <Empty icon={FileCode} title={t("scripts.none")}>
            <p>{t("scripts.noneText")}</p>
          </Empty>
        ) : (
          <Table all={all} model={model} />
        )}
      </section>
      {model.shown.value === null ? null : <Errors name={model.shown.value} model={model} />}
    </>
  );
}

function Table({ all, model }: { all: readonly Script[]; model: ScriptsModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const number = (n: number): string => integer(n, i18n.lang.value);
  return (
    <SimpleTable
      label={t("scripts.title")}
      rows={all}
      rowKey={(s) => s.name}
      columns={[
        {
          id: "name",
          label: t("field.name"),
          lead: true,
          cell: (s) => (
            <div class="script-name">
              <span class="key mono">{s.name}</span> <Tag>{LANGUAGES[s.language]}</Tag>
              {s.error === null ? null : (
                <p class="bad small">
                  <Icon of={CircleAlert} size={14} /> {s.state === "running" ? t("scripts.former", { why: s.error }) : s.error}
                </p>
              )}
              {s.retry_ms === 0 ? null : (
                <p class="muted small">
                  {t("scripts.retry")} <Time ms={s.retry_ms} />
                </p>
              )}
            </div>
          ),
        },
        { id: "state", label: t("field.state"), cell: (s) => <State of={s} /> },
        {
          id: "callbacks",
          label: t("scripts.callbacks"),
          cell: (s) => (
            <ul class="script-callbacks small">
              {s.callbacks.map((c) => (
                <li key={c.name}>
                  <span class="mono">{c.name}</span> <span class="muted">{number(c.calls)}</span>
                </li>
              ))}
            </ul>
          ),
        },
        { id: "errors", label: t("scripts.errors"), num: true, cell: (s) => number(s.errors) },
        { id: "overruns", label: t("scripts.overruns"), num: true, cell: (s) => number(s.overruns) },
        { id: "skipped", label: t("scripts.skipped"), num: true, wideOnly: true, cell: (s) => number(s.skipped) },
        { id: "p95", label: "p95", num: true, cell: (s) => (s.p95 === null ? "–" : `${s.p95.toFixed(s.p95 < 10 ? 2 : 0)} ms`) },
      ]}
      actions={(s) => <Actions of={s} model={model} />}
    />
  );
}

function State({ of: { state } }: { of: Script }) {
  const { t } = useApp().i18n;
  const [tone, text] = STATES[state];
  return <Status tone={tone}>{t(text)}</Status>;
}

function Actions({ of: script, model }: { of: Script; model: ScriptsModel }) {
  const { t } = useApp().i18n;
  const { name, state } = script;
  const isOff = state === "disabled";
  const errors = t("scripts.errorsOf", { name });
  return (
    <>
      <IconButton of={ListX} label={errors} title={errors} pressed={model.shown.value === name} onClick={() => model.show(name)} />
      {isOff ? null : (
        <IconButton
          of={RotateCw}
          label={t("scripts.reloadOne", { name })}
          title={t("scripts.reload")}
          onClick={() => void model.command(script, "reload")}
        />
      )}
      <IconButton
        of={isOff ? CirclePlay : CirclePause}
        label={t(isOff ? "scripts.enableOne" : "scripts.disableOne", { name })}
        title={t(isOff ? "scripts.enable" : "scripts.disable")}
        danger={!isOff}
        onClick={() => void model.command(script, isOff ? "enable" : "disable")}
      />
    </>
  );
}

function Errors({ name, model }: { name: string; model: ScriptsModel }) {
  const { t } = useApp().i18n;
  const rows = model.errors.data.value ?? [];
  const title = t("scripts.errorsOf", { name });
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {rows.length === 0 ? (
        <p class="body muted" role="status">
          {t("scripts.noErrors")}
        </p>
      ) : (
        <SimpleTable
          label={title}
          rows={rows.map((e, i) => ({ ...e, i }))}
          rowKey={(e) => `${e.at_ms} ${e.i}`}
          columns={[
            { id: "at", label: t("scripts.time"), lead: true, cell: (e) => <Time ms={e.at_ms} /> },
            { id: "callback", label: t("scripts.callback"), cell: (e) => <span class="mono small">{e.callback ?? "–"}</span> },
            { id: "line", label: t("scripts.line"), num: true, cell: (e) => e.line ?? "–" },
            { id: "message", label: t("scripts.message"), cell: (e) => <span class="script-message">{e.message}</span> },
          ]}
        />
      )}
    </section>
  );
}
