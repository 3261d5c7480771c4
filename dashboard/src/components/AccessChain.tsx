/** One half of the access chain: who is asked, in order, how they are and what came of it. */
import { CircleAlert } from "lucide";
import type { ComponentChildren } from "preact";
import type { AccessStep } from "../api/client.ts";
import { link } from "../models/router.ts";
import { Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { ServerFigures, VerdictFigures } from "./Figures.tsx";
import { Icon } from "./Icon.tsx";
import { ServerState } from "./PluginServers.tsx";

type Half = "authentication" | "acl";

interface Props {
  title: string;
  text: string;
  /** What holds when none of them decides. */
  end: string;
  node: string;
  half: Half;
  steps: readonly AccessStep[];
  /** Instead of an empty list. */
  empty: ComponentChildren;
}

export function AccessChain({ title, text, end, node, half, steps, empty }: Props) {
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
            <Step key={step.step} step={step} node={node} half={half} />
          ))}
        </ol>
      )}
      <p class="muted small body">{end}</p>
    </section>
  );
}

function Step({ step, node, half }: { step: AccessStep; node: string; half: Half }) {
  const { t } = useApp().i18n;
  const servers = step.status?.servers ?? [];
  const counts = step.status?.[half] ?? null;
  const down = step.while_down;
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
        {down === null ? null : (
          <Tag tone={down === "ignore" ? "warn" : ""}>{t(down === "ignore" ? "access.onErrorIgnore" : "access.onErrorDeny")}</Tag>
        )}
      </div>
      <p class="soft small">{step.plugin === null ? t("access.aclFile") : step.description}</p>
      {half === "acl" ? null : <p class="muted small">{t(step.asks_topics ? "access.asksTopics" : "access.asksNoTopics")}</p>}
      {counts === null ? null : <VerdictFigures counts={counts} small />}
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
          <ServerFigures server={s} short />
        </div>
      ))}
      {/* Accounts of our own and rules in a file are not counted; that something went wrong is. */}
      {step.status === null || step.failures > 0 ? <p class="muted small">{t("access.failures", { n: step.failures })}</p> : null}
    </li>
  );
}
