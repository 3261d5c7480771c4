import { Page } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { ExplainForm, Verdicts } from "../components/Explain.tsx";
import { createExplain } from "../models/explain.ts";
import "../styles/explain.css";

export function Explain() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createExplain);
  return (
    <Page title={t("page.explain")} lead={t("explain.lead")}>
      <div class="grid explain">
        <div class="card pad">
          <ExplainForm
            model={model}
            start={router.place.peek().query}
            autofocus
            // Never the password: it must not stand in an address.
            asked={({ client_id: id, username: user, ip_address: ip, topic }) => router.patch({ id, user, ip, topic })}
          />
        </div>
        <div class="stack" aria-live="polite">
          <Verdicts model={model} />
        </div>
      </div>
    </Page>
  );
}
