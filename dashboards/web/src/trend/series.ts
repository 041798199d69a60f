import type { History, ValueRow } from "../api/types";

/** Times in seconds, as uPlot wants them, and values with null where there is nothing to trust. */
export interface Series {
  times: number[];
  values: (number | null)[];
}

const BAD_FROM = 128;

const trusted = (value: number | null, quality: number) => (quality < BAD_FROM ? value : null);

export function seriesFrom(history: History): Series {
  return {
    times: history.time_ms.map((ms) => ms / 1000),
    values: history.value.map((value, index) => trusted(value, history.quality[index] ?? 0)),
  };
}

/** Put a live sample at the end; one that is not newer changes nothing. Tells whether it was put. */
export function append(series: Series, sample: ValueRow): boolean {
  const at = sample[3] / 1000;
  if (at <= (series.times.at(-1) ?? 0)) return false;
  series.times.push(at);
  series.values.push(trusted(sample[1], sample[2]));
  return true;
}

/** Forget what is older than the span. */
export function forgetBefore(series: Series, from: number): void {
  const first = series.times.findIndex((time) => time >= from);
  if (first <= 0) return;
  series.times.splice(0, first);
  series.values.splice(0, first);
}

/** Return the scale that shows all values and limits, with a margin. */
export function scaleOf(
  lowest: number | null,
  highest: number | null,
  limits: readonly number[],
): [number, number] {
  const all = [...limits, ...[lowest, highest].filter((bound): bound is number => bound !== null)];
  if (all.length === 0) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}
