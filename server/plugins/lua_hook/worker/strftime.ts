/** `strftime` of C99 in the C locale, for `os.date` of Lua. */

/** A moment, taken apart as C does (`struct tm`). */
export interface Parts {
  readonly year: number;
  /** 0 to 11. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly min: number;
  readonly sec: number;
  /** 0 = Sunday. */
  readonly wday: number;
  /** Days since 1 January. */
  readonly yday: number;
  /** Summer time. */
  readonly isdst: boolean;
  /** Minutes east of UTC. */
  readonly offset: number;
  readonly zone: string;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
] as const;
const DAY_MS = 86_400_000;

/** Minutes east of UTC, of the machine's zone then. */
const offsetOf = (at: Date): number => 0 - at.getTimezoneOffset();

/** Is it summer time in the machine's zone: is the clock ahead of what it is in the other half of the year? */
export function isSummer(at: Date): boolean {
  const year = at.getFullYear();
  return offsetOf(at) > Math.min(offsetOf(new Date(year, 0, 1)), offsetOf(new Date(year, 6, 1)));
}

export function partsOf(at: Date, utc: boolean): Parts {
  // Moved so that UTC of it is what the clock on the wall says.
  const wall = new Date(at);
  if (!utc) {
    wall.setUTCFullYear(at.getFullYear(), at.getMonth(), at.getDate());
    wall.setUTCHours(at.getHours(), at.getMinutes(), at.getSeconds());
  }
  const year = wall.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year);
  return {
    year,
    month: wall.getUTCMonth(),
    day: wall.getUTCDate(),
    hour: wall.getUTCHours(),
    min: wall.getUTCMinutes(),
    sec: wall.getUTCSeconds(),
    wday: wall.getUTCDay(),
    yday: Math.floor((wall.getTime() - newYear.getTime()) / DAY_MS),
    isdst: !utc && isSummer(at),
    offset: utc ? 0 : offsetOf(at),
    zone: utc ? "GMT" : zoneOf(at),
  };
}

const zones = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" });
const zoneOf = (at: Date): string => zones.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";

const padded = (n: number, width: number, by = "0"): string => (n < 0 ? `-${padded(-n, width - 1, by)}` : String(n).padStart(width, by));
const two = (n: number): string => padded(n, 2);
const hour12 = ({ hour }: Parts): number => ((hour + 11) % 12) + 1;
/** Of the year, from its first Sunday (0) or Monday (1). */
const week = ({ yday, wday }: Parts, first: 0 | 1): number => Math.floor((yday + 7 - ((wday + 7 - first) % 7)) / 7);

/** ISO 8601: weeks begin on Monday, the first one of a year has its first Thursday. */
function isoWeek({ year, month, day, wday }: Parts): { year: number; week: number } {
  const thursday = new Date(0);
  thursday.setUTCFullYear(year, month, day + 4 - (wday === 0 ? 7 : wday));
  const itsYear = thursday.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(itsYear);
  return { year: itsYear, week: Math.floor((thursday.getTime() - newYear.getTime()) / (7 * DAY_MS)) + 1 };
}

const CONVERSIONS: ReadonlyMap<string, (p: Parts) => string> = new Map<string, (p: Parts) => string>([
  ["a", (p) => (DAYS[p.wday] as string).slice(0, 3)],
  ["A", (p) => DAYS[p.wday] as string],
  ["b", (p) => (MONTHS[p.month] as string).slice(0, 3)],
  ["B", (p) => MONTHS[p.month] as string],
  ["c", (p) => strftime("%a %b %e %T %Y", p)],
  ["C", (p) => two(Math.floor(p.year / 100))],
  ["d", (p) => two(p.day)],
  ["D", (p) => strftime("%m/%d/%y", p)],
  ["e", (p) => padded(p.day, 2, " ")],
  ["F", (p) => strftime("%Y-%m-%d", p)],
  ["g", (p) => two(isoWeek(p).year % 100)],
  ["G", (p) => String(isoWeek(p).year)],
  ["h", (p) => strftime("%b", p)],
  ["H", (p) => two(p.hour)],
  ["I", (p) => two(hour12(p))],
  ["j", (p) => padded(p.yday + 1, 3)],
  ["m", (p) => two(p.month + 1)],
  ["M", (p) => two(p.min)],
  ["n", () => "\n"],
  ["p", (p) => (p.hour < 12 ? "AM" : "PM")],
  ["r", (p) => strftime("%I:%M:%S %p", p)],
  ["R", (p) => strftime("%H:%M", p)],
  ["S", (p) => two(p.sec)],
  ["t", () => "\t"],
  ["T", (p) => strftime("%H:%M:%S", p)],
  ["u", (p) => String(p.wday === 0 ? 7 : p.wday)],
  ["U", (p) => two(week(p, 0))],
  ["V", (p) => two(isoWeek(p).week)],
  ["w", (p) => String(p.wday)],
  ["W", (p) => two(week(p, 1))],
  ["x", (p) => strftime("%D", p)],
  ["X", (p) => strftime("%T", p)],
  ["y", (p) => two(((p.year % 100) + 100) % 100)],
  ["Y", (p) => String(p.year)],
  ["z", (p) => `${p.offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(p.offset) / 60))}${two(Math.abs(p.offset) % 60)}`],
  ["Z", (p) => p.zone],
  ["%", () => "%"],
]);
/** Which conversions these change in other locales: in that of C they are as without. */
const MODIFIED: ReadonlyMap<string, string> = new Map([
  ["E", "cCxXyY"],
  ["O", "deHImMSuUVwWy"],
]);

/** What is no conversion of C99: the rest of the format from there on. */
export class BadConversion extends Error {}

/**
 * @param take told of the bytes of each piece before the next one is made
 * @throws BadConversion
 */
export function strftime(format: string, parts: Parts, take: (bytes: number) => void = () => {}): string {
  let text = "";
  for (let i = 0; i < format.length; ) {
    const next = format.indexOf("%", i);
    const end = next < 0 ? format.length : next;
    let piece = format.slice(i, end);
    i = end;
    if (next >= 0) {
      const modified = MODIFIED.get(format[i + 1] ?? "");
      const at = modified === undefined ? i + 1 : i + 2;
      const letter = format[at] ?? "";
      const convert = modified?.includes(letter) === false ? undefined : CONVERSIONS.get(letter);
      if (convert === undefined) throw new BadConversion(format.slice(i + 1));
      piece += convert(parts);
      i = at + 1;
    }
    take(piece.length);
    text += piece;
  }
  return text;
}
