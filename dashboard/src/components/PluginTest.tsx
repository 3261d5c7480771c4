/** Try a plugin's settings, saved or not: does the server answer, who would be let in, and why. */
import { CircleAlert, PlugZap } from "lucide";
import type { PluginConfigModel } from "../models/plugin_config.ts";
import { ClientForm } from "./ClientForm.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { Steps } from "./Steps.tsx";

export function PluginTest({ model }: { model: PluginConfigModel }) {
  const { i18n, explainError } = useApp();
  const { t } = i18n;
  const { busy, steps, error } = model.test;
  return (
    <section class="card" aria-label={t("test.title")}>
      <header>
        <h2>{t("test.title")}</h2>
      </header>
      <div class="body stack">
        <p class="muted small">{t(model.dirty.value ? "test.unsaved" : "test.saved")}</p>
        <ClientForm
          class="test-form"
          icon={PlugZap}
          button={t("test.run")}
          busy={busy.value}
          onAsk={(client) => void model.test.run(client)}
        />
      </div>
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
