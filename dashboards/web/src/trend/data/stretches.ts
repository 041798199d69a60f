import { BAD_FROM, type Columns, holdingAt, lowerBound, UNCERTAIN_FROM } from "./columns";

/** Why a stretch of time is marked. */
export type Doubt = "uncertain" | "bad" | "silent";

export interface DoubtfulSpan {
  doubt: Doubt;
  fromMs: number;
  toMs: number;
}

export interface Stretches {
  /** Index ranges `[from, to)` through which a line may be drawn without a break. */
  lines: [number, number][];
  /** When there was something else than good samples, oldest first. */
  doubts: DoubtfulSpan[];
}

/** Return what is doubtful about one of the columns itself; null for a good one. */
export function doubtOf(columns: Columns, index: number): "uncertain" | "bad" | null {
  const quality = columns.quality[index] as number;
  if (quality >= BAD_FROM || Number.isNaN(columns.value[index])) return "bad";
  return quality >= UNCERTAIN_FROM ? "uncertain" : null;
}

/**
 * Split what lies in a window into lines and doubts: no line crosses bad samples or silence.
 *
 * Each sample counts until the next; the newest until `untilMs`.
 */
export function stretchesOf(columns: Columns, fromMs: number, toMs: number, untilMs: number): Stretches {
  const split = new Splitter();
  const from = Math.max(columns.first, holdingAt(columns, fromMs));
  const to = Math.min(columns.end, lowerBound(columns, toMs) + 1);
  for (let index = from; index < to; index += 1) {
    const at = columns.time[index] as number;
    split.take(
      index,
      doubtOf(columns, index),
      at,
      nextOf(columns, index, untilMs),
      isSilentAfter(columns, index, untilMs),
    );
  }
  return split.finish(to);
}

/** Return until when one of the columns counts. */
export function nextOf(columns: Columns, index: number, untilMs: number): number {
  return index + 1 < columns.end
    ? (columns.time[index + 1] as number)
    : Math.max(columns.time[index] as number, untilMs);
}

export function isSilentAfter(columns: Columns, index: number, untilMs: number): boolean {
  if (index + 1 < columns.end) return columns.silence[index] === 1;
  return untilMs - (columns.time[index] as number) > columns.silentMs;
}

class Splitter {
  #lines: [number, number][] = [];
  #doubts: DoubtfulSpan[] = [];
  #lineFrom = -1;

  take(index: number, doubt: Doubt | null, at: number, next: number, thenSilent: boolean): void {
    if (doubt === "bad") this.#endLine(index);
    else if (this.#lineFrom < 0) this.#lineFrom = index;
    if (thenSilent) {
      this.#endLine(index + 1);
      this.#mark("silent", at, next);
    } else if (doubt !== null) this.#mark(doubt, at, next);
  }

  finish(to: number): Stretches {
    this.#endLine(to);
    return { lines: this.#lines, doubts: this.#doubts };
  }

  #endLine(at: number): void {
    if (this.#lineFrom >= 0) this.#lines.push([this.#lineFrom, at]);
    this.#lineFrom = -1;
  }

  #mark(doubt: Doubt, fromMs: number, toMs: number): void {
    const last = this.#doubts.at(-1);
    if (last?.doubt === doubt && last.toMs === fromMs) last.toMs = toMs;
    else if (toMs > fromMs) this.#doubts.push({ doubt, fromMs, toMs });
  }
}
