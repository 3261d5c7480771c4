/** Numbers, sizes and times as people read them. Pure; `lang` is a BCP 47 tag. */

const numbers = new Map<string, Intl.NumberFormat>();

function formatter(lang: string, key: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const id = `${lang}|${key}`;
  let f = numbers.get(id);
  if (!f) {
    f = new Intl.NumberFormat(lang, options);
    numbers.set(id, f);
  }
  return f;
}

/** 1234567 → "1,234,567". */
export const integer = (n: number, lang = "en"): string => formatter(lang, "int", { maximumFractionDigits: 0 }).format(n);

/** A rate or a big count in few characters: 0, 0.4, 12.3, 940, 1.2K, 3.4M. */
export function compact(n: number, lang = "en"): string {
  const abs = Math.abs(n);
  if (abs < 1000) return formatter(lang, abs < 10 ? "f1" : "f0", { maximumFractionDigits: abs < 10 ? 1 : 0 }).format(n);
  return formatter(lang === "zh" ? "en" : lang, "compact", { notation: "compact", maximumFractionDigits: 1 }).format(n);
}

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** 1536 → "1.5 KB" (steps of 1024). */
export function bytes(n: number, lang = "en"): string {
  let value = n;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${formatter(lang, `b${digits}`, { maximumFractionDigits: digits }).format(value)} ${UNITS[unit]}`;
}

export const percent = (n: number, lang = "en"): string => `${formatter(lang, "p", { maximumFractionDigits: n < 10 ? 1 : 0 }).format(n)} %`;

const STEPS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** Seconds → "2 d 4 h", "5 min 3 s", "12 s"; two parts at most. Units are those of Intl (short) in the given language. */
export function duration(seconds: number, lang = "en"): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [unit, size] of STEPS) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0 || (unit === "second" && parts.length === 0)) {
      parts.push(formatter(lang, `u${unit}`, { style: "unit", unit, unitDisplay: lang === "zh" ? "short" : "narrow" }).format(n));
    }
    if (parts.length === 2 || (parts.length === 1 && n === 0)) break;
  }
  return parts.join(" ");
}

/** Exact local time with zone, for tooltips. */
export const exactTime = (ms: number, lang = "en"): string =>
  new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "long" }).format(ms);

/** "14:03:22" today, "12 Mar 14:03" this year, "12 Mar 2025" before. */
export function shortTime(ms: number, now: number, lang = "en"): string {
  const d = new Date(ms);
  const n = new Date(now);
  const sameDay = d.toDateString() === n.toDateString();
  const options: Intl.DateTimeFormatOptions = sameDay
    ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
    : d.getFullYear() === n.getFullYear()
      ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
      : { year: "numeric", month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(lang, options).format(d);
}

/** "3 minutes ago", "in 2 hours". */
export function relativeTime(ms: number, now: number, lang = "en"): string {
  const diff = (ms - now) / 1000;
  const f = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  for (const [unit, size] of STEPS) if (Math.abs(diff) >= size || unit === "second") return f.format(Math.round(diff / size), unit);
  return "";
}

/** Unset values of the API are the text "undefined". */
export const isSet = (v: unknown): boolean => v !== undefined && v !== null && v !== "" && v !== "undefined";
