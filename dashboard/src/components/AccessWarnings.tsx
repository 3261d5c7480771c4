/** What lets strangers in, said where it is seen: on the page of the chain and on a plugin's. */
import { CircleAlert, TriangleAlert } from "lucide";
import type { Warning } from "../models/access_warnings.ts";
import { link } from "../models/router.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

/** The setting that mends it; of the others it is the plugin's own. */
const SETTINGS: Readonly<Partial<Record<Warning["what"], string>>> = {
  everybody: "allow_anonymous",
  unknown: "allow_anonymous",
  ignored_errors: "allow_anonymous",
  no_acl: "enable_acl",
  no_rule: "acl_nomatch",
};

const deed = (actions: Warning["actions"] = []) =>
  actions.length > 1 ? "access.warn.both" : actions[0] === "subscribe" ? "access.warn.subscribe" : "access.warn.publish";

export function AccessWarnings({ of }: { of: readonly Warning[] }) {
  const { t } = useApp().i18n;
  return (
    <>
      {of.map(({ what, zones, actions }) => {
        const isGrave = what === "ignored_errors";
        const key = SETTINGS[what];
        return (
          <p key={what} class={isGrave ? "banner danger" : "banner warn"} role={isGrave ? "alert" : undefined}>
            <Icon of={isGrave ? CircleAlert : TriangleAlert} />
            <span class="grow">{t(`access.warn.${what}`, { zone: zones.join(", "), action: t(deed(actions)) })}</span>
            {key === undefined ? null : (
              <a class="mono small" href={link("settings", { q: key })}>
                {key}
              </a>
            )}
          </p>
        );
      })}
    </>
  );
}
