import type { TimeFormats } from "../../text/format";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Steps between two labels that people count in. */
export const TIME_STEPS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28, 56].map((n) => n * DAY),
];

/** Return the instants that are labelled: whole steps of the site's own clock, so that days begin at its midnight. */
export function timeSplits(
  fromMs: number,
  toMs: number,
  stepMs: number,
  offsetMs: (at: number) => number,
): number[] {
  const splits: number[] = [];
  const first = Math.ceil((fromMs + offsetMs(fromMs)) / stepMs) * stepMs;
  for (let local = first; ; local += stepMs) {
    // The offset may change on the way: ask for it near the instant itself.
    const at = local - offsetMs(local - offsetMs(fromMs));
    if (at > toMs) return splits;
    if (at >= fromMs && at > (splits.at(-1) ?? Number.NEGATIVE_INFINITY)) splits.push(at);
  }
}

/**
 * Return the words of a time axis: the hour, and below it the day where it is the first or a new one.
 *
 * `stepMs` is the time between two of them.
 */
export function timeLabels(splits: readonly number[], stepMs: number, times: TimeFormats): string[] {
  let lastDay = "";
  return splits.map((at) => {
    const day = times.date(at);
    if (stepMs >= DAY) return day;
    const fresh = day !== lastDay;
    lastDay = day;
    const hour = clockOf(at, stepMs, times);
    return fresh ? `${hour}\n${day}` : hour;
  });
}

function clockOf(at: number, stepMs: number, times: TimeFormats): string {
  const time = times.time(at);
  if (stepMs >= MINUTE) return time.slice(0, 5);
  return stepMs >= SECOND ? time : `${time}.${Math.floor((at % SECOND) / 100)}`;
}
