import { BellOff, CircleCheck, TriangleAlert } from "lucide";
import { Empty, Failed, Loading, Page, Tag, Time } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Icon } from "../components/Icon.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { duration } from "../lib/format.ts";
import { alarmText, createAlarms } from "../models/alarms.ts";

export function Alarms() {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createAlarms);
  const present = model.present.data.value;
  const standing = (present ?? []).flatMap((n) => n.alarms.map((a) => ({ ...a, node: n.node })));
  const past = (model.history.data.value ?? []).flatMap((n) => n.alarms.map((a) => ({ ...a, node: n.node })));
  const failed = model.present.error.value;
  return (
    <Page title={t("page.alarms")} lead={t("alarms.lead")}>
      <div class="stack">
        <section class="card">
          <header>
            <h2>{t("alarms.present")}</h2>
            {standing.length > 0 ? <Tag tone="danger">{standing.length}</Tag> : null}
          </header>
          {!present ? (
            failed ? (
              <Failed error={failed} retry={() => void model.present.refresh()} />
            ) : (
              <Loading rows={2} />
            )
          ) : standing.length === 0 ? (
            <Empty icon={CircleCheck} title={t("alarms.none")}>
              <p>{t("alarms.noneText")}</p>
            </Empty>
          ) : (
            <ul class="alarm-list">
              {standing.map((a) => {
                const text = alarmText(a);
                return (
                  <li key={`${a.node} ${a.id}`} class={text.severity}>
                    <Icon of={TriangleAlert} size={18} />
                    <div class="grow">
                      <b>{text.title}</b>
                      {text.detail === "" ? null : <p class="soft">{text.detail}</p>}
                      <p class="muted small">
                        <span class="mono">{a.id}</span> · {a.node}
                      </p>
                    </div>
                    <span class="muted small">
                      {t("alarms.since")} <Time ms={a.raised_at_ms} />
                    </span>
                  </li>
                );
              })}
            </ul>
          )}
        </section>
        <section class="card">
          <header>
            <h2>{t("alarms.history")}</h2>
            {past.length > 0 ? (
              <button type="button" class="btn small" onClick={() => void model.clearHistory()}>
                {t("alarms.clear")}
              </button>
            ) : null}
          </header>
          {past.length === 0 ? (
            <Empty icon={BellOff} title={t("alarms.noHistory")} />
          ) : (
            <SimpleTable
              label={t("alarms.history")}
              rows={past}
              rowKey={(a) => `${a.node} ${a.id} ${a.raised_at_ms}`}
              columns={[
                { id: "id", label: t("alarms.alarm"), lead: true, cell: (a) => <span class="key mono">{a.id}</span> },
                {
                  id: "desc",
                  label: t("field.description"),
                  clip: true,
                  cell: (a) => <span title={alarmText(a).detail}>{alarmText(a).detail}</span>,
                },
                { id: "from", label: t("alarms.raised"), cell: (a) => <Time ms={a.raised_at_ms} /> },
                { id: "to", label: t("alarms.ended"), cell: (a) => <Time ms={a.clear_at_ms} /> },
                {
                  id: "for",
                  label: t("alarms.lasted"),
                  num: true,
                  cell: (a) => duration((a.clear_at_ms - a.raised_at_ms) / 1000, i18n.lang.value),
                },
                { id: "node", label: t("field.node"), wideOnly: true, cell: (a) => <span class="mono small">{a.node}</span> },
              ]}
            />
          )}
        </section>
      </div>
    </Page>
  );
}
