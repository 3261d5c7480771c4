/** First rules: one click, and the editor has everything but the place where it goes to. */
import { ChevronDown, Database, type IconNode, Plus, Shuffle, ThermometerSun, WifiOff } from "lucide";
import type { ComponentChildren } from "preact";
import { link } from "../models/router.ts";
import { RULE_STARTS, type RuleStart } from "../models/rule_starts.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";
import { Menu } from "./Menu.tsx";

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

/** The same as a menu; `begin`: with one of them, "" = an empty rule. By default each is a link to the page that begins with it. */
export function RuleStartMenu({ begin }: { begin?: (start: string) => void }) {
  const { t } = useApp().i18n;
  const item = (start: string, content: ComponentChildren) =>
    begin ? (
      <button key={start} type="button" onClick={() => begin(start)}>
        {content}
      </button>
    ) : (
      <a key={start} href={link("rules", "new", { start })}>
        {content}
      </a>
    );
  return (
    <Menu
      button={
        <>
          {t("rules.start.menu")} <Icon of={ChevronDown} size={15} />
        </>
      }
    >
      {RULE_STARTS.map((s) =>
        item(
          s.id,
          <>
            <Icon of={ICONS[s.icon]} size={16} /> {t(s.title)}
          </>,
        ),
      )}
      {item(
        "",
        <>
          <Icon of={Plus} size={16} /> {t("rules.start.empty")}
        </>,
      )}
    </Menu>
  );
}
