/** Try a plugin's settings, saved or not: does the server answer, and, where that is what it is there for, who would be let in, and why. */
import { CircleAlert, Loader, PlugZap } from "lucide";
import type { PluginConfigModel } from "../models/plugin_config.ts";
import { ClientForm } from "./ClientForm.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { Steps } from "./Steps.tsx";

/** `asksClient`: it takes a client to try them. */
export function PluginTest({ model, asksClient }: { model: PluginConfigModel; asksClient: boolean }) {
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
        {asksClient ? (
          <ClientForm
            class="test-form"
            icon={PlugZap}
            button={t("test.run")}
            busy={busy.value}
            onAsk={(client) => void model.test.run(client)}
          />
        ) : (
          <div class="row">
            <button type="button" class="btn primary" disabled={busy.value} onClick={() => void model.test.run({})}>
              <Icon of={busy.value ? Loader : PlugZap} spin={busy.value} /> {t("test.run")}
            </button>
          </div>
        )}
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
