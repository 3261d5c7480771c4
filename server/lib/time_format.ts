/** Local time as EMQ X prints it. */

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** "2019-05-06 12:34:56", in the machine's time zone. `ms` is Unix time. */
export function formatLocalTime(ms: number): string {
  const d = new Date(ms);
  const year = String(d.getFullYear()).padStart(4, "0");
  return `${year}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** The same with milliseconds, for traces: "2019-05-06 12:34:56.789". */
export function formatLocalTimeMs(ms: number): string {
  const rest = Math.floor(ms) % 1000;
  return `${formatLocalTime(ms)}.${String((rest + 1000) % 1000).padStart(3, "0")}`;
}
