import type { ConditionContent, LimitSide, LocalText, RuleContent, RuleRevision } from "../api/types";
import { exactNumber } from "../text/format";

/** One limit that is a number. */
export interface WrittenLimit {
  side: LimitSide;
  value: number;
}

/** From the lowest value up. */
export const LIMIT_SIDES: readonly LimitSide[] = ["low_low", "low", "high", "high_high"];

/** Return the definition as the API carries it: its schema knows only that it is an object. */
export const contentOf = (definition: Record<string, unknown>) => definition as RuleContent;

/** Return what a revision's rule is called, also one that it switches off; undefined: it was off already. */
export function titleOf({ definition, differences }: RuleRevision): LocalText | undefined {
  const written = definition ?? (differences[0]?.before as RuleContent | null | undefined);
  return written ? contentOf(written).title : undefined;
}

/** Return the limits of a condition that are numbers, from the lowest up; none where it has no such limits. */
export function limitsOf({ limits = {} }: ConditionContent): WrittenLimit[] {
  return LIMIT_SIDES.flatMap((side) => {
    const value = limits[side]?.value;
    return value === undefined ? [] : [{ side, value }];
  });
}

/** Return the limits of a condition that are taken from other points: `high`, `setpoint + 5`. */
export function movingLimitsOf({ limits = {} }: ConditionContent): [side: LimitSide, words: string][] {
  return LIMIT_SIDES.flatMap((side): [LimitSide, string][] => {
    const { point, offset = 0 } = limits[side] ?? {};
    if (point === undefined) return [];
    const moved = offset === 0 ? "" : ` ${offset < 0 ? "−" : "+"} ${exactNumber(Math.abs(offset))}`;
    return [[side, `${point}${moved}`]];
  });
}

/** Return the definition with one limit moved. */
export function withLimit(definition: RuleContent, side: LimitSide, value: number): RuleContent {
  const { limits = {} } = definition.condition;
  return withCondition(definition, { limits: { ...limits, [side]: { ...limits[side], value } } });
}

/** Return the definition with some of its condition's fields changed. */
export const withCondition = (definition: RuleContent, changes: Partial<ConditionContent>): RuleContent => ({
  ...definition,
  condition: { ...definition.condition, ...changes },
});

const IN_UNIT = new Set(["deadband", "tolerance", "limit", "offset", "value"]);

/** Return the unit of a field, which its name ends with where it is one of time. */
export function unitOf(key: string, unit: string): string {
  if (key.endsWith("_s")) return "s";
  if (key.endsWith("_min")) return "min";
  if (key.endsWith("_h")) return "h";
  return IN_UNIT.has(key) ? unit : "";
}

/** How far two temperatures are apart is said in kelvin. */
const differenceUnit = (unit: string) => (unit === "°C" ? "K" : unit);

/** Return the unit of a condition's limits, which is the point's or follows from it. */
export function limitUnit({ type, per }: ConditionContent, unit: string): string {
  if (type === "deviation") return differenceUnit(unit);
  return type === "rate_of_change" ? `${differenceUnit(unit) || "1"}/${String(per)}` : unit;
}

/** Return the unit of a field of a condition on a point. */
export function fieldUnit(key: string, condition: ConditionContent, unit: string): string {
  return key === "deadband" ? limitUnit(condition, unit) : unitOf(key, unit);
}

/** Tell whether two definitions say the same; one that is written as absent is absent. */
export function sameContent(a: RuleContent, b: RuleContent): boolean {
  const written = (content: RuleContent) =>
    JSON.stringify(content, (_key, value: unknown) => (value === null ? undefined : value));
  return written(a) === written(b);
}
