import type { Columns } from "./columns";

/** How many of a point's usual intervals may pass before its silence shows. */
const INTERVALS = 5;
/** So many intervals on either side say what is usual: a point may be sampled otherwise than last week. */
const NEIGHBOURS = 16;
/** Fewer say nothing. */
const LEAST_NEIGHBOURS = 8;
/** An interval that is not even so much longer than the last usual one needs no closer look. */
const LONGER = 2;
const LONG_SHARE = 0.9;
/** A point whose long intervals are so much longer than its middle one reports changes, not periods. */
const REGULAR = 3;
/** Buckets that usually hold so many samples never stay empty by chance. */
const DENSE_COUNT = 5;

const NEVER = Number.POSITIVE_INFINITY;

function interval(columns: Columns, index: number): number {
  return (columns.time[index + 1] as number) - (columns.time[index] as number);
}

/**
 * Return how long a point may say nothing after one of its samples, judged by the intervals around it.
 *
 * Infinity for a point that speaks only when something changes, or too rarely to tell: it says nothing for hours and
 * is well, and what its device lost arrives as bad quality.
 */
export function silentAfterMs(columns: Columns, index: number): number {
  const around: number[] = [];
  const from = Math.max(columns.first, index - NEIGHBOURS);
  const to = Math.min(columns.end - 1, index + NEIGHBOURS + 1);
  for (let other = from; other < to; other += 1) if (other !== index) around.push(interval(columns, other));
  if (around.length < LEAST_NEIGHBOURS) return NEVER;
  around.sort((a, b) => a - b);
  const middle = around[around.length >> 1] as number;
  const long = around[Math.floor(around.length * LONG_SHARE)] as number;
  return long > middle * REGULAR ? NEVER : long * INTERVALS;
}

/** Return which samples are followed by silence: 1 for each, 0 for all others. */
export function silencesIn(columns: Columns): Uint8Array {
  const silences = new Uint8Array(columns.time.length);
  let usual = 0;
  for (let index = columns.first; index + 1 < columns.end; index += 1) {
    const long = interval(columns, index);
    if (long > usual * LONGER && long > silentAfterMs(columns, index)) silences[index] = 1;
    else usual = long;
  }
  return silences;
}

/** Return the same for buckets, of which those without samples are left out. */
export function bucketSilences(columns: Columns, count: Float64Array, widthMs: number): Uint8Array {
  const silences = silencesIn(columns);
  for (let index = columns.first; index + 1 < columns.end; index += 1) {
    const dense = [index - 1, index, index + 1, index + 2].filter((one) => (count[one] ?? 0) >= DENSE_COUNT);
    if (interval(columns, index) > widthMs * 1.5 && dense.length >= 2) silences[index] = 1;
  }
  return silences;
}
