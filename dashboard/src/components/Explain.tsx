/** Would the broker let this client in, and do what it asks? The form, and the verdicts with their steps. */
import { CircleAlert, ShieldCheck, ShieldQuestion, ShieldX } from "lucide";
import type { ExplainRequest, ExplainStep } from "../api/client.ts";
import type { ExplainModel } from "../models/explain.ts";
import { Empty, Tag } from "./basics.tsx";
import { type AskedClient, ClientForm } from "./ClientForm.tsx";
import { useApp } from "./context.ts";
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
  const run = ({ client_id = "", ...rest }: AskedClient): void => {
    const request: ExplainRequest = { client_id, ...rest };
    asked?.(request);
    void model.run(request);
  };
  return (
    <ClientForm
      start={start}
      needsId
      autofocus={autofocus}
      icon={ShieldQuestion}
      button={t("explain.run")}
      busy={model.busy.value}
      onAsk={run}
    />
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
  const answer = t(allow ? "explain.allow" : "explain.deny");
  return (
    // The chain beside it asks the same question: what it is called by is the answer.
    <section class="card" aria-label={`${title} ${answer}`}>
      <header>
        <span class={allow ? "verdict ok" : "verdict danger"}>
          <Icon of={allow ? ShieldCheck : ShieldX} size={20} />
        </span>
        <h2>{title}</h2>
        {note === "" ? null : <Tag tone="warn">{note}</Tag>}
        <Tag tone={allow ? "ok" : "danger"}>{answer}</Tag>
      </header>
      <Steps steps={steps} />
    </section>
  );
}
