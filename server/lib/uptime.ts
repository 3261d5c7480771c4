/**
 * How long something runs, in the words of EMQ X 3.1: "12 seconds", "3 minutes, 59 seconds",
 * "1 days,18 hours, 45 minutes, 1 seconds" (no blank after "days,", always plural).
 */
export function formatUptime(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(s / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  let text = `${s % 60} seconds`;
  if (minutes > 0) text = `${minutes % 60} minutes, ${text}`;
  if (hours > 0) text = `${hours % 24} hours, ${text}`;
  if (days > 0) text = `${days} days,${text}`;
  return text;
}
