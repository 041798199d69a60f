/** Below it a sample is good. */
export const UNCERTAIN_FROM = 64;
/** From here on a value must not decide anything, nor be drawn. */
export const BAD_FROM = 128;

/** What a line is drawn from, oldest first: those from `first` up to, not including, `end` count. */
export interface Columns {
  /** Milliseconds UTC. */
  readonly time: Float64Array;
  /** NaN where there is none. */
  readonly value: Float64Array;
  /** The quality byte. */
  readonly quality: Uint8Array;
  /** 1 where silence follows: the next came too late for a line to lead there. */
  readonly silence: Uint8Array;
  /** After how many milliseconds without another the newest counts as followed by silence. */
  readonly silentMs: number;
  readonly first: number;
  readonly end: number;
}

/** Return the index of the first of the columns that is not before a time. */
export function lowerBound(columns: Columns, timeMs: number): number {
  let [low, high] = [columns.first, columns.end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((columns.time[middle] as number) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the index of what holds at a time: the last that is not after it; -1 before the first. */
export function holdingAt(columns: Columns, timeMs: number): number {
  const next = lowerBound(columns, timeMs);
  if (next < columns.end && columns.time[next] === timeMs) return next;
  return next > columns.first ? next - 1 : -1;
}
