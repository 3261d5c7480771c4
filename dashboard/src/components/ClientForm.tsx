/** Who asks for what: the fields of a client that is only tried, on the pages that explain access and on a plugin's. */
import { type IconNode, Loader } from "lucide";
import { useState } from "preact/hooks";
import type { PluginTest } from "../api/client.ts";
import { useApp } from "./context.ts";
import { SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";

/** Without what was left empty. */
export type AskedClient = Omit<PluginTest, "settings">;

interface Props {
  /** What is filled in at first. */
  start?: { id?: string; user?: string; ip?: string; topic?: string };
  /** Nothing can be asked of a client without an id. */
  needsId?: boolean;
  autofocus?: boolean;
  /** Of the form, beside its own. */
  class?: string;
  icon: IconNode;
  button: string;
  busy: boolean;
  onAsk: (client: AskedClient) => void;
}

export function ClientForm({ start = {}, needsId = false, autofocus = false, class: more = "", icon, button, busy, onAsk }: Props) {
  const { t } = useApp().i18n;
  const [id, setId] = useState(start.id ?? "");
  const [user, setUser] = useState(start.user ?? "");
  const [password, setPassword] = useState("");
  const [ip, setIp] = useState(start.ip ?? "");
  const [action, setAction] = useState<"" | "publish" | "subscribe">("");
  const [topic, setTopic] = useState(start.topic ?? "");
  const ready = (!needsId || id.trim() !== "") && (action === "" || topic !== "");
  const run = (e: Event): void => {
    e.preventDefault();
    if (!ready) return;
    onAsk({
      ...(id === "" ? {} : { client_id: id }),
      ...(user === "" ? {} : { username: user }),
      ...(password === "" ? {} : { password }),
      ...(ip === "" ? {} : { ip_address: ip }),
      ...(action === "" ? {} : { action, topic }),
    });
  };
  const optional = t("optional");
  return (
    <form class={`form ${more}`} onSubmit={run}>
      <TextField
        label={t("field.clientId")}
        value={id}
        onInput={setId}
        placeholder={needsId ? "" : optional}
        mono
        required={needsId}
        autofocus={autofocus}
      />
      <TextField label={t("field.username")} value={user} onInput={setUser} placeholder={optional} />
      <TextField
        label={t("login.password")}
        type="password"
        autocomplete="off"
        value={password}
        onInput={setPassword}
        placeholder={optional}
      />
      <TextField label={t("field.address")} value={ip} onInput={setIp} placeholder="127.0.0.1" mono />
      <SelectField
        label={t("explain.action")}
        value={action}
        onChange={setAction}
        options={[
          ["", t("explain.connectOnly")],
          ["publish", t("mqtt.publish")],
          ["subscribe", t("mqtt.subscribe")],
        ]}
      />
      {action === "" ? null : <TextField label={t("field.topic")} value={topic} onInput={setTopic} mono required />}
      <button type="submit" class="btn primary" disabled={!ready || busy}>
        <Icon of={busy ? Loader : icon} spin={busy} /> {button}
      </button>
    </form>
  );
}
