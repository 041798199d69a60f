import type { History } from "../../api/types";
import { type Buckets, bucketsFrom, samplesIn, widthFor } from "./buckets";
import { BAD_FROM, type Columns, holdingAt, lowerBound } from "./columns";
import { Samples } from "./samples";
import type { TrendSource } from "./source";
import { type Doubt, doubtOf, isSilentAfter, type Stretches, stretchesOf } from "./stretches";
import { spanOf, type View } from "./view";

/** What is known of one point's past: buckets or samples, and what came live since. */
export interface Track {
  /** The stretch that was asked for; outside it nothing is known, which is not a gap. */
  fromMs: number;
  toMs: number;
  /** Whether the stretch ended at now when it was asked for, so that live samples continue it. */
  reachesNow: boolean;
  /** Null where all samples are here. */
  buckets: Buckets | null;
  /** All samples of the stretch, or beside buckets those that came live since. */
  samples: Samples;
}

/** A stretch of time to be loaded, by buckets of a width. */
export interface Wanted {
  fromMs: number;
  toMs: number;
  reachesNow: boolean;
  widthMs: number;
}

/** As much again on both sides lies ready for a pan. */
const BESIDE = 0.5;
const PIXELS_PER_BUCKET = 2;
/** However wide a screen is, one answer carries no more than twice as many and some. */
const MOST_BUCKETS = 2_000;
/** Samples that arrive between two questions. */
const NEWER = 1_000;

function bucketWidthFor(spanMs: number, pixels: number): number {
  return widthFor(spanMs, Math.min(MOST_BUCKETS, Math.max(1, pixels / PIXELS_PER_BUCKET)));
}

/** Return what to load for a view that is so many pixels wide; whole buckets, none of them wholly after now. */
export function wantedFor(view: View, pixels: number, nowMs: number): Wanted {
  const span = spanOf(view);
  const widthMs = bucketWidthFor(span, pixels);
  const toMs = Math.min(view.toMs + span * BESIDE, nowMs);
  return {
    fromMs: Math.floor((view.fromMs - span * BESIDE) / widthMs) * widthMs,
    toMs: Math.ceil(toMs / widthMs) * widthMs,
    reachesNow: toMs >= nowMs,
    widthMs,
  };
}

/** Tell whether a track shows all there is to see in a view. */
export function suffices(track: Track, view: View, pixels: number): boolean {
  const within = track.fromMs <= view.fromMs && (track.reachesNow || view.toMs <= track.toMs);
  if (!within || track.buckets === null) return within;
  return bucketWidthFor(spanOf(view), pixels) >= track.buckets.widthMs;
}

/** So many samples one answer carries. */
const MOST_IN_ANSWER = 100_000;

/** Load a track: samples where the view shows no more than `most`, buckets of them otherwise. */
export async function loadTrack(
  source: TrendSource,
  key: number,
  wanted: Wanted,
  shown: View,
  most: number,
  signal: AbortSignal,
): Promise<Track> {
  const { fromMs, toMs, reachesNow, widthMs } = wanted;
  const count = Math.round((toMs - fromMs) / widthMs);
  const view = await source.buckets(key, fromMs, toMs, count, signal);
  const many = samplesIn(view, fromMs, toMs);
  if (samplesIn(view, shown.fromMs, shown.toMs) > most || many > MOST_IN_ANSWER) {
    return { fromMs, toMs, reachesNow, buckets: bucketsFrom(view, widthMs), samples: new Samples() };
  }
  const history = await source.samples(key, fromMs, toMs, Math.min(many + NEWER, MOST_IN_ANSWER), signal);
  const all = Samples.from(history);
  // What comes at its time needs no look back; what tells only changes holds since whenever it last did.
  if (all.silentMs !== Number.POSITIVE_INFINITY)
    return { fromMs, toMs, reachesNow, buckets: null, samples: all };
  const before = await holding(source, key, fromMs, signal);
  const samples = Samples.from(joined(before, history));
  return { fromMs, toMs, reachesNow, buckets: null, samples };
}

/** So far back lies at most what a point that only tells changes said last. */
const HOLDS_MS = 7 * 86_400_000;

/** Return the one sample that still held when a stretch began: a door that stays shut says nothing all day. */
function holding(source: TrendSource, key: number, atMs: number, signal: AbortSignal): Promise<History> {
  return source.samples(key, atMs - HOLDS_MS, atMs, 1, signal);
}

function joined(before: History, after: History): History {
  return {
    time_ms: [...before.time_ms, ...after.time_ms],
    value: [...before.value, ...after.value],
    quality: [...before.quality, ...after.quality],
  };
}

/** Return until when the newest of a track's samples counts: nothing is known of what comes after. */
export const knownUntil = (track: Track, nowMs: number): number =>
  track.reachesNow ? nowMs : Math.min(track.toMs, nowMs);

/** Return the lines and doubts of a track's buckets (none where all is samples) and of its samples. */
export function stretchesOfTrack(
  track: Track,
  view: View,
  nowMs: number,
): { buckets: Stretches; samples: Stretches } {
  const until = knownUntil(track, nowMs);
  const { buckets, samples } = track;
  const from = Math.max(view.fromMs, track.fromMs);
  const of = (columns: Columns, untilMs: number) => stretchesOf(columns, from, view.toMs, untilMs);
  if (!buckets) return { buckets: NO_STRETCHES, samples: of(samples, until) };
  const liveFrom = samples.length > 0 ? (samples.time[samples.first] as number) : until;
  return {
    buckets: of(buckets, liveFrom),
    samples: of(samples, until),
  };
}

const NO_STRETCHES: Stretches = { lines: [], doubts: [] };

/** Return the least and the greatest value in a view; null when it holds none that can be trusted. */
export function extentOf(track: Track, view: View): [number, number] | null {
  const extent: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const { buckets, samples } = track;
  if (buckets) widen(extent, buckets, buckets.minimum, buckets.maximum, view);
  widen(extent, samples, samples.value, samples.value, view);
  return extent[0] <= extent[1] ? extent : null;
}

function widen(
  extent: [number, number],
  columns: Columns,
  low: Float64Array,
  high: Float64Array,
  view: View,
): void {
  const from = Math.max(columns.first, holdingAt(columns, view.fromMs));
  const to = Math.min(columns.end, lowerBound(columns, view.toMs) + 1);
  for (let index = from; index < to; index += 1) {
    if ((columns.quality[index] as number) >= BAD_FROM) continue;
    // A comparison with NaN is false: what is no number widens nothing.
    if ((low[index] as number) < extent[0]) extent[0] = low[index] as number;
    if ((high[index] as number) > extent[1]) extent[1] = high[index] as number;
  }
}

/** What a point was at an instant. */
export interface Reading {
  /** Of a bucket the mean; null: no number. */
  value: number | null;
  /** Of a bucket; null for a single sample. */
  range: readonly [number, number] | null;
  /** When the sample or the bucket began to count. */
  atMs: number;
  doubt: Doubt | null;
}

/** Return what a point was at an instant; null where nothing is known. */
export function readingAt(track: Track, atMs: number, nowMs: number): Reading | null {
  const until = knownUntil(track, nowMs);
  if (atMs < track.fromMs || atMs > until) return null;
  const { buckets, samples } = track;
  const sample = holdingAt(samples, atMs);
  if (sample >= 0) return readingOf(samples, sample, atMs, until);
  const bucket = buckets ? holdingAt(buckets, atMs) : -1;
  if (!buckets || bucket < 0) return null;
  const reading = readingOf(buckets, bucket, atMs, until);
  const range = [buckets.minimum[bucket] as number, buckets.maximum[bucket] as number] as const;
  return { ...reading, range: reading.value === null || range[0] === range[1] ? null : range };
}

function readingOf(columns: Columns, index: number, atMs: number, untilMs: number): Reading {
  const value = columns.value[index] as number;
  const isPast = atMs > (columns.time[index] as number);
  return {
    value: Number.isNaN(value) ? null : value,
    range: null,
    atMs: columns.time[index] as number,
    doubt: isPast && isSilentAfter(columns, index, untilMs) ? "silent" : doubtOf(columns, index),
  };
}

/** Tell whether a view shows nothing of a track: neither a sample nor one that still holds. */
export function isEmptyIn({ buckets, samples }: Track, view: View): boolean {
  const reaches = (columns: Columns) =>
    columns.end > columns.first && (columns.time[columns.first] as number) < view.toMs;
  return !reaches(samples) && !(buckets && reaches(buckets));
}
