import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "../styles/chart.css";
import { useApp } from "./context.ts";

export interface Series {
  label: string;
  values: readonly number[];
}

interface Props {
  /** Read out; the newest values are added. */
  label: string;
  /** Unix ms, ascending. */
  times: readonly number[];
  series: readonly Series[];
  format: (n: number) => string;
  height?: number;
  /** Steps of the axis in powers of two. */
  binary?: boolean;
  /** Several charts with one name share their cursor. */
  sync?: string;
  from: number;
  to: number;
}

/** Hue and dash both tell the series apart. */
const DASHES: readonly number[][] = [[], [6, 3], [2, 3], [9, 3, 2, 3]];

/** 1 B … 8 TB, so that bytes have round marks. */
const POWERS = Array.from({ length: 44 }, (_, i) => 2 ** i);

const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ label, times, series, format, height = 190, sync, from, to, binary = false }: Props) {
  const { i18n } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ format, from, to });
  latest.current = { format, from, to };
  const shape = series.map((s) => s.label).join("|");

  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const build = (): void => {
      plot.current?.destroy();
      const size = { width: Math.max(120, el.clientWidth), height };
      plot.current = new uPlot(
        options({ ...size, names: series.map((s) => s.label), latest: () => latest.current, lang: i18n.lang.peek(), sync, binary }),
        dataOf(times, series),
        el,
      );
    };
    build();
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(120, el.clientWidth), height }));
    resize.observe(el);
    const root = document.documentElement;
    root.addEventListener("themechange", build);
    return () => {
      resize.disconnect();
      root.removeEventListener("themechange", build);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, height, sync, i18n.lang.value]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, series));
  }, [times, series]);

  const words = series.map((s) => `${s.label} ${format(s.values.at(-1) ?? 0)}`).join(", ");
  return <div class="chart" ref={box} role="img" aria-label={`${label}: ${words}`} style={{ height: `${height}px` }} />;
}

/** The names with their line samples and newest values, above the plot so that nothing moves. */
export function Legend({ series, format }: { series: readonly Series[]; format: (n: number) => string }) {
  return (
    <div class="legend">
      {series.map((s, i) => (
        <span key={s.label}>
          <svg width="18" height="8" aria-hidden="true">
            <line
              x1="0"
              y1="4"
              x2="18"
              y2="4"
              stroke-width="2.2"
              class={`stroke-${i + 1}`}
              stroke-dasharray={(DASHES[i] ?? []).join(" ")}
            />
          </svg>
          {s.label} <b>{format(s.values.at(-1) ?? 0)}</b>
        </span>
      ))}
    </div>
  );
}

const dataOf = (times: readonly number[], series: readonly Series[]): uPlot.AlignedData =>
  [times.map((t) => t / 1000), ...series.map((s) => [...s.values])] as uPlot.AlignedData;

interface Build {
  width: number;
  height: number;
  names: readonly string[];
  latest: () => { format: (n: number) => string; from: number; to: number };
  lang: string;
  sync: string | undefined;
  binary: boolean;
}

function options({ width, height, names, latest, lang, sync, binary }: Build): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: css("--chart-axis"),
    font: `11px ${css("--font")}`,
    grid: { stroke: css("--chart-grid"), width: 1 },
    ticks: { show: false },
  };
  const long = (): boolean => latest().to - latest().from > 26 * 3_600_000;
  const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const exact = new Intl.DateTimeFormat(lang, { timeStyle: "medium", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(lang, { month: "short", day: "numeric" });
  const full = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  return {
    width,
    height,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false }, ...(sync ? { sync: { key: sync } } : {}) },
    scales: {
      x: { range: () => [latest().from / 1000, latest().to / 1000] },
      y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      {
        ...axis,
        space: 74,
        size: 26,
        values: (_u, marks, _i, _s, step) => marks.map((s) => (long() ? day : step < 60 ? exact : clock).format(s * 1000)),
      },
      { ...axis, size: 54, space: 34, ...(binary ? { incrs: POWERS } : {}), values: (_u, marks) => marks.map((n) => latest().format(n)) },
    ],
    series: [
      {},
      ...names.map((label, i): uPlot.Series => {
        const stroke = css(`--chart-${i + 1}`);
        return {
          label,
          stroke,
          width: 1.8,
          dash: DASHES[i] ?? [],
          points: { show: false },
          ...(i === 0 ? { fill: `color-mix(in srgb, ${stroke} 9%, transparent)` } : {}),
        };
      }),
    ],
    plugins: [tooltip(names, latest, (s) => full.format(s * 1000))],
  };
}

/** Values under the cursor, in a box that follows it. */
function tooltip(names: readonly string[], latest: Build["latest"], time: (s: number) => string): uPlot.Plugin {
  let tip: HTMLElement;
  return {
    hooks: {
      init(u) {
        tip = document.createElement("div");
        tip.className = "chart-tip";
        tip.hidden = true;
        u.over.append(tip);
        u.over.addEventListener("mouseleave", () => {
          tip.hidden = true;
        });
      },
      setCursor(u) {
        const i = u.cursor.idx;
        const x = u.cursor.left ?? -1;
        const at = i === null || i === undefined ? undefined : u.data[0][i];
        tip.hidden = x < 0 || at === undefined;
        if (at === undefined || tip.hidden) return;
        const lines = names.map((name, s) => {
          const p = document.createElement("p");
          const b = document.createElement("b");
          b.textContent = latest().format(u.data[s + 1]?.[i ?? 0] ?? 0);
          p.append(name, b);
          return p;
        });
        const head = document.createElement("p");
        head.className = "muted";
        head.textContent = time(at);
        tip.replaceChildren(head, ...lines);
        const right = x > u.over.clientWidth - 190;
        tip.style.transform = `translate(${right ? x - 12 : x + 12}px, 4px) ${right ? "translateX(-100%)" : ""}`;
      },
    },
  };
}
