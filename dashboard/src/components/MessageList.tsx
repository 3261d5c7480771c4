import { bytes, exactTime, shortTime } from "../lib/format.ts";
import { type PayloadView, show } from "../lib/payload.ts";
import type { Seen } from "../models/live_messages.ts";
import { CopyButton, Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { memo } from "./memo.ts";
import "../styles/messages.css";

const VIEWS: readonly PayloadView[] = ["auto", "json", "text", "hex", "base64"];

export function ViewChoice({ view, onChange }: { view: PayloadView; onChange: (v: PayloadView) => void }) {
  const { t } = useApp().i18n;
  return (
    <select
      class="select small auto"
      aria-label={t("payload.view")}
      value={view}
      onChange={(e) => onChange(e.currentTarget.value as PayloadView)}
    >
      {VIEWS.map((v) => (
        <option key={v} value={v}>
          {t(`payload.${v}`)}
        </option>
      ))}
    </select>
  );
}

/** Anything that can stand in the list; `direction` only where both exist. */
export interface Listed extends Seen {
  direction?: "in" | "out";
  extra?: string;
}

export function MessageList({ messages, view }: { messages: readonly Listed[]; view: PayloadView }) {
  return (
    <div class="messages" role="log" tabIndex={0} aria-live="off">
      {messages.map((m) => (
        <Message key={m.id} message={m} view={view} />
      ))}
    </div>
  );
}

const MAX_SHOWN = 8192;

const Message = memo(({ message: m, view }: { message: Listed; view: PayloadView }) => {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const long = m.payload.length > MAX_SHOWN;
  const text = show(long ? m.payload.subarray(0, MAX_SHOWN) : m.payload, view);
  return (
    <article class={m.direction === "out" ? "message out" : "message"}>
      <div class="row">
        <b class="mono grow">{m.topic}</b>
        {m.retain ? <Tag tone="info">{t("message.retained")}</Tag> : null}
        <Tag>QoS {m.qos}</Tag>
        <span class="muted small">{bytes(m.payload.length, lang)}</span>
        <time class="muted small" title={exactTime(m.ts, lang)}>
          {shortTime(m.ts, Date.now(), lang)}
        </time>
        <CopyButton text={text} />
      </div>
      {m.extra ? <p class="muted small">{m.extra}</p> : null}
      <pre>{m.payload.length === 0 ? <span class="muted">{t("payload.empty")}</span> : text + (long ? "\n…" : "")}</pre>
    </article>
  );
});
