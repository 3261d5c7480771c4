import { Plus, Send, X } from "lucide";
import { useState } from "preact/hooks";
import { fromBase64, parseHex, utf8 } from "../lib/payload.ts";
import { topicError } from "../lib/topic.ts";
import type { Publish, QoS } from "../mqtt/packets.ts";
import type { Props } from "../mqtt/properties.ts";
import { useApp } from "./context.ts";
import { Check, SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { QOS } from "./SubscribeDialog.tsx";

type Encoding = "text" | "json" | "hex" | "base64";

interface Form {
  topic: string;
  payload: string;
  encoding: Encoding;
  qos: "0" | "1" | "2";
  retain: boolean;
  contentType: string;
  responseTopic: string;
  correlation: string;
  expiry: string;
  user: [string, string][];
}

/** The bytes of what was typed, or null when it is not what the encoding says. */
export function encodePayload(text: string, encoding: Encoding): Uint8Array | null {
  if (encoding === "hex") return parseHex(text);
  try {
    if (encoding === "base64") return fromBase64(text);
    if (encoding === "json") JSON.parse(text);
  } catch {
    return null;
  }
  return utf8(text);
}

export function propsOf(f: Pick<Form, "contentType" | "responseTopic" | "correlation" | "expiry" | "user" | "encoding">): Props {
  const user = f.user.filter(([k]) => k !== "");
  return {
    ...(f.encoding === "text" || f.encoding === "json" ? { payloadFormat: 1 } : {}),
    ...(f.contentType === "" ? {} : { contentType: f.contentType }),
    ...(f.responseTopic === "" ? {} : { responseTopic: f.responseTopic }),
    ...(f.correlation === "" ? {} : { correlationData: utf8(f.correlation) }),
    ...(Number(f.expiry) > 0 ? { messageExpiry: Number(f.expiry) } : {}),
    ...(user.length === 0 ? {} : { user }),
  };
}

export function PublishForm({ v5, onPublish }: { v5: boolean; onPublish: (p: Omit<Publish, "id" | "dup">) => Promise<boolean> }) {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const start = router.place.peek().query.topic ?? "testtopic";
  const [f, setForm] = useState<Form>({
    topic: /[+#]/.test(start) ? "testtopic" : start,
    payload: '{ "msg": "Hello, World!" }',
    encoding: "json",
    qos: "0",
    retain: false,
    contentType: "",
    responseTopic: "",
    correlation: "",
    expiry: "",
    user: [],
  });
  const [more, setMore] = useState(false);
  const [busy, setBusy] = useState(false);
  const set = (changes: Partial<Form>): void => setForm({ ...f, ...changes });
  const wrong = topicError(f.topic);
  const payload = encodePayload(f.payload, f.encoding);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (wrong || !payload) return;
    setBusy(true);
    await onPublish({ topic: f.topic, payload, qos: Number(f.qos) as QoS, retain: f.retain, ...(v5 ? { props: propsOf(f) } : {}) });
    setBusy(false);
  };
  const pair = (i: number, at: 0 | 1, value: string): void =>
    set({ user: f.user.map((p, j) => (j === i ? (at === 0 ? [value, p[1]] : [p[0], value]) : p)) });
  return (
    <form class="form" onSubmit={(e) => void submit(e)}>
      <TextField label={t("field.topic")} value={f.topic} onInput={(topic) => set({ topic })} bad={wrong ? t(wrong) : undefined} mono />
      <TextField
        label={t("field.payload")}
        value={f.payload}
        onInput={(text) => set({ payload: text })}
        rows={4}
        bad={payload ? undefined : t("payload.bad", { encoding: f.encoding })}
        mono
      />
      {v5 && more ? (
        <div class="form two">
          <TextField
            label={t("prop.contentType")}
            value={f.contentType}
            onInput={(contentType) => set({ contentType })}
            placeholder="application/json"
          />
          <TextField label={t("prop.expiry")} type="number" value={f.expiry} onInput={(expiry) => set({ expiry })} />
          <TextField label={t("prop.responseTopic")} value={f.responseTopic} onInput={(responseTopic) => set({ responseTopic })} mono />
          <TextField label={t("prop.correlation")} value={f.correlation} onInput={(correlation) => set({ correlation })} mono />
          <fieldset class="full stack tight">
            <legend>{t("prop.user")}</legend>
            {f.user.map(([k, v], i) => (
              <div class="pair" key={i}>
                <input
                  class="input"
                  aria-label={t("prop.userKey")}
                  placeholder={t("prop.userKey")}
                  value={k}
                  onInput={(e) => pair(i, 0, e.currentTarget.value)}
                />
                <input
                  class="input"
                  aria-label={t("prop.userValue")}
                  placeholder={t("prop.userValue")}
                  value={v}
                  onInput={(e) => pair(i, 1, e.currentTarget.value)}
                />
                <button
                  type="button"
                  class="btn icon ghost"
                  aria-label={t("action.delete")}
                  onClick={() => set({ user: f.user.filter((_, j) => j !== i) })}
                >
                  <Icon of={X} size={14} />
                </button>
              </div>
            ))}
            <div>
              <button type="button" class="btn small" onClick={() => set({ user: [...f.user, ["", ""]] })}>
                <Icon of={Plus} size={14} /> {t("prop.addUser")}
              </button>
            </div>
          </fieldset>
        </div>
      ) : null}
      <div class="publish-line">
        <SelectField
          label={t("payload.as")}
          value={f.encoding}
          onChange={(encoding) => set({ encoding })}
          options={[
            ["json", "JSON"],
            ["text", t("payload.text")],
            ["hex", t("payload.hex")],
            ["base64", "Base64"],
          ]}
        />
        <SelectField label="QoS" value={f.qos} options={QOS} onChange={(qos) => set({ qos })} />
        <Check label={t("mqtt.retain")} checked={f.retain} onChange={(retain) => set({ retain })} />
        <span class="grow" />
        {v5 ? (
          <button type="button" class="btn ghost" aria-expanded={more} onClick={() => setMore(!more)}>
            {t("mqtt.properties")}
          </button>
        ) : null}
        <button type="submit" class="btn primary" disabled={wrong !== null || payload === null || busy}>
          <Icon of={Send} /> {t("mqtt.publish")}
        </button>
      </div>
    </form>
  );
}
