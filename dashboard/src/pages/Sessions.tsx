import { Trash2, Unplug } from "lucide";
import type { Session } from "../api/client.ts";
import { Page, Status, Tag, Time, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { type Column, DataTable } from "../components/DataTable.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { FilterSelect } from "../components/FilterSelect.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { duration, integer } from "../lib/format.ts";
import { link } from "../models/router.ts";
import { createSessions } from "../models/sessions.ts";

export function Sessions() {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const model = useModel(createSessions);
  const { table } = model;
  const expiry = (s: Session): string =>
    s.expiry_interval >= 4_294_967_295 ? t("never") : s.expiry_interval === 0 ? t("sessions.ends") : duration(s.expiry_interval, lang);
  const columns: Column<Session>[] = [
    {
      id: "client_id",
      label: t("field.clientId"),
      sort: "client_id",
      lead: true,
      clip: true,
      cell: (s) => (
        <a class="key" href={link("clients", s.client_id)} title={s.client_id}>
          {s.client_id}
        </a>
      ),
    },
    {
      id: "connected",
      label: t("field.state"),
      sort: "connected",
      cell: (s) => <Status tone={s.connected ? "ok" : "off"}>{t(s.connected ? "state.connected" : "state.offline")}</Status>,
    },
    { id: "username", label: t("field.username"), sort: "username", clip: true, off: true, cell: (s) => <Value of={s.username} /> },
    { id: "clean", label: t("field.cleanStart"), sort: "clean_start", wideOnly: true, cell: (s) => t(s.clean_start ? "yes" : "no") },
    { id: "expiry", label: t("field.expiry"), sort: "expiry_interval", num: true, cell: expiry },
    {
      id: "subs",
      label: t("field.subscriptions"),
      sort: "subscriptions_count",
      num: true,
      cell: (s) => integer(s.subscriptions_count, lang),
    },
    { id: "inflight", label: t("field.inflight"), sort: "inflight_len", num: true, cell: (s) => integer(s.inflight_len, lang) },
    { id: "queued", label: t("field.queued"), sort: "mqueue_len", num: true, cell: (s) => integer(s.mqueue_len, lang) },
    {
      id: "dropped",
      label: t("field.dropped"),
      sort: "mqueue_dropped",
      num: true,
      cell: (s) => (s.mqueue_dropped > 0 ? <Tag tone="warn">{integer(s.mqueue_dropped, lang)}</Tag> : "0"),
    },
    { id: "delivered", label: t("field.delivered"), sort: "deliver_msg", num: true, off: true, cell: (s) => integer(s.deliver_msg, lang) },
    { id: "created", label: t("field.created"), sort: "created_at_ms", cell: (s) => <Time ms={s.created_at_ms} /> },
    { id: "gone", label: t("field.disconnected"), sort: "disconnected_at_ms", off: true, cell: (s) => <Time ms={s.disconnected_at_ms} /> },
  ];
  return (
    <Page title={t("page.sessions")} lead={t("sessions.lead")}>
      <DataTable
        id="sessions"
        label={t("page.sessions")}
        model={table}
        columns={columns}
        rowKey={(s) => s.client_id}
        toolbar={
          <>
            <FilterSearch
              model={table}
              label={t("table.searchIn")}
              fields={[
                ["id", t("field.clientId")],
                ["user", t("field.username")],
              ]}
            />
            <FilterSelect
              model={table}
              field="on"
              label={t("field.state")}
              any={t("sessions.any")}
              options={[
                ["true", t("state.connected")],
                ["false", t("state.offline")],
              ]}
            />
          </>
        }
        actions={(s) =>
          s.connected ? null : (
            <IconButton
              of={Trash2}
              label={t("sessions.dropOne", { id: s.client_id })}
              title={t("sessions.drop")}
              danger
              onClick={() => void model.drop(s.client_id)}
            />
          )
        }
        empty={{ icon: Unplug, title: t("sessions.empty"), children: <p>{t("sessions.emptyText")}</p> }}
      />
    </Page>
  );
}
