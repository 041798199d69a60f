import type { BucketsView } from "../../api/types";
import { BAD_FROM, type Columns, UNCERTAIN_FROM } from "./columns";
import { bucketSilences, silentAfterMs } from "./silence";

/** A point's samples gathered by equal stretches of time; a stretch without samples is left out. */
export interface Buckets extends Columns {
  widthMs: number;
  /** `value` is the mean, `time` where the bucket begins; of all that is not bad. */
  minimum: Float64Array;
  maximum: Float64Array;
  count: Float64Array;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Widths that people can name, so that a bucket's values stay the same from one request to the next. */
const WIDTHS = [
  ...[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 30].map((n) => n * DAY),
];

/** Return the narrowest width with which no more than `most` buckets cover a span. */
export function widthFor(spanMs: number, most: number): number {
  const least = spanMs / most;
  return WIDTHS.find((width) => width >= least) ?? Math.ceil(least / DAY) * DAY;
}

const numbers = (column: readonly (number | null)[]) =>
  Float64Array.from(column, (value) => value ?? Number.NaN);

export function bucketsFrom(view: BucketsView, widthMs: number): Buckets {
  const time = Float64Array.from(view.time_ms);
  const buckets: Buckets = {
    widthMs,
    time,
    value: numbers(view.mean),
    minimum: numbers(view.minimum),
    maximum: numbers(view.maximum),
    count: Float64Array.from(view.count),
    silence: new Uint8Array(time.length),
    silentMs: Number.POSITIVE_INFINITY,
    quality: Uint8Array.from(view.count, (count, index) =>
      worstOf(count, view.good[index] ?? 0, view.mean[index] ?? null),
    ),
    first: 0,
    end: time.length,
  };
  const silence = bucketSilences(buckets, buckets.count, widthMs);
  return { ...buckets, silence, silentMs: silentAfterMs(buckets, buckets.end - 1) };
}

/** A bucket is bad when nothing in it can be trusted, uncertain when not all of it is good. */
function worstOf(count: number, good: number, mean: number | null): number {
  if (mean === null) return BAD_FROM;
  return good < count ? UNCERTAIN_FROM : 0;
}

/** Return how many samples lie in the buckets that begin in a stretch. */
export function samplesIn(view: BucketsView, fromMs: number, toMs: number): number {
  let sum = 0;
  for (const [index, at] of view.time_ms.entries())
    if (at >= fromMs && at < toMs) sum += view.count[index] ?? 0;
  return sum;
}
