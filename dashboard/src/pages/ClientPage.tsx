import { ChevronLeft, Ghost, ListPlus, ShieldQuestion, Trash2, Unplug } from "lucide";
import { useState } from "preact/hooks";
import type { Connection, Session } from "../api/client.ts";
import { CopyButton, Empty, Failed, Loading, Page, Pairs, Status, Tag, Time, Value } from "../components/basics.tsx";
import { Chart, Legend } from "../components/Chart.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { LiveMessages } from "../components/LiveMessages.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { SubscribeDialog } from "../components/SubscribeDialog.tsx";
import { bytes, compact, duration, integer, isSet } from "../lib/format.ts";
import { type ClientDetail, createClientDetail, fullTopic } from "../models/client_detail.ts";
import { link } from "../models/router.ts";
import { VERSIONS } from "../models/versions.ts";

export function ClientPage({ id }: { id: string }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const model = useModel((app) => createClientDetail(app, id));
  const data = model.live.data.value;
  const online = Boolean(data?.connection);
  return (
    <Page
      name={id}
      title={
        <span class="row">
          <span>{id}</span>
          <CopyButton text={id} />
          {data ? <Status tone={online ? "ok" : "off"}>{t(online ? "state.connected" : "state.offline")}</Status> : null}
        </span>
      }
      crumb={
        <a href="#/clients" class="row">
          <Icon of={ChevronLeft} size={14} /> {t("page.clients")}
        </a>
      }
      actions={<Actions id={id} model={model} />}
    >
      {!data ? (
        model.live.error.value ? (
          <Failed error={model.live.error.value} retry={() => void model.live.refresh()} />
        ) : (
          <Loading />
        )
      ) : model.gone.value ? (
        <div class="card">
          <Empty
            icon={Ghost}
            title={t("client.gone")}
            actions={
              <a class="btn" href="#/clients">
                {t("page.clients")}
              </a>
            }
          >
            <p>{t("client.goneText")}</p>
          </Empty>
        </div>
      ) : (
        <div class="stack">
          <div class="grid cols-2">
            {data.connection ? <ConnectionCard c={data.connection} /> : null}
            {data.session ? <SessionCard s={data.session} /> : null}
          </div>
          {data.connection ? <Traffic model={model} c={data.connection} /> : null}
          <Subscriptions model={model} />
          {data.connection ? <AclCache model={model} /> : null}
          {data.subscriptions.length > 0 ? (
            <LiveMessages title={t("client.messages")} lead={t("client.messagesText")} topics={data.subscriptions.map((s) => s.topic)} />
          ) : null}
        </div>
      )}
    </Page>
  );
}

function Actions({ id, model }: { id: string; model: ClientDetail }) {
  const { t } = useApp().i18n;
  const data = model.live.data.value;
  const c = data?.connection;
  return (
    <>
      <a class="btn" href={link("explain", { id, user: isSet(c?.username) ? c?.username : null, ip: c?.ipaddress })}>
        <Icon of={ShieldQuestion} /> {t("page.explain")}
      </a>
      {c ? (
        <button type="button" class="btn danger" onClick={() => void model.kick()}>
          <Icon of={Unplug} /> {t("clients.kick")}
        </button>
      ) : data?.session ? (
        <button type="button" class="btn danger" onClick={() => void model.drop()}>
          <Icon of={Trash2} /> {t("sessions.drop")}
        </button>
      ) : null}
    </>
  );
}

function ConnectionCard({ c }: { c: Connection }) {
  const { t } = useApp().i18n;
  return (
    <section class="card">
      <header>
        <h2>{t("client.connection")}</h2>
        {c.is_super ? <Tag tone="warn">{t("client.super")}</Tag> : null}
      </header>
      <div class="body">
        <Pairs
          of={[
            [t("field.username"), <Value key="u" of={c.username} />],
            [t("field.address"), <span key="a" class="mono">{`${c.ipaddress}:${c.port}`}</span>],
            [t("field.listener"), `${c.listener} · ${t("field.zone")} ${c.zone}`],
            [t("field.version"), `${c.proto_name} ${VERSIONS[c.proto_ver] ?? c.proto_ver}${c.is_bridge ? ` · ${t("client.bridge")}` : ""}`],
            [t("field.connected"), <Time key="t" ms={c.connected_at_ms} />],
            [t("field.keepalive"), `${c.keepalive} s`],
            [t("field.cleanStart"), t(c.clean_start ? "yes" : "no")],
            [t("client.will"), <Value key="w" of={c.will_topic} />],
            [t("client.mountpoint"), <Value key="m" of={c.mountpoint} />],
            [t("client.cert"), <Value key="c" of={c.peercert === "nossl" ? "" : c.peercert} />],
          ]}
        />
      </div>
    </section>
  );
}

function SessionCard({ s }: { s: Session }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const of = (n: number, max: number): string => `${integer(n, lang)} / ${max === 0 ? "∞" : integer(max, lang)}`;
  return (
    <section class="card">
      <header>
        <h2>{t("client.session")}</h2>
      </header>
      <div class="body">
        <Pairs
          of={[
            [t("field.created"), <Time key="t" ms={s.created_at_ms} />],
            ...(s.connected ? [] : [[t("field.disconnected"), <Time key="d" ms={s.disconnected_at_ms} />] as const]),
            [
              t("field.expiry"),
              s.expiry_interval >= 4_294_967_295
                ? t("never")
                : s.expiry_interval === 0
                  ? t("client.expiryZero")
                  : duration(s.expiry_interval, lang),
            ],
            [t("field.subscriptions"), of(s.subscriptions_count, s.max_subscriptions)],
            [t("field.inflight"), of(s.inflight_len, s.max_inflight)],
            [t("field.queued"), of(s.mqueue_len, s.max_mqueue)],
            [t("field.awaiting"), of(s.awaiting_rel_len, s.max_awaiting_rel)],
            [
              t("field.dropped"),
              s.mqueue_dropped > 0 ? (
                <Tag key="x" tone="warn">
                  {integer(s.mqueue_dropped, lang)}
                </Tag>
              ) : (
                "0"
              ),
            ],
            [t("field.delivered"), integer(s.deliver_msg, lang)],
            [t("field.enqueued"), integer(s.enqueue_msg, lang)],
          ]}
        />
      </div>
    </section>
  );
}

function Traffic({ model, c }: { model: ClientDetail; c: Connection }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const { times, received, sent } = model.traffic.value;
  const series = [
    { label: t("chart.in"), values: received },
    { label: t("chart.out"), values: sent },
  ];
  const show = (n: number): string => compact(n, lang);
  const to = times.at(-1) ?? Date.now();
  return (
    <section class="card">
      <header>
        <h2>{t("client.traffic")}</h2>
        <Legend series={series} format={show} />
      </header>
      <Chart label={t("client.traffic")} times={times} series={series} format={show} height={150} from={to - 300_000} to={to} />
      <div class="stats inner">
        {(
          [
            ["field.msgIn", integer(c.recv_msg, lang)],
            ["field.msgOut", integer(c.send_msg, lang)],
            ["field.pktIn", integer(c.recv_pkt, lang)],
            ["field.pktOut", integer(c.send_pkt, lang)],
            ["field.bytesIn", bytes(c.recv_oct, lang)],
            ["field.bytesOut", bytes(c.send_oct, lang)],
            ["field.pending", bytes(c.send_pend, lang)],
          ] as const
        ).map(([name, value]) => (
          <div class="stat" key={name}>
            <span class="name">{t(name)}</span>
            <b>{value}</b>
          </div>
        ))}
      </div>
    </section>
  );
}

function AclCache({ model }: { model: ClientDetail }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const rows = model.acl.data.value ?? [];
  return (
    <section class="card">
      <header>
        <h2>{t("client.acl")}</h2>
        {rows.length > 0 ? (
          <button type="button" class="btn small" onClick={() => void model.cleanAcl()}>
            {t("client.aclClean")}
          </button>
        ) : null}
      </header>
      {rows.length === 0 ? (
        <p class="body muted">{t("client.aclText")}</p>
      ) : (
        <SimpleTable
          label={t("client.acl")}
          rows={rows}
          rowKey={(r) => `${r.action} ${r.topic}`}
          columns={[
            { id: "topic", label: t("field.topic"), lead: true, clip: true, cell: (r) => <span class="mono">{r.topic}</span> },
            { id: "action", label: t("field.action"), cell: (r) => t(`mqtt.${r.action}`) },
            {
              id: "verdict",
              label: t("field.verdict"),
              cell: (r) => <Tag tone={r.verdict === "allow" ? "ok" : "danger"}>{t(`explain.${r.verdict}`)}</Tag>,
            },
            { id: "age", label: t("field.age"), num: true, cell: (r) => duration(r.age_ms / 1000, i18n.lang.value) },
          ]}
        />
      )}
    </section>
  );
}

function Subscriptions({ model }: { model: ClientDetail }) {
  const { t } = useApp().i18n;
  const [open, setOpen] = useState(false);
  const rows = model.live.data.value?.subscriptions ?? [];
  return (
    <section class="card">
      <header>
        <h2>{t("page.subscriptions")}</h2>
        <button type="button" class="btn small" onClick={() => setOpen(true)}>
          <Icon of={ListPlus} /> {t("client.subscribe")}
        </button>
      </header>
      {rows.length === 0 ? (
        <p class="body muted">{t("client.noSubscriptions")}</p>
      ) : (
        <SimpleTable
          label={t("page.subscriptions")}
          rows={rows}
          rowKey={fullTopic}
          columns={[
            {
              id: "topic",
              label: t("field.topic"),
              lead: true,
              cell: (s) => (
                <a class="key mono" href={link("topics", { look: s.topic })}>
                  {fullTopic(s)}
                </a>
              ),
            },
            { id: "qos", label: "QoS", num: true, cell: (s) => s.qos },
            { id: "nl", label: t("field.noLocal"), wideOnly: true, cell: (s) => t(s.nl ? "yes" : "no") },
            { id: "rap", label: t("field.rap"), wideOnly: true, cell: (s) => t(s.rap ? "yes" : "no") },
            { id: "rh", label: t("field.rh"), wideOnly: true, cell: (s) => s.rh },
          ]}
          actions={(s) => (
            <IconButton
              of={Trash2}
              label={t("client.unsubscribeFrom", { topic: s.topic })}
              title={t("client.unsubscribe")}
              danger
              onClick={() => void model.unsubscribe(s)}
            />
          )}
        />
      )}
      {open ? <SubscribeDialog onClose={() => setOpen(false)} onSubscribe={(topic, qos) => model.subscribe(topic, qos)} /> : null}
    </section>
  );
}
