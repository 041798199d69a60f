import type { Episode, Priority } from "../api/types";

/** Episodes of one lane that lie too near each other to be told apart. */
export interface EpisodeBar {
  /** CSS pixels from the left of the plotting area. */
  left: number;
  right: number;
  /** The most urgent of them. */
  priority: Priority;
  count: number;
  /** How many of them the other lane has not. */
  alone: number;
}

/** How many episodes begin near a place that the other lane has not. */
export interface LoneSign {
  left: number;
  count: number;
}

interface Place {
  x: (timeMs: number) => number;
  width: number;
  /** Where one that has not ended is drawn to. */
  endMs: number;
}

/** Bars that come nearer than this are one. */
const APART_PX = 2;
const LEAST_PX = 3;
/** A sign with its count needs so much room; the first, with the word for what it means, more. */
const SIGN_PX = 40;
const FIRST_SIGN_PX = 90;

/**
 * Put the episodes of one lane, in the order of time, on the plotting area; those outside it are left out.
 *
 * An episode that the other lane has not never becomes one with those that it has, so that it keeps its shape, unless
 * no pixel lies between them.
 */
export function episodeBars(
  episodes: readonly Episode[],
  alone: ReadonlySet<number>,
  { x, width, endMs }: Place,
): EpisodeBar[] {
  const bars: EpisodeBar[] = [];
  episodes.forEach(([raisedMs, clearedMs, priority], index) => {
    const left = Math.max(0, x(raisedMs));
    const right = Math.min(width, Math.max(x(clearedMs ?? endMs), left + LEAST_PX));
    if (x(clearedMs ?? endMs) < 0 || left > width) return;
    const lone = Number(alone.has(index));
    const last = bars.at(-1);
    const same = last !== undefined && last.alone > 0 === lone > 0;
    if (last && left < last.right + (same ? APART_PX : 0)) {
      last.right = Math.max(last.right, right);
      last.priority = Math.min(last.priority, priority) as Priority;
      last.count += 1;
      last.alone += lone;
    } else bars.push({ left, right, priority, count: 1, alone: lone });
  });
  return bars;
}

/** Gather signs of what the other lane has not, so that none hides another. */
export function loneSigns(bars: readonly EpisodeBar[]): LoneSign[] {
  const signs: LoneSign[] = [];
  for (const { left, alone } of bars) {
    if (alone === 0) continue;
    const last = signs.at(-1);
    const room = signs.length === 1 ? FIRST_SIGN_PX : SIGN_PX;
    if (last && left - last.left < room) last.count += alone;
    else signs.push({ left, count: alone });
  }
  return signs;
}

/** One episode that only one lane has. */
export interface Difference {
  kind: "new" | "missed";
  fromMs: number;
  /** Null: it stood at the end. */
  toMs: number | null;
  priority: Priority;
}

interface Lanes {
  live_episodes: readonly Episode[];
  draft_episodes: readonly Episode[];
  new: readonly number[];
  missed: readonly number[];
}

/** Return what only one lane has, the newest first, and no more than `most`. */
export function differencesOf(lanes: Lanes, most: number): Difference[] {
  const pick = (kind: Difference["kind"], episodes: readonly Episode[], indices: readonly number[]) =>
    indices.slice(-most).flatMap((index): Difference[] => {
      const episode = episodes[index];
      return episode ? [{ kind, fromMs: episode[0], toMs: episode[1], priority: episode[2] }] : [];
    });
  return [
    ...pick("new", lanes.draft_episodes, lanes.new),
    ...pick("missed", lanes.live_episodes, lanes.missed),
  ]
    .sort((a, b) => b.fromMs - a.fromMs)
    .slice(0, most);
}
