import { CircleAlert, Copy, type IconNode, RotateCw } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { ApiError } from "../api/transport.ts";
import { exactTime, isSet, relativeTime, shortTime } from "../lib/format.ts";
import { useApp } from "./context.ts";
import { Icon } from "./Icon.tsx";

interface PageProps {
  title: ComponentChildren;
  /** For the browser's tab when the title is more than text. */
  name?: string;
  lead?: ComponentChildren;
  crumb?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** Heading, one sentence on what the page is for, its main actions, and the content. */
export function Page({ title, name, lead, crumb, actions, children }: PageProps) {
  const text = name ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = text === "" ? "BaoMQ" : `${text} · BaoMQ`;
  }, [text]);
  return (
    <>
      <div class="page-head">
        <div class="titles">
          {crumb ? <div class="crumb">{crumb}</div> : null}
          <h1>{title}</h1>
          {lead ? <p>{lead}</p> : null}
        </div>
        {actions ? <div class="actions">{actions}</div> : null}
      </div>
      {children}
    </>
  );
}

interface EmptyProps {
  icon: IconNode;
  title: string;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}

/** Nothing here, and what to do about it. */
export function Empty({ icon, title, children, actions }: EmptyProps) {
  return (
    <div class="empty">
      <Icon of={icon} />
      <h3>{title}</h3>
      {children ? <div class="stack tight">{children}</div> : null}
      {actions ? <div class="actions">{actions}</div> : null}
    </div>
  );
}

/** A request failed and there is nothing older to show. */
export function Failed({ error, retry }: { error: ApiError; retry: () => void }) {
  const { i18n, explainError } = useApp();
  return (
    <div class="empty" role="alert">
      <Icon of={CircleAlert} />
      <h3>{i18n.t("error.title")}</h3>
      <p>{explainError(error)}</p>
      <div class="actions">
        <button type="button" class="btn" onClick={retry}>
          <Icon of={RotateCw} /> {i18n.t("action.retry")}
        </button>
      </div>
    </div>
  );
}

export function Loading({ rows = 5 }: { rows?: number }) {
  const { i18n } = useApp();
  return (
    <div class="stack" style={{ padding: "18px" }} aria-busy="true">
      <span class="sr">{i18n.t("state.loading")}</span>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} class="skeleton" style={{ width: `${88 - ((i * 17) % 40)}%` }}></span>
      ))}
    </div>
  );
}

/** Local time in short form; the exact one, with zone and distance, in the tooltip. `ms` ≤ 0 shows `none`. */
export function Time({ ms, relative = false, none = "–" }: { ms: number; relative?: boolean; none?: string }) {
  const lang = useApp().i18n.lang.value;
  if (!(ms > 0)) return <span class="muted">{none}</span>;
  const now = Date.now();
  const near = relativeTime(ms, now, lang);
  const exact = exactTime(ms, lang);
  return (
    <time dateTime={new Date(ms).toISOString()} title={relative ? exact : `${exact} · ${near}`}>
      {relative ? near : shortTime(ms, now, lang)}
    </time>
  );
}

/** A value of the API that may be unset. */
export const Value = ({ of }: { of: unknown }) => (isSet(of) ? <span>{String(of)}</span> : <span class="muted">–</span>);

export type Tone = "ok" | "warn" | "danger" | "off";

/** A coloured dot is never alone: the word says the same. */
export const Status = ({ tone, children }: { tone: Tone; children: ComponentChildren }) => (
  <span class={`status ${tone}`}>
    <i class={tone === "off" ? "dot off" : "dot"} />
    {children}
  </span>
);

export const Tag = ({ tone = "", children, title }: { tone?: string; children: ComponentChildren; title?: string }) => (
  <span class={`tag ${tone}`} title={title}>
    {children}
  </span>
);

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { i18n, notices } = useApp();
  const copy = async (): Promise<void> => {
    await copyText(text);
    notices.ok(i18n.t("done.copied"));
  };
  const name = label ?? i18n.t("action.copy");
  return (
    <button type="button" class={label ? "btn" : "btn small icon ghost"} aria-label={name} title={name} onClick={() => void copy()}>
      <Icon of={Copy} size={14} /> {label}
    </button>
  );
}

/** The clipboard API exists only on https and localhost; a broker in the LAN is often neither. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export const Pairs = ({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) => (
  <dl class="pairs">
    {of.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);
