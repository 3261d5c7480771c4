/** The access chain as it really runs, and what goes with it: warnings, the file of rules, hashes. */
import { CircleAlert, ShieldQuestion, TriangleAlert, UserX } from "lucide";
import type { AccessView, AccessWarning } from "../api/client.ts";
import { AccessChain } from "../components/AccessChain.tsx";
import { AclEditor } from "../components/AclEditor.tsx";
import { Empty, Failed, Loading, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { HashHelper } from "../components/HashHelper.tsx";
import { Icon } from "../components/Icon.tsx";
import { createAccess } from "../models/access.ts";
import { link } from "../models/router.ts";
import "../styles/access.css";

export function Access() {
  const { t } = useApp().i18n;
  const model = useModel(createAccess);
  const view = model.view.data.value;
  const error = model.view.error.value;
  return (
    <Page
      title={t("page.access")}
      lead={t("access.lead")}
      actions={
        <a class="btn" href={link("explain")}>
          <Icon of={ShieldQuestion} /> {t("page.explain")}
        </a>
      }
    >
      {view ? (
        <Chains view={view} />
      ) : (
        <div class="card">{error ? <Failed error={error} retry={() => void model.view.refresh()} /> : <Loading />}</div>
      )}
      <div class="grid access-tools">
        <AclEditor model={model.rules} />
        <HashHelper model={model.hash} />
      </div>
    </Page>
  );
}

function Chains({ view }: { view: AccessView }) {
  const { t } = useApp().i18n;
  return (
    <>
      {grouped(view).map(({ what, zones }) => {
        const grave = what === "ignored_errors";
        return (
          <p key={what} class={grave ? "banner danger" : "banner warn"} role={grave ? "alert" : undefined}>
            <Icon of={grave ? CircleAlert : TriangleAlert} /> {t(`access.warn.${what}`, { zone: zones.join(", ") })}
          </p>
        );
      })}
      <div class="grid access-chains">
        <AccessChain
          title={t("access.in")}
          text={t("access.inText")}
          end={t("access.inEnd")}
          node={view.node}
          steps={view.authentication}
          counts={(step) => step.status?.authentication ?? null}
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
          steps={view.acl}
          counts={(step) => step.status?.acl ?? null}
          empty={<p class="body muted">{t("access.nobody")}</p>}
        />
      </div>
      <Zones view={view} />
    </>
  );
}

/** One warning for all zones it holds for, the gravest first. */
function grouped({ warnings }: AccessView): { what: AccessWarning["what"]; zones: string[] }[] {
  const kinds = ["ignored_errors", "everybody", "unknown", "no_acl"] as const;
  return kinds
    .map((what) => ({ what, zones: warnings.filter((w) => w.what === what).map((w) => w.zone) }))
    .filter(({ zones }) => zones.length > 0);
}

function Zones({ view }: { view: AccessView }) {
  const { t } = useApp().i18n;
  return (
    <section class="card access-zones" aria-label={t("access.zones")}>
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
