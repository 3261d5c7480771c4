import { ListPlus, Rss, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { Subscription } from "../api/client.ts";
import { Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { type Column, DataTable } from "../components/DataTable.tsx";
import { Dialog } from "../components/Dialog.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { FilterSelect } from "../components/FilterSelect.tsx";
import { SelectField, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { FilterField, QOS } from "../components/SubscribeDialog.tsx";
import { isSet } from "../lib/format.ts";
import { filterError } from "../lib/topic.ts";
import { fullTopic } from "../models/client_detail.ts";
import { link } from "../models/router.ts";
import { createSubscriptions, type Subscriptions as Model } from "../models/subscriptions.ts";

export function Subscriptions() {
  const { t } = useApp().i18n;
  const model = useModel(createSubscriptions);
  const [adding, setAdding] = useState(false);
  const columns: Column<Subscription>[] = [
    {
      id: "topic",
      label: t("field.filter"),
      sort: "topic",
      lead: true,
      clip: true,
      cell: (s) => (
        <a class="key mono" href={link("topics", { look: s.topic })} title={s.topic}>
          {s.topic}
        </a>
      ),
    },
    {
      id: "client_id",
      label: t("field.clientId"),
      sort: "client_id",
      clip: true,
      cell: (s) => (
        <a href={link("clients", s.client_id)} title={s.client_id}>
          {s.client_id}
        </a>
      ),
    },
    { id: "qos", label: "QoS", sort: "qos", num: true, cell: (s) => s.qos },
    {
      id: "share",
      label: t("field.share"),
      sort: "share",
      cell: (s) => (isSet(s.share) ? <Tag tone="accent">{s.share}</Tag> : <span class="muted">–</span>),
    },
    { id: "nl", label: t("field.noLocal"), off: true, cell: (s) => t(s.nl ? "yes" : "no") },
    { id: "rap", label: t("field.rap"), off: true, cell: (s) => t(s.rap ? "yes" : "no") },
    { id: "rh", label: t("field.rh"), num: true, off: true, cell: (s) => s.rh },
    { id: "node", label: t("field.node"), sort: "node", off: true, cell: (s) => <span class="mono small">{s.node}</span> },
  ];
  return (
    <Page
      title={t("page.subscriptions")}
      lead={t("subscriptions.lead")}
      actions={
        <button type="button" class="btn" onClick={() => setAdding(true)}>
          <Icon of={ListPlus} /> {t("subscriptions.add")}
        </button>
      }
    >
      <DataTable
        id="subscriptions"
        label={t("page.subscriptions")}
        model={model.table}
        columns={columns}
        rowKey={(s) => `${s.client_id} ${fullTopic(s)}`}
        toolbar={
          <>
            <FilterSearch
              model={model.table}
              label={t("table.searchIn")}
              fields={[
                ["topic", t("field.filter")],
                ["id", t("field.clientId")],
              ]}
            />
            <FilterSelect
              model={model.table}
              field="qos"
              label="QoS"
              any={t("subscriptions.anyQos")}
              options={QOS.map(([q]) => [q, `QoS ${q}`])}
            />
          </>
        }
        actions={(s) => (
          <IconButton
            of={Trash2}
            label={t("client.unsubscribeFrom", { topic: s.topic })}
            title={t("client.unsubscribe")}
            danger
            onClick={() => void model.remove(s)}
          />
        )}
        empty={{ icon: Rss, title: t("subscriptions.empty"), children: <p>{t("subscriptions.emptyText")}</p> }}
      />
      {adding ? <Add model={model} onClose={() => setAdding(false)} /> : null}
    </Page>
  );
}

function Add({ model, onClose }: { model: Model; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [id, setId] = useState("");
  const [topic, setTopic] = useState("");
  const [qos, setQos] = useState<"0" | "1" | "2">("0");
  return (
    <Dialog
      title={t("subscriptions.add")}
      yes={t("client.subscribe")}
      disabled={id === "" || filterError(topic) !== null}
      onClose={onClose}
      onYes={() => model.add(id, topic, Number(qos) as 0 | 1 | 2)}
    >
      <TextField label={t("field.clientId")} value={id} onInput={setId} hint={t("subscriptions.addHint")} mono autofocus />
      <FilterField value={topic} onInput={setTopic} />
      <SelectField label="QoS" value={qos} options={QOS} onChange={setQos} />
    </Dialog>
  );
}
