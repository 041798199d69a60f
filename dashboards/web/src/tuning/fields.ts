import type { ConditionContent } from "../api/types";

/** One thing of a condition that people may change, besides its limits. */
export type Field =
  | NumberField
  | { key: string; kind: "text" }
  /** Several names, written with commas between them. */
  | { key: string; kind: "names" }
  | { key: string; kind: "choice"; choices: readonly string[] }
  /** The name of another point of the asset. */
  | { key: string; kind: "point" };

export interface NumberField {
  key: string;
  kind: "number";
  /** May be as small as this. */
  least?: number;
  /** Must be greater than this. */
  above?: number;
  whole?: true;
  /** May be absent. */
  optional?: true;
}

const number = (key: string, rules: Omit<NumberField, "key" | "kind"> = {}): NumberField => ({
  key,
  kind: "number",
  ...rules,
});
const DEADBAND = number("deadband", { least: 0 });
const DELAYS = [number("on_delay_s", { least: 0 }), number("off_delay_s", { least: 0 })];
const WINDOW = number("window_s", { above: 0 });
const names = (key: string): Field => ({ key, kind: "names" });

/** What each kind of condition has, in the order in which people think of it. */
const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  threshold: [DEADBAND, ...DELAYS],
  state: [names("states"), ...DELAYS],
  forbidden_state: [names("allowed"), ...DELAYS],
  no_data: [number("timeout_s", { above: 0 })],
  bad_quality: [names("reasons"), number("timeout_s", { above: 0, optional: true }), ...DELAYS],
  rate_of_change: [{ key: "per", kind: "choice", choices: ["s", "min", "h"] }, WINDOW, DEADBAND, ...DELAYS],
  deviation: [{ key: "reference", kind: "point" }, DEADBAND, ...DELAYS],
  moving_threshold: [DEADBAND, ...DELAYS],
  stuck: [number("for_s", { above: 0 }), number("tolerance", { least: 0 })],
  event_count: [names("states"), number("count", { least: 1, whole: true }), WINDOW, ...DELAYS],
  coincidence: [
    names("states"),
    number("count", { least: 2, whole: true }),
    { key: "within", kind: "choice", choices: ["building", "floor", "zone", "room"] },
    ...DELAYS,
  ],
  composite: [{ key: "expression", kind: "text" }, ...DELAYS],
  window: [
    { key: "statistic", kind: "choice", choices: ["mean", "min", "max", "percentile"] },
    number("percentile", { above: 0, optional: true }),
    WINDOW,
    DEADBAND,
    ...DELAYS,
  ],
  counter: [WINDOW, number("modulus", { above: 0, optional: true }), DEADBAND, ...DELAYS],
  forecast: [
    number("limit"),
    { key: "direction", kind: "choice", choices: ["rising", "falling"] },
    number("horizon_h", { above: 0 }),
    number("window_h", { above: 0 }),
    ...DELAYS,
  ],
  baseline: [
    names("points"),
    number("sample_s", { above: 0 }),
    number("smoothing", { above: 0 }),
    number("limit_factor", { above: 0 }),
    ...DELAYS,
  ],
};

/** Return what of a condition may be changed; nothing of a kind that the console does not know. */
export const fieldsFor = ({ type }: ConditionContent): readonly Field[] => FIELDS[type] ?? [];

/** Read a number that people wrote; undefined when it does not fit the field, null when the field is left empty. */
export function numberFrom(text: string, field: NumberField): number | null | undefined {
  if (text.trim() === "") return field.optional ? null : undefined;
  const value = Number(text);
  const { least = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, whole } = field;
  const fits = Number.isFinite(value) && value >= least && value > above;
  return fits && (!whole || Number.isInteger(value)) ? value : undefined;
}

/** Read names that people wrote with commas between them. */
export const namesFrom = (text: string): string[] =>
  text
    .split(/[,，、]/)
    .map((name) => name.trim())
    .filter(Boolean);
