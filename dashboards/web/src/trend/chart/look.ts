/** How one of several lines is told from the others: by its letter and its dash first, by its ink last. */
export interface Look {
  /** Stands on the line and in the legend. */
  letter: string;
  /** Token of a muted ink; colour that speaks is kept for what is abnormal. */
  ink: string;
  /** Lengths of line and gap in CSS pixels; empty: a solid line. */
  dash: readonly number[];
  /** CSS pixels. */
  width: number;
}

const INKS = ["--ink-1", "--ink-2", "--ink-3", "--ink-4"] as const;
const DASHES: readonly (readonly number[])[] = [[], [7, 3], [2, 2], [9, 3, 2, 3]];

/** Return the look of the n-th line, from 0: eight differ without any colour. */
export function lookOf(index: number): Look {
  return {
    letter: String.fromCharCode(65 + index),
    ink: INKS[index % INKS.length] as string,
    dash: DASHES[index % DASHES.length] as readonly number[],
    width: index < DASHES.length ? 1.25 : 2.25,
  };
}
