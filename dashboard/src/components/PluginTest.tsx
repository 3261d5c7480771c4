/** Try a plugin's settings, saved or not: does the server answer, who would be let in, and why. */
import { CircleAlert, Loader, PlugZap } from "lucide";
import { useState } from "preact/hooks";
import type { PluginConfigModel } from "../models/plugin_config.ts";
import { useApp } from "./context.ts";
import { SelectField, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { Steps } from "./Steps.tsx";

export function PluginTest({ model }: { model: PluginConfigModel }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const [id, setId] = useState("");
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [action, setAction] = useState<"" | "publish" | "subscribe">("");
  const [topic, setTopic] = useState("");
  const { busy, steps, error } = model.test;
  const run = (e: Event): void => {
    e.preventDefault();
    void model.test.run({
      ...(id === "" ? {} : { client_id: id }),
      ...(user === "" ? {} : { username: user }),
      ...(password === "" ? {} : { password }),
      ...(action === "" || topic === "" ? {} : { action, topic }),
    });
  };
  return (
    <section class="card" aria-label={t("test.title")}>
      <header>
        <h2>{t("test.title")}</h2>
      </header>
      <form class="body form test-form" onSubmit={run}>
        <p class="muted small">{t(model.dirty.value ? "test.unsaved" : "test.saved")}</p>
        <TextField label={t("field.username")} value={user} onInput={setUser} placeholder={t("optional")} />
        <TextField
          label={t("login.password")}
          type="password"
          autocomplete="off"
          value={password}
          onInput={setPassword}
          placeholder={t("optional")}
        />
        <TextField label={t("field.clientId")} value={id} onInput={setId} placeholder={t("optional")} mono />
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
        <button type="submit" class="btn primary" disabled={busy.value}>
          <Icon of={busy.value ? Loader : PlugZap} spin={busy.value} /> {t("test.run")}
        </button>
      </form>
      <div aria-live="polite">
        {error.value ? (
          <p class="banner danger inset" role="alert">
            <Icon of={CircleAlert} /> {explainError(error.value)}
          </p>
        ) : null}
        {steps.value ? <Steps steps={steps.value} /> : null}
      </div>
    </section>
  );
}
