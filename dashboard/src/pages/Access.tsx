/** The access chain as it really runs, and what goes with it: warnings, a test, accounts, the file of rules, hashes. */
import { UserX } from "lucide";
import type { AccessView } from "../api/client.ts";
import { AccessChain } from "../components/AccessChain.tsx";
import { AccessWarnings } from "../components/AccessWarnings.tsx";
import { Accounts } from "../components/Accounts.tsx";
import { AclEditor } from "../components/AclEditor.tsx";
import { Empty, Failed, Loading, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { ExplainForm, Verdicts } from "../components/Explain.tsx";
import { HashHelper } from "../components/HashHelper.tsx";
import { createAccess } from "../models/access.ts";
import { warningsOf } from "../models/access_warnings.ts";
import { accountKind } from "../models/accounts.ts";
import type { ExplainModel } from "../models/explain.ts";
import { link } from "../models/router.ts";
import "../styles/access.css";
import "../styles/explain.css";
import "../styles/plugins.css";

export function Access() {
  const { t } = useApp().i18n;
  const model = useModel(createAccess);
  const view = model.view.data.value;
  const error = model.view.error.value;
  return (
    <Page title={t("page.access")} lead={t("access.lead")}>
      <div class="stack">
        {view ? (
          <Chains view={view} />
        ) : (
          <div class="card">{error ? <Failed error={error} retry={() => void model.view.refresh()} /> : <Loading />}</div>
        )}
        <Test model={model.test} />
        {view?.authentication.map(({ step }) => {
          const kind = accountKind(step);
          return kind === null ? null : <Accounts key={step} kind={kind} title={t("accounts.of", { name: step })} />;
        })}
        <div class="grid access-tools">
          <AclEditor model={model.rules} />
          <HashHelper model={model.hash} />
        </div>
      </div>
    </Page>
  );
}

function Chains({ view }: { view: AccessView }) {
  const { t } = useApp().i18n;
  return (
    <>
      <AccessWarnings of={warningsOf(view)} />
      <div class="grid access-chains">
        <AccessChain
          title={t("access.in")}
          text={t("access.inText")}
          end={t("access.inEnd")}
          node={view.node}
          half="authentication"
          steps={view.authentication}
          empty={
            <Empty
              icon={UserX}
              title={t("access.nobody")}
              actions={
                <a class="btn" href={link("plugins")}>
                  {t("access.plugins")}
                </a>
              }
            >
              <p>{t("access.nobodyText")}</p>
            </Empty>
          }
        />
        <AccessChain
          title={t("access.do")}
          text={t("access.doText")}
          end={t("access.doEnd")}
          node={view.node}
          half="acl"
          steps={view.acl.filter((s) => s.asks_topics)}
          empty={<p class="body muted">{t("access.nobody")}</p>}
        />
      </div>
      <Zones view={view} />
    </>
  );
}

function Test({ model }: { model: ExplainModel }) {
  const { t } = useApp().i18n;
  return (
    <section class="grid explain" aria-label={t("access.test")}>
      <div class="card">
        <header>
          <h2>{t("access.test")}</h2>
        </header>
        <div class="body">
          <ExplainForm model={model} />
        </div>
      </div>
      <div class="stack" aria-live="polite">
        <Verdicts model={model} />
      </div>
    </section>
  );
}

function Zones({ view }: { view: AccessView }) {
  const { t } = useApp().i18n;
  return (
    <section class="card" aria-label={t("access.zones")}>
      <header>
        <h2>{t("access.zones")}</h2>
        <a class="btn small" href={`${link("settings")}?q=zone.`}>
          {t("access.settings")}
        </a>
      </header>
      <dl class="zones">
        {view.zones.map((z) => (
          <div key={z.zone}>
            <dt class="mono">{z.zone}</dt>
            <dd class="row">
              <Tag tone={z.allow_anonymous ? "warn" : ""}>
                {t("access.anonymous")} {z.allow_anonymous ? "on" : "off"}
              </Tag>
              <Tag>
                {t("access.nomatch")} {z.acl_nomatch}
              </Tag>
              <Tag>
                {t("access.denyAction")} {z.acl_deny_action}
              </Tag>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
