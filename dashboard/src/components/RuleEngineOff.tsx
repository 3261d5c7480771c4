/** Pages of the rule engine while its plugin does not run: its routes are not there then. */
import { Play, Workflow } from "lucide";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ApiError } from "../api/transport.ts";
import { Empty, Failed } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const PLUGIN = "emqx_rule_engine";

interface Props {
  error: ApiError;
  retry: () => void | Promise<void>;
}

export function RuleEngineOff({ error, retry }: Props): ComponentChildren {
  const { api, act, i18n } = useApp();
  const { t } = i18n;
  const [busy, setBusy] = useState(false);
  const isOff = (error.kind === "http" && error.code === 404) || error.message === `${PLUGIN} is not running`;
  if (!isOff) return <Failed error={error} retry={() => void retry()} />;
  const start = async (): Promise<void> => {
    setBusy(true);
    const done = await act(
      async () => api.pluginAction((await api.nodes())[0]?.name ?? "", PLUGIN, "load"),
      t("plugins.loaded", { name: PLUGIN }),
    );
    if (done) await retry();
    setBusy(false);
  };
  return (
    <Empty
      icon={Workflow}
      title={t("rules.off")}
      actions={
        <button type="button" class="btn primary" disabled={busy} onClick={() => void start()}>
          <Icon of={Play} /> {t("rules.start.engine")}
        </button>
      }
    >
      <p>{t("rules.offText", { plugin: PLUGIN })}</p>
    </Empty>
  );
}
