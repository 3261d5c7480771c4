/** One half of the access chain: who is asked, in order, how they are and what came of it. */
import { CircleAlert } from "lucide";
import type { ComponentChildren } from "preact";
import type { AccessStep, VerdictCounts } from "../api/client.ts";
import { link } from "../models/router.ts";
import { Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { ServerState } from "./PluginServers.tsx";

interface Props {
  title: string;
  text: string;
  /** What holds when none of them decides. */
  end: string;
  node: string;
  steps: readonly AccessStep[];
  counts: (step: AccessStep) => VerdictCounts | null;
  /** Instead of an empty list. */
  empty: ComponentChildren;
}

export function AccessChain({ title, text, end, node, steps, counts, empty }: Props) {
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      <p class="muted small body">{text}</p>
      {steps.length === 0 ? (
        empty
      ) : (
        <ol class="chain">
          {steps.map((step) => (
            <Step key={step.step} step={step} node={node} counts={counts(step)} />
          ))}
        </ol>
      )}
      <p class="muted small body">{end}</p>
    </section>
  );
}

function Step({ step, node, counts }: { step: AccessStep; node: string; counts: VerdictCounts | null }) {
  const { t } = useApp().i18n;
  const servers = step.status?.servers ?? [];
  return (
    <li>
      <div class="row">
        {step.plugin === null ? (
          <span class="key mono">{step.step}</span>
        ) : (
          <a class="key mono" href={link("plugins", node, step.plugin)}>
            {step.plugin}
          </a>
        )}
        {step.on_error === null ? null : (
          <Tag tone={step.on_error === "ignore" ? "warn" : ""}>
            {t(step.on_error === "ignore" ? "access.onErrorIgnore" : "access.onErrorDeny")}
          </Tag>
        )}
      </div>
      <p class="soft small">{step.plugin === null ? t("access.aclFile") : step.description}</p>
      {servers.map((s) => (
        <div key={s.what}>
          <p class="small row">
            <ServerState state={s.state} /> <span class="muted">{s.what}</span>
          </p>
          {s.state !== "up" && s.last_error !== null ? (
            <p class="bad small row" role="alert">
              <Icon of={CircleAlert} size={13} /> {s.last_error}
            </p>
          ) : null}
        </div>
      ))}
      {counts === null ? null : <p class="muted small">{t("access.counts", { ...counts })}</p>}
    </li>
  );
}
