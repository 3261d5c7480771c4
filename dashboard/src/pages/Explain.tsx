import { CircleAlert, Loader, ShieldCheck, ShieldQuestion, ShieldX } from "lucide";
import { useState } from "preact/hooks";
import type { ExplainStep } from "../api/client.ts";
import { Empty, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { SelectField, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { Steps } from "../components/Steps.tsx";
import { createExplain } from "../models/explain.ts";
import "../styles/explain.css";

export function Explain() {
  const { router, i18n, explainError } = useApp();
  const { t } = i18n;
  const model = useModel(createExplain);
  const q = router.place.peek().query;
  const [id, setId] = useState(q.id ?? "");
  const [user, setUser] = useState(q.user ?? "");
  const [password, setPassword] = useState("");
  const [ip, setIp] = useState(q.ip ?? "");
  const [action, setAction] = useState<"" | "publish" | "subscribe">("");
  const [topic, setTopic] = useState(q.topic ?? "");
  const ready = id.trim() !== "" && (action === "" || topic !== "");
  const run = (e: Event): void => {
    e.preventDefault();
    if (!ready) return;
    // Never the password: it must not stand in an address.
    router.patch({ id, user, ip, topic });
    void model.run({
      client_id: id,
      ...(user === "" ? {} : { username: user }),
      ...(password === "" ? {} : { password }),
      ...(ip === "" ? {} : { ip_address: ip }),
      ...(action === "" ? {} : { action, topic }),
    });
  };
  const result = model.result.value;
  const error = model.error.value;
  return (
    <Page title={t("page.explain")} lead={t("explain.lead")}>
      <div class="grid explain">
        <form class="card pad form" onSubmit={run}>
          <TextField label={t("field.clientId")} value={id} onInput={setId} mono required autofocus />
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
        <div class="stack" aria-live="polite">
          {error ? (
            <p class="banner danger" role="alert">
              <Icon of={CircleAlert} /> {explainError(error)}
            </p>
          ) : null}
          {result ? (
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
          ) : error ? null : (
            <div class="card">
              <Empty icon={ShieldQuestion} title={t("explain.empty")}>
                <p>{t("explain.emptyText")}</p>
              </Empty>
            </div>
          )}
        </div>
      </div>
    </Page>
  );
}

function Verdict({ title, allow, steps, note }: { title: string; allow: boolean; steps: readonly ExplainStep[]; note: string }) {
  const { t } = useApp().i18n;
  return (
    <section class="card">
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
