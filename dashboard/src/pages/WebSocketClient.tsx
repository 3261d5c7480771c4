import { CircleAlert, Eraser, Plug, Plus, SquareTerminal, Unplug, X } from "lucide";
import { useEffect, useState } from "preact/hooks";
import { Empty, Page, Status, Tag, type Tone } from "../components/basics.tsx";
import { useApp } from "../components/context.ts";
import { Check, SelectField, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { MessageList, ViewChoice } from "../components/MessageList.tsx";
import { PublishForm } from "../components/PublishForm.tsx";
import { QOS } from "../components/SubscribeDialog.tsx";
import type { PayloadView } from "../lib/payload.ts";
import { utf8 } from "../lib/payload.ts";
import { filterError, matches, topicError } from "../lib/topic.ts";
import { type Connection, defaultUrl, randomId, type ToolOptions, type ToolState, toolOf } from "../models/mqtt_tool.ts";
import type { SocketLike } from "../mqtt/client.ts";
import type { QoS } from "../mqtt/packets.ts";
import "../styles/tool.css";

const openSocket = (url: string): SocketLike => new WebSocket(url, "mqtt") as unknown as SocketLike;

export function WebSocketClient() {
  const app = useApp();
  const { t } = app.i18n;
  const url = defaultUrl(location.protocol === "https:", location.hostname);
  const [tool] = useState(() => toolOf(app, url, openSocket));
  useEffect(() => void tool.locate(location.protocol === "https:", location.hostname), [tool]);
  const all = tool.connections.value;
  const active = all.find((c) => c.id === tool.active.value) ?? all[0];
  return (
    <Page title={t("page.websocket")} lead={t("mqtt.lead")}>
      <div class="tool-tabs" role="group" aria-label={t("mqtt.connections")}>
        {all.map((c) => (
          <span key={c.id} class={c === active ? "tool-tab on" : "tool-tab"}>
            <button
              type="button"
              aria-pressed={c === active}
              onClick={() => {
                tool.active.value = c.id;
              }}
            >
              <Status tone={TONES[c.state.value]}>
                <span class="ellipsis">{c.options.value.clientId}</span>
              </Status>
            </button>
            {all.length > 1 ? (
              <IconButton of={X} label={t("mqtt.close", { id: c.options.value.clientId })} size={13} onClick={() => tool.remove(c)} />
            ) : null}
          </span>
        ))}
        <button type="button" class="btn small ghost" onClick={() => tool.add()}>
          <Icon of={Plus} size={14} /> {t("mqtt.add")}
        </button>
      </div>
      {active ? <Panel key={active.id} c={active} /> : null}
    </Page>
  );
}

const TONES: Readonly<Record<ToolState, Tone>> = { idle: "off", connecting: "warn", connected: "ok", closed: "off" };

function Panel({ c }: { c: Connection }) {
  const { t } = useApp().i18n;
  const up = c.state.value === "connected";
  return (
    <div class="tool">
      <div class="stack">
        <ConnectCard c={c} />
        {up ? <SubscribeCard c={c} /> : null}
      </div>
      <div class="stack">
        <Messages c={c} />
        {up ? (
          <section class="card" aria-label={t("mqtt.publish")}>
            <header>
              <h2>{t("mqtt.publish")}</h2>
            </header>
            <div class="body">
              <PublishForm v5={c.options.value.version === 5} onPublish={(p) => c.publish(p)} />
            </div>
          </section>
        ) : null}
      </div>
    </div>
  );
}

function ConnectCard({ c }: { c: Connection }) {
  const { t } = useApp().i18n;
  const [more, setMore] = useState(false);
  const o = c.options.value;
  const state = c.state.value;
  const locked = state === "connected" || state === "connecting";
  const set = (changes: Partial<ToolOptions>): void => {
    c.options.value = { ...c.options.peek(), ...changes };
  };
  const submit = (e: Event): void => {
    e.preventDefault();
    if (locked) c.disconnect();
    else c.connect();
  };
  return (
    <section class="card" aria-label={t("mqtt.connection")}>
      <header>
        <h2>{t("mqtt.connection")}</h2>
        <Status tone={TONES[state]}>{t(`mqtt.${state}`)}</Status>
      </header>
      <form class="body form" onSubmit={submit}>
        <TextField label={t("mqtt.url")} value={o.url} onInput={(url) => set({ url })} disabled={locked} mono />
        <div class="form two">
          <TextField label={t("field.clientId")} value={o.clientId} onInput={(clientId) => set({ clientId })} disabled={locked} mono />
          <SelectField
            label={t("field.version")}
            value={String(o.version) as "4" | "5"}
            disabled={locked}
            onChange={(v) => set({ version: v === "5" ? 5 : 4 })}
            options={[
              ["5", "MQTT 5.0"],
              ["4", "MQTT 3.1.1"],
            ]}
          />
          <TextField label={t("field.username")} value={o.username} onInput={(username) => set({ username })} disabled={locked} />
          <TextField
            label={t("login.password")}
            type="password"
            autocomplete="off"
            value={o.password}
            onInput={(password) => set({ password })}
            disabled={locked}
          />
        </div>
        {more ? (
          <>
            <div class="form two">
              <TextField
                label={t("field.keepalive")}
                type="number"
                value={String(o.keepalive)}
                onInput={(v) => set({ keepalive: Math.min(65_535, Math.max(0, Number(v) || 0)) })}
                disabled={locked}
              />
              {o.version === 5 ? (
                <TextField
                  label={t("mqtt.sessionExpiry")}
                  type="number"
                  value={String(o.sessionExpiry)}
                  onInput={(v) => set({ sessionExpiry: Math.max(0, Number(v) || 0) })}
                  disabled={locked}
                />
              ) : null}
            </div>
            <Check label={t("field.cleanStart")} checked={o.clean} onChange={(clean) => set({ clean })} disabled={locked} />
            <WillFields o={o} set={set} locked={locked} />
          </>
        ) : null}
        {c.note.value === "" ? null : state === "closed" ? (
          <p class="banner warn" role="alert">
            <Icon of={CircleAlert} /> {c.note.value}
          </p>
        ) : (
          <p class="muted small">{c.note.value}</p>
        )}
        <div class="row">
          <button type="submit" class={locked ? "btn" : "btn primary"} disabled={o.url === ""}>
            <Icon of={locked ? Unplug : Plug} /> {t(locked ? "mqtt.disconnect" : "mqtt.connect")}
          </button>
          {locked ? null : (
            <button type="button" class="btn ghost" onClick={() => set({ clientId: randomId() })}>
              {t("mqtt.newId")}
            </button>
          )}
          <span class="grow" />
          <button type="button" class="btn ghost" aria-expanded={more} onClick={() => setMore(!more)}>
            {t(more ? "action.less" : "action.more")}
          </button>
        </div>
      </form>
    </section>
  );
}

interface WillProps {
  o: ToolOptions;
  set: (c: Partial<ToolOptions>) => void;
  locked: boolean;
}

function WillFields({ o, set, locked }: WillProps) {
  const { t } = useApp().i18n;
  const will = o.will;
  return (
    <>
      <Check
        label={t("mqtt.will")}
        checked={will !== null}
        disabled={locked}
        onChange={(on) => set({ will: on ? { topic: `clients/${o.clientId}/gone`, payload: utf8("gone"), qos: 0, retain: false } : null })}
      />
      {will ? (
        <div class="form two">
          <TextField
            label={t("client.will")}
            value={will.topic}
            onInput={(topic) => set({ will: { ...will, topic } })}
            bad={topicError(will.topic) ? t("topic.wildcard") : undefined}
            disabled={locked}
            mono
          />
          <TextField
            label={t("field.payload")}
            value={new TextDecoder().decode(will.payload)}
            onInput={(p) => set({ will: { ...will, payload: utf8(p) } })}
            disabled={locked}
            mono
          />
        </div>
      ) : null}
    </>
  );
}

function SubscribeCard({ c }: { c: Connection }) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const v5 = c.options.value.version === 5;
  const [filter, setFilter] = useState(router.place.peek().query.topic ?? "testtopic/#");
  const [qos, setQos] = useState<"0" | "1" | "2">("0");
  const [nl, setNl] = useState(false);
  const [rap, setRap] = useState(false);
  const [rh, setRh] = useState<"0" | "1" | "2">("0");
  const wrong = filterError(filter);
  const submit = (e: Event): void => {
    e.preventDefault();
    if (!wrong) void c.subscribe(filter, { qos: Number(qos) as QoS, nl, rap, rh: Number(rh) as QoS });
  };
  return (
    <section class="card" aria-label={t("mqtt.subscribe")}>
      <header>
        <h2>{t("mqtt.subscribe")}</h2>
      </header>
      <form class="body form" onSubmit={submit}>
        <div class="subscribe-line">
          <TextField label={t("field.filter")} value={filter} onInput={setFilter} bad={wrong ? t(wrong) : undefined} mono />
          <SelectField label="QoS" value={qos} options={QOS} onChange={setQos} />
        </div>
        {v5 ? (
          <div class="row options">
            <Check label={t("field.noLocal")} checked={nl} onChange={setNl} />
            <Check label={t("field.rap")} checked={rap} onChange={setRap} />
            <label class="row">
              {t("field.rh")}
              <select class="select small auto" value={rh} onChange={(e) => setRh(e.currentTarget.value as "0" | "1" | "2")}>
                <option value="0">0</option>
                <option value="1">1</option>
                <option value="2">2</option>
              </select>
            </label>
          </div>
        ) : null}
        <button type="submit" class="btn" disabled={wrong !== null}>
          {t("mqtt.subscribe")}
        </button>
        {c.subscriptions.value.length > 0 ? (
          <ul class="stack tight">
            {c.subscriptions.value.map((s) => (
              <li key={s.filter} class="row sub">
                <span class="mono grow">{s.filter}</span>
                <Tag>QoS {s.options.qos}</Tag>
                <IconButton
                  of={X}
                  label={t("client.unsubscribeFrom", { topic: s.filter })}
                  size={14}
                  danger
                  onClick={() => void c.unsubscribe(s.filter)}
                />
              </li>
            ))}
          </ul>
        ) : null}
      </form>
    </section>
  );
}

function Messages({ c }: { c: Connection }) {
  const { t } = useApp().i18n;
  const [view, setView] = useState<PayloadView>("auto");
  const [only, setOnly] = useState<"" | "in" | "out">("");
  const [filter, setFilter] = useState("");
  const shown = c.messages.value.filter(
    (m) =>
      (only === "" || m.direction === only) &&
      (filter === "" || m.topic.includes(filter) || (filterError(filter) === null && matches(filter, m.topic))),
  );
  const counts = c.counts.value;
  return (
    <section class="card" aria-label={t("mqtt.messages")}>
      <header>
        <h2>{t("mqtt.messages")}</h2>
        <span class="muted small">{t("mqtt.counts", { in: counts.in, out: counts.out })}</span>
        <input
          class="input small topic-filter"
          aria-label={t("mqtt.filter")}
          placeholder={t("mqtt.filter")}
          value={filter}
          onInput={(e) => setFilter(e.currentTarget.value)}
        />
        <select
          class="select small auto"
          aria-label={t("mqtt.direction")}
          value={only}
          onChange={(e) => setOnly(e.currentTarget.value as "" | "in" | "out")}
        >
          <option value="">{t("mqtt.both")}</option>
          <option value="in">{t("mqtt.in")}</option>
          <option value="out">{t("mqtt.out")}</option>
        </select>
        <ViewChoice view={view} onChange={setView} />
        <IconButton
          of={Eraser}
          label={t("live.clear")}
          title={t("live.clear")}
          onClick={() => {
            c.messages.value = [];
          }}
        />
      </header>
      {shown.length > 0 ? (
        <MessageList messages={shown} view={view} />
      ) : (
        <Empty icon={SquareTerminal} title={t(c.state.value === "connected" ? "mqtt.noMessages" : "mqtt.notConnected")}>
          <p>{t(c.state.value === "connected" ? "mqtt.noMessagesText" : "mqtt.notConnectedText")}</p>
        </Empty>
      )}
    </section>
  );
}
