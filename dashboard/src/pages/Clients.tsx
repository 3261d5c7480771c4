import { Ban, MonitorSmartphone, Unplug, X } from "lucide";
import type { Connection } from "../api/client.ts";
import { CopyButton, Page, Tag, Time, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { type Column, DataTable } from "../components/DataTable.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { FilterSelect } from "../components/FilterSelect.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { bytes, integer } from "../lib/format.ts";
import { createAddresses } from "../models/addresses.ts";
import { createClients } from "../models/clients.ts";
import { link } from "../models/router.ts";
import { VERSIONS } from "../models/versions.ts";
import type { PageProps } from "../routes.tsx";
import { ClientPage } from "./ClientPage.tsx";

export function ClientsPage({ rest }: PageProps) {
  const id = rest[0];
  return id === undefined ? <Clients /> : <ClientPage id={id} />;
}

function Clients() {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const model = useModel(createClients);
  const { table } = model;
  const columns: Column<Connection>[] = [
    {
      id: "client_id",
      label: t("field.clientId"),
      sort: "client_id",
      lead: true,
      clip: true,
      cell: (c) => (
        <a class="key" href={link("clients", c.client_id)} title={c.client_id}>
          {c.client_id}
        </a>
      ),
    },
    { id: "username", label: t("field.username"), sort: "username", clip: true, cell: (c) => <Value of={c.username} /> },
    {
      id: "ipaddress",
      label: t("field.address"),
      sort: "ipaddress",
      cell: (c) => <span class="mono small">{`${c.ipaddress}:${c.port}`}</span>,
    },
    { id: "listener", label: t("field.listener"), sort: "listener", off: true, cell: (c) => <Tag>{c.listener}</Tag> },
    { id: "proto_ver", label: t("field.version"), sort: "proto_ver", cell: (c) => <>MQTT {VERSIONS[c.proto_ver] ?? c.proto_ver}</> },
    { id: "keepalive", label: t("field.keepalive"), sort: "keepalive", num: true, off: true, cell: (c) => `${c.keepalive} s` },
    { id: "clean_start", label: t("field.cleanStart"), sort: "clean_start", off: true, cell: (c) => t(c.clean_start ? "yes" : "no") },
    { id: "zone", label: t("field.zone"), sort: "zone", off: true, cell: (c) => c.zone },
    {
      id: "subscriptions",
      label: t("field.subscriptions"),
      sort: "subscriptions_count",
      num: true,
      cell: (c) => integer(c.subscriptions_count, lang),
    },
    { id: "mqueue", label: t("field.queued"), sort: "mqueue_len", num: true, off: true, cell: (c) => integer(c.mqueue_len, lang) },
    { id: "inflight", label: t("field.inflight"), sort: "inflight_len", num: true, off: true, cell: (c) => integer(c.inflight_len, lang) },
    { id: "recv_msg", label: t("field.msgIn"), sort: "recv_msg", num: true, cell: (c) => integer(c.recv_msg, lang) },
    { id: "send_msg", label: t("field.msgOut"), sort: "send_msg", num: true, cell: (c) => integer(c.send_msg, lang) },
    { id: "recv_oct", label: t("field.bytesIn"), sort: "recv_oct", num: true, off: true, cell: (c) => bytes(c.recv_oct, lang) },
    { id: "send_oct", label: t("field.bytesOut"), sort: "send_oct", num: true, off: true, cell: (c) => bytes(c.send_oct, lang) },
    { id: "connected_at", label: t("field.connected"), sort: "connected_at_ms", cell: (c) => <Time ms={c.connected_at_ms} /> },
  ];
  const selected = [...table.selected.value];
  return (
    <Page title={t("page.clients")} lead={t("clients.lead")}>
      <DataTable
        id="clients"
        label={t("page.clients")}
        model={table}
        columns={columns}
        rowKey={(c) => c.client_id}
        pick={(c) => c.client_id}
        toolbar={
          <>
            <FilterSearch
              model={table}
              label={t("table.searchIn")}
              fields={[
                ["id", t("field.clientId")],
                ["user", t("field.username")],
                ["ip", t("field.address")],
              ]}
            />
            <FilterSelect
              model={table}
              field="ver"
              label={t("field.version")}
              any={t("clients.anyVersion")}
              options={Object.entries(VERSIONS).map(([v, text]) => [v, `MQTT ${text}`])}
            />
          </>
        }
        actions={(c) => (
          <>
            <IconButton
              of={Ban}
              label={t("clients.banOne", { id: c.client_id })}
              title={t("banned.ban")}
              onClick={() => void model.ban(c.client_id)}
            />
            <IconButton
              of={Unplug}
              label={t("clients.kickOne", { id: c.client_id })}
              title={t("clients.kick")}
              danger
              onClick={() => void model.kick([c.client_id])}
            />
          </>
        )}
        empty={{
          icon: MonitorSmartphone,
          title: t("clients.empty"),
          children: <TryIt />,
          actions: (
            <a class="btn primary" href="#/websocket">
              {t("clients.emptyAction")}
            </a>
          ),
        }}
      />
      {selected.length > 0 ? (
        <div class="selection-bar" role="region" aria-label={t("table.selected", { n: selected.length })}>
          <span>{t("table.selected", { n: selected.length })}</span>
          <button type="button" class="btn danger" onClick={() => void model.kick(selected)}>
            <Icon of={Unplug} /> {t("clients.kick")}
          </button>
          <button
            type="button"
            class="btn icon ghost"
            aria-label={t("table.unpick")}
            onClick={() => {
              table.selected.value = new Set();
            }}
          >
            <Icon of={X} />
          </button>
        </div>
      ) : null}
    </Page>
  );
}

/** What to type to see a first client. */
function TryIt() {
  const { t } = useApp().i18n;
  const addresses = useModel((a) => createAddresses(a, location.hostname));
  const command = `mosquitto_sub ${addresses.mqtt.value} -t 'hello/#' -v`;
  return (
    <>
      <p>{t("clients.emptyText")}</p>
      <div class="row">
        <pre class="grow">{command}</pre>
        <CopyButton text={command} />
      </div>
    </>
  );
}
