/** What is told of a setting: where its value comes from, its type, and what is wrong with it. */
import { CircleAlert } from "lucide";
import type { ComponentChildren } from "preact";
import type { Setting } from "../api/client.ts";
import { en } from "../i18n/en.ts";
import type { TextKey } from "../models/i18n.ts";
import { Tag } from "./basics.tsx";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

const TONES: Readonly<Record<Setting["origin"], string>> = { default: "", file: "info", env: "info", flag: "info", api: "accent" };

export function OriginTag({ of: s }: { of: Pick<Setting, "origin" | "default"> }) {
  const { t } = useApp().i18n;
  return (
    <Tag tone={TONES[s.origin]} title={t("settings.defaultIs", { value: s.default === "" ? t("config.unset") : s.default })}>
      {t(`origin.${s.origin}`)}
    </Tag>
  );
}

const isText = (key: string): key is TextKey => Object.hasOwn(en, key);

/** The type's name; that of a plugin of one's own may be any word. */
export function useTypeName(): (type: string) => string {
  const { t } = useApp().i18n;
  return (type) => {
    const key = `type.${type}`;
    return isText(key) ? t(key) : type;
  };
}

/** Right under the field that it is about. */
export const WrongValue = ({ id, children }: { id?: string; children: ComponentChildren }) => (
  <p id={id} class="bad small row" role="alert">
    <Icon of={CircleAlert} size={13} /> <span class="grow">{children}</span>
  </p>
);
