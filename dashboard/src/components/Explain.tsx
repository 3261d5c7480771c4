/** Would the broker let this client in, and do what it asks? The form, and the verdicts with their steps. */
import { CircleAlert, Loader, ShieldCheck, ShieldQuestion, ShieldX } from "lucide";
import { useState } from "preact/hooks";
import type { ExplainRequest, ExplainStep } from "../api/client.ts";
import type { ExplainModel } from "../models/explain.ts";
import { Empty, Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { Steps } from "./Steps.tsx";

interface FormProps {
  model: ExplainModel;
  /** What is filled in at first. */
  start?: { id?: string; user?: string; ip?: string; topic?: string };
  autofocus?: boolean;
  asked?: (request: ExplainRequest) => void;
}

export function ExplainForm({ model, start = {}, autofocus = false, asked }: FormProps) {
  const { t } = useApp().i18n;
  const [id, setId] = useState(start.id ?? "");
  const [user, setUser] = useState(start.user ?? "");
  const [password, setPassword] = useState("");
  const [ip, setIp] = useState(start.ip ?? "");
  const [action, setAction] = useState<"" | "publish" | "subscribe">("");
  const [topic, setTopic] = useState(start.topic ?? "");
  const ready = id.trim() !== "" && (action === "" || topic !== "");
  const run = (e: Event): void => {
    e.preventDefault();
    if (!ready) return;
    const request: ExplainRequest = {
      client_id: id,
      ...(user === "" ? {} : { username: user }),
      ...(password === "" ? {} : { password }),
      ...(ip === "" ? {} : { ip_address: ip }),
      ...(action === "" ? {} : { action, topic }),
    };
    asked?.(request);
    void model.run(request);
  };
  return (
    <form class="form" onSubmit={run}>
      <TextField label={t("field.clientId")} value={id} onInput={setId} mono required autofocus={autofocus} />
      <TextField label={t("field.username")} value={user} onInput={setUser} placeholder={t("optional")} />
      <TextField
        label={t("login.password")}
        type="password"
        autocomplete="off"
        value={password}
        onInput={setPassword}
        placeholder={t("optional")}
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
      <button type="submit" class="btn primary" disabled={!ready || model.busy.value}>
        <Icon of={model.busy.value ? Loader : ShieldQuestion} spin={model.busy.value} /> {t("explain.run")}
      </button>
    </form>
  );
}

export function Verdicts({ model }: { model: ExplainModel }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const result = model.result.value;
  const error = model.error.value;
  const { action, topic = "" } = model.asked.value ?? {};
  if (error)
    return (
      <p class="banner danger" role="alert">
        <Icon of={CircleAlert} /> {explainError(error)}
      </p>
    );
  if (!result)
    return (
      <div class="card">
        <Empty icon={ShieldQuestion} title={t("explain.empty")}>
          <p>{t("explain.emptyText")}</p>
        </Empty>
      </div>
    );
  return (
    <>
      <Verdict
        title={t("explain.authentication")}
        allow={result.authentication.allow}
        steps={result.authentication.steps}
        note={result.authentication.is_super ? t("client.super") : ""}
      />
      {result.acl ? (
        <Verdict
          title={t(action === "publish" ? "explain.mayPublish" : "explain.maySubscribe", { topic })}
          allow={result.acl.allow}
          steps={result.acl.steps}
          note=""
        />
      ) : null}
    </>
  );
}

function Verdict({ title, allow, steps, note }: { title: string; allow: boolean; steps: readonly ExplainStep[]; note: string }) {
  const { t } = useApp().i18n;
  return (
    <section class="card" aria-label={title}>
      <header>
        <span class={allow ? "verdict ok" : "verdict danger"}>
          <Icon of={allow ? ShieldCheck : ShieldX} size={20} />
        </span>
        <h2>{title}</h2>
        {note === "" ? null : <Tag tone="warn">{note}</Tag>}
        <Tag tone={allow ? "ok" : "danger"}>{t(allow ? "explain.allow" : "explain.deny")}</Tag>
      </header>
      <Steps steps={steps} />
    </section>
  );
}
