/** First rules: one click, and the editor has everything but the place where it goes to. */
import { Database, type IconNode, Plus, Shuffle, ThermometerSun, WifiOff } from "lucide";
import { link } from "../models/router.ts";
import { RULE_STARTS, type RuleStart } from "../models/rule_starts.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const ICONS: Readonly<Record<RuleStart["icon"], IconNode>> = {
  threshold: ThermometerSun,
  every: Database,
  offline: WifiOff,
  change: Shuffle,
};

export function RuleStarts() {
  const { t } = useApp().i18n;
  return (
    <ul class="rule-starts">
      {RULE_STARTS.map((s) => (
        <li key={s.id}>
          <a class="card rule-start" href={link("rules", "new", { start: s.id })}>
            <Icon of={ICONS[s.icon]} size={22} />
            <b>{t(s.title)}</b>
            <span class="soft small">{t(s.text)}</span>
          </a>
        </li>
      ))}
      <li>
        <a class="card rule-start" href={link("rules", "new")}>
          <Icon of={Plus} size={22} />
          <b>{t("rules.start.empty")}</b>
          <span class="soft small">{t("rules.start.emptyText")}</span>
        </a>
      </li>
    </ul>
  );
}
