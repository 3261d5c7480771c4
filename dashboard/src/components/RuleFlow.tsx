/** A rule as a picture: what it looks at, itself, what it does, and how much goes along each line now. Side by side, on a phone beneath each other. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { compact } from "../lib/format.ts";
import { useApp } from "./context.ts";

export interface FlowEnd {
  title: string;
  text: string;
  tone: "" | "ok" | "danger" | "off";
  /** A second; null = not known. */
  rate: number | null;
}

interface Props {
  sources: readonly { title: string; isEvent: boolean }[];
  rule: FlowEnd;
  actions: readonly FlowEnd[];
  /** Events a second; null = it does not run. */
  rate: number | null;
}

const BOX = 54;
const GAP = 14;
/** Narrower than this there is no room for three columns. */
const NARROW = 620;
/** Px of a letter, about. */
const LETTER = 7.2;
const MOST = 6;

interface Box {
  x: number;
  y: number;
  w: number;
  title: string;
  text: string;
  class: string;
}

export function RuleFlow({ sources, rule, actions, rate }: Props) {
  const { i18n } = useApp();
  const { t } = i18n;
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    const watch = new ResizeObserver(() => setWidth(box.clientWidth));
    setWidth(box.clientWidth);
    watch.observe(box);
    return () => watch.disconnect();
  }, []);
  const number = (n: number | null): string => (n === null ? "" : t("rules.flow.rate", { n: compact(n, i18n.lang.value) }));
  const shown = actions.slice(0, MOST);
  const left = sources.slice(0, MOST);
  const isNarrow = width < NARROW;
  const rows = Math.max(left.length, shown.length, 1);
  const w = isNarrow ? Math.max(160, width) : Math.min(320, (width - 180) / 3);
  const column = (n: number, at: number): Pick<Box, "x" | "y"> => {
    if (!isNarrow) return { x: at, y: ((rows - n) * (BOX + GAP)) / 2 };
    return { x: 0, y: 0 };
  };
  const second = isNarrow ? left.length * (BOX + GAP) + 26 : 0;
  const third = isNarrow ? second + BOX + 26 + GAP : 0;
  const place = (n: number, i: number, col: 0 | 1 | 2): Pick<Box, "x" | "y"> => {
    if (isNarrow) return { x: 0, y: ([0, second, third][col] as number) + i * (BOX + GAP) };
    const begin = column(n, [0, (width - w) / 2, width - w][col] as number);
    return { x: begin.x, y: begin.y + i * (BOX + GAP) };
  };
  const height = isNarrow ? third + Math.max(1, shown.length) * (BOX + GAP) - GAP : rows * (BOX + GAP) - GAP;
  const from = left.map(
    (s, i): Box => ({
      ...place(left.length, i, 0),
      w,
      title: s.title,
      text: t(s.isEvent ? "rules.flow.event" : "rules.flow.messages"),
      class: "",
    }),
  );
  const mid: Box = { ...place(1, 0, 1), w, title: rule.title, text: rule.text, class: `rule ${rule.tone}` };
  const to = shown.map((a, i): Box => ({ ...place(shown.length, i, 2), w, title: a.title, text: a.text, class: a.tone }));
  const alt = t("rules.flow.alt", {
    sources: sources.map((s) => s.title).join(", "),
    rule: rule.title,
    actions: actions.map((a) => `${a.title} ${number(a.rate)}`.trim()).join(", ") || t("rules.flow.nothing"),
    rate: number(rate),
  });
  return (
    <div ref={ref} class="rule-flow">
      {width > 0 ? (
        <svg width={width} height={height} role="img" aria-label={alt}>
          {from.map((b, i) => (
            <Line key={`s${i}`} a={b} b={mid} isNarrow={isNarrow} isIn moves={(rate ?? 0) > 0} label={i === 0 ? number(rate) : ""} />
          ))}
          {to.map((b, i) => (
            <Line
              key={`a${i}`}
              a={mid}
              b={b}
              isNarrow={isNarrow}
              isIn={false}
              moves={(shown[i]?.rate ?? 0) > 0}
              label={isNarrow && i > 0 ? "" : number(shown[i]?.rate ?? null)}
            />
          ))}
          {[...from, mid, ...to].map((b, i) => (
            <Node key={i} box={b} />
          ))}
          {to.length === 0 ? (
            <text class="flow-text" x={place(1, 0, 2).x + 12} y={place(1, 0, 2).y + BOX / 2 + 4}>
              {t("rules.flow.nothing")}
            </text>
          ) : null}
        </svg>
      ) : (
        <div style={{ height: "54px" }} />
      )}
      {sources.length > MOST || actions.length > MOST ? (
        <p class="muted small">{t("rules.flow.more", { n: sources.length + actions.length - left.length - shown.length })}</p>
      ) : null}
    </div>
  );
}

const cut = (text: string, w: number): string => {
  const most = Math.max(8, Math.floor((w - 28) / LETTER));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

function Node({ box: { x, y, w, title, text, class: name } }: { box: Box }) {
  return (
    <g class={`flow-node ${name}`}>
      <title>{`${title} · ${text}`}</title>
      <rect x={x + 0.5} y={y + 0.5} width={w - 1} height={BOX - 1} rx={10} />
      <text class="flow-title" x={x + 14} y={y + 23}>
        {cut(title, w)}
      </text>
      <text class="flow-text" x={x + 14} y={y + 41}>
        {cut(text, w)}
      </text>
    </g>
  );
}

interface LineProps {
  a: Box;
  b: Box;
  isNarrow: boolean;
  /** From a source to the rule. */
  isIn: boolean;
  moves: boolean;
  label: string;
}

function Line({ a, b, isNarrow, isIn, moves, label }: LineProps) {
  const [x1, y1] = isNarrow ? [a.x + 28, a.y + BOX] : [a.x + a.w, a.y + BOX / 2];
  const [x2, y2] = isNarrow ? [b.x + 28, b.y] : [b.x, b.y + BOX / 2];
  const path = isNarrow ? `M${x1} ${y1}L${x2} ${y2}` : `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  // Beside the end that the line has to itself.
  const [tx, ty] = isNarrow ? [x1 + 12, y2 - 12] : isIn ? [x1 + 10, y1 - 7] : [x2 - 10, y2 - 7];
  return (
    <>
      <path class={moves ? "flow-line moves" : "flow-line"} d={path} />
      {label === "" ? null : (
        <text class="flow-rate" x={tx} y={ty} text-anchor={isNarrow || isIn ? "start" : "end"}>
          {label}
        </text>
      )}
    </>
  );
}
