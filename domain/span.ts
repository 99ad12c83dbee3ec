// Spans of time in words, for people.

const MINUTE_MS = 60_000;
const UNITS = [
  ['d', 24 * 60],
  ['h', 60],
  ['m', 1],
] as const;

/** Days, hours and minutes without the parts that are zero, like `1d 2h 3m`; `0m` below a minute. */
export function durationText(ms: number): string {
  let minutes = Math.floor(ms / MINUTE_MS);
  if (!(minutes > 0)) return '0m';
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(minutes / size);
    if (count > 0) parts.push(`${count}${unit}`);
    minutes -= count * size;
  }
  return parts.join(' ');
}

/** The same, in whole seconds below two minutes: what counts by the second must not read as `0m`. */
export function spanText(ms: number): string {
  if (ms >= 2 * MINUTE_MS) return durationText(ms);
  return `${Math.max(0, Math.round(ms / 1000))}s`;
}
