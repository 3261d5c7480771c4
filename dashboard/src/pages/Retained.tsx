import { AlarmClock, Pin, Plus, Send, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { RetainedMessage } from "../api/client.ts";
import { CopyButton, Page, Pairs, Tag, Time, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { DataTable } from "../components/DataTable.tsx";
import { Dialog } from "../components/Dialog.tsx";
import { FilterSearch } from "../components/FilterSearch.tsx";
import { SelectField, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { ViewChoice } from "../components/MessageList.tsx";
import { QOS } from "../components/SubscribeDialog.tsx";
import { Tabs } from "../components/Tabs.tsx";
import { bytes } from "../lib/format.ts";
import { fromBase64, type PayloadView, show, utf8 } from "../lib/payload.ts";
import { topicError } from "../lib/topic.ts";
import { createDelayed, createRetained, type RetainedModel } from "../models/retained.ts";
import { link } from "../models/router.ts";

export function RetainedPage() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const delayed = router.place.value.query.tab === "delayed";
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title={t("page.retained")}
      lead={t("retained.lead")}
      actions={
        delayed ? null : (
          <button type="button" class="btn" onClick={() => setAdding(true)}>
            <Icon of={Plus} /> {t("retained.add")}
          </button>
        )
      }
    >
      <Tabs
        label={t("page.retained")}
        current={delayed ? "delayed" : ""}
        tabs={[
          { id: "", text: t("page.retained"), href: link("retained") },
          { id: "delayed", text: t("delayed.title"), href: link("retained", { tab: "delayed" }) },
        ]}
      />
      {delayed ? <DelayedList /> : <RetainedList adding={adding} onAdded={() => setAdding(false)} />}
    </Page>
  );
}

function RetainedList({ adding, onAdded }: { adding: boolean; onAdded: () => void }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const model = useModel(createRetained);
  const filter = model.table.filters.value.filter;
  return (
    <>
      <DataTable
        id="retained"
        label={t("page.retained")}
        model={model.table}
        rowKey={(r) => r.topic}
        columns={[
          {
            id: "topic",
            label: t("field.topic"),
            sort: "topic",
            lead: true,
            clip: true,
            cell: (r) => (
              <button type="button" class="linklike key mono" title={r.topic} onClick={() => void model.show(r.topic)}>
                {r.topic}
              </button>
            ),
          },
          { id: "size", label: t("field.size"), sort: "payload_size", num: true, cell: (r) => bytes(r.payload_size, lang) },
          { id: "qos", label: "QoS", sort: "qos", num: true, cell: (r) => r.qos },
          { id: "from", label: t("field.from"), sort: "from", clip: true, cell: (r) => <Value of={r.from} /> },
          { id: "ts", label: t("field.published"), sort: "ts_ms", cell: (r) => <Time ms={r.ts_ms} /> },
          {
            id: "expires",
            label: t("field.expires"),
            sort: "expires_at_ms",
            wideOnly: true,
            cell: (r) => <Time ms={r.expires_at_ms} none={t("never")} relative />,
          },
        ]}
        toolbar={
          <>
            <FilterSearch
              model={model.table}
              label={t("table.searchIn")}
              fields={[
                ["topic", t("retained.contains")],
                ["filter", t("retained.matches")],
              ]}
            />
            {filter && model.table.count.value > 0 ? (
              <button type="button" class="btn danger" onClick={() => void model.removeAll(filter)}>
                <Icon of={Trash2} /> {t("retained.deleteMatching")}
              </button>
            ) : null}
          </>
        }
        actions={(r) => (
          <IconButton
            of={Trash2}
            label={t("retained.deleteOne", { topic: r.topic })}
            title={t("action.delete")}
            danger
            onClick={() => void model.remove(r.topic)}
          />
        )}
        empty={{ icon: Pin, title: t("retained.empty"), children: <p>{t("retained.emptyText")}</p> }}
      />
      {model.shown.value ? <Message message={model.shown.value} model={model} /> : null}
      {adding ? <Add model={model} onClose={onAdded} /> : null}
    </>
  );
}

function Message({ message: m, model }: { message: RetainedMessage; model: RetainedModel }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const [view, setView] = useState<PayloadView>("auto");
  const payload = m.encoding === "base64" ? fromBase64(m.payload) : utf8(m.payload);
  const text = show(payload, view);
  const p = m.properties;
  return (
    <Dialog
      title={m.topic}
      width={680}
      onClose={() => {
        model.shown.value = null;
      }}
    >
      <div class="row">
        <Tag>QoS {m.qos}</Tag>
        <Tag>{bytes(m.payload_size, i18n.lang.value)}</Tag>
        <span class="grow" />
        <ViewChoice view={view} onChange={setView} />
        <CopyButton text={text} />
        <button type="button" class="btn small danger" onClick={() => void model.remove(m.topic)}>
          <Icon of={Trash2} size={14} /> {t("action.delete")}
        </button>
      </div>
      <pre class="code tall">{payload.length === 0 ? t("payload.empty") : text}</pre>
      <Pairs
        of={[
          [t("field.from"), <Value key="f" of={m.from} />],
          [t("field.published"), <Time key="p" ms={m.ts_ms} />],
          [t("field.expires"), <Time key="e" ms={m.expires_at_ms} none={t("never")} />],
          ...(p?.content_type ? [[t("prop.contentType"), p.content_type] as const] : []),
          ...(p?.response_topic ? [[t("prop.responseTopic"), p.response_topic] as const] : []),
          ...(p?.user_properties ?? []).map(([k, v]) => [k, v] as const),
        ]}
      />
    </Dialog>
  );
}

function Add({ model, onClose }: { model: RetainedModel; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [topic, setTopic] = useState("");
  const [payload, setPayload] = useState("");
  const [qos, setQos] = useState<"0" | "1" | "2">("1");
  const wrong = topicError(topic);
  return (
    <Dialog
      title={t("retained.add")}
      yes={t("mqtt.publish")}
      disabled={wrong !== null || payload === ""}
      onClose={onClose}
      onYes={() => model.publish(topic, payload, Number(qos) as 0 | 1 | 2)}
    >
      <TextField
        label={t("field.topic")}
        value={topic}
        onInput={setTopic}
        bad={topic !== "" && wrong ? t(wrong) : undefined}
        mono
        autofocus
      />
      <TextField label={t("field.payload")} value={payload} onInput={setPayload} rows={4} mono />
      <SelectField label="QoS" value={qos} options={QOS} onChange={setQos} />
    </Dialog>
  );
}

function DelayedList() {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createDelayed);
  return (
    <DataTable
      id="delayed"
      label={t("delayed.title")}
      model={model.table}
      rowKey={(d) => String(d.id)}
      columns={[
        {
          id: "topic",
          label: t("field.topic"),
          sort: "topic",
          lead: true,
          clip: true,
          cell: (d) => <span class="key mono">{d.topic}</span>,
        },
        { id: "due", label: t("delayed.due"), sort: "due_at_ms", cell: (d) => <Time ms={d.due_at_ms} relative /> },
        { id: "qos", label: "QoS", num: true, cell: (d) => d.qos },
        { id: "size", label: t("field.size"), num: true, sort: "payload_size", cell: (d) => bytes(d.payload_size, i18n.lang.value) },
        { id: "from", label: t("field.from"), clip: true, cell: (d) => <Value of={d.from} /> },
      ]}
      toolbar={<FilterSearch model={model.table} label={t("table.searchIn")} fields={[["topic", t("field.topic")]]} />}
      actions={(d) => (
        <>
          <IconButton
            of={Send}
            label={t("delayed.sendOne", { topic: d.topic })}
            title={t("delayed.send")}
            onClick={() => void model.send(d)}
          />
          <IconButton
            of={Trash2}
            label={t("delayed.deleteOne", { topic: d.topic })}
            title={t("action.delete")}
            danger
            onClick={() => void model.remove(d)}
          />
        </>
      )}
      empty={{
        icon: AlarmClock,
        title: t("delayed.empty"),
        children: <p>{t("delayed.emptyText")}</p>,
        actions: (
          <a class="btn" href="#/plugins?q=delayed">
            {t("page.plugins")}
          </a>
        ),
      }}
    />
  );
}
