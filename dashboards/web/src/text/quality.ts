import type { Point, ValueRow } from "../api/types";
import { formatQuantity } from "./format";

export type QualityLevel = "good" | "uncertain" | "bad" | "none";

/** The quality byte's two top bits: below 64 good, below 128 uncertain, else bad. */
export function qualityLevel(sample: ValueRow | undefined): QualityLevel {
  if (sample === undefined) return "none";
  if (sample[2] < 64) return "good";
  return sample[2] < 128 ? "uncertain" : "bad";
}

/** Return a sample as people read it: a state by its name, a quantity with its unit. */
export function valueWords(point: Point, sample: ValueRow | undefined, language: "en" | "zh"): string {
  const value = sample?.[1];
  if (value === undefined || value === null) return "";
  return wordsOf(point, value, language);
}

/** Return a value of a point as people read it, whoever says it. */
export function wordsOf(point: Point, value: number, language: "en" | "zh"): string {
  return point.states[String(value)]?.[language] ?? formatQuantity(value, point.unit);
}
