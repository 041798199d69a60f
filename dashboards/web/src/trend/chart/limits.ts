import type { Limit, Priority } from "../../api/types";
import { formatNumber } from "../../text/format";

/** A horizontal line that a rule holds a point against. */
export interface LimitLine {
  id: string;
  /** Key of the point whose values it is held against. */
  point: number;
  value: number;
  /** Null: of no urgency, such as a deadband's edge. */
  priority: Priority | null;
  /** What stands on the line besides its value. */
  label: string;
  /** Null: the line only shows where the limit is. */
  drag: DragRules | null;
}

/** How a limit may be moved. */
export interface DragRules {
  /** Its full name for those who do not see the chart, such as `High limit of Bearing, °C`. */
  name: string;
  minimum: number;
  maximum: number;
  /** How far one key goes; a drag ends on a whole number of steps, too. */
  step: number;
  /** The value as people read it, with its unit. */
  words: (value: number) => string;
}

/** Steps that PgUp and PgDn go at once. */
const PAGE = 10;

/** Return a value on its steps and within its bounds. */
export function settled(value: number, { minimum, maximum, step }: DragRules): number {
  const whole = Math.round(value / step) * step;
  const bounded = Math.min(maximum, Math.max(minimum, whole));
  return Number(bounded.toFixed(decimalsOf(step)));
}

/** As many as the step has: 0.1 + 0.2 is 0.3 for people. */
function decimalsOf(step: number): number {
  return Math.min(12, Math.max(0, (String(step).split(".")[1] ?? "").length));
}

/** Return where a key moves a limit; undefined when the key is not for it. */
export function movedByKey(key: string, value: number, rules: DragRules): number | undefined {
  const moves: Record<string, number> = {
    ArrowUp: value + rules.step,
    ArrowRight: value + rules.step,
    ArrowDown: value - rules.step,
    ArrowLeft: value - rules.step,
    PageUp: value + rules.step * PAGE,
    PageDown: value - rules.step * PAGE,
    Home: rules.minimum,
    End: rules.maximum,
  };
  const to = moves[key];
  return to === undefined ? undefined : settled(to, rules);
}

/** Return a step that is neither a crumb nor a leap on a scale: about a two-hundredth of it. */
export function stepFor([low, high]: readonly [number, number]): number {
  const wanted = (high - low) / 200;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= wanted) ?? 10;
  return Number((step * power).toPrecision(1));
}

/** Return a point's limits as lines that cannot be moved; `letter` is of its line, empty where there is only one. */
export function fixedLimits(limits: readonly Limit[], point: number, letter: string): LimitLine[] {
  return limits.map((limit, index) => ({
    id: `${point} ${index}`,
    point,
    value: limit.value,
    priority: limit.priority,
    label: `${letter ? `${letter} · ` : ""}P${limit.priority} ${limit.side.includes("low") ? "↓" : "↑"} ${formatNumber(limit.value)}`,
    drag: null,
  }));
}

const LABEL_HEIGHT_PX = 15;

/**
 * Return in which column from the right each label stands, so that labels of near lines stay apart.
 *
 * `ys` are pixels from the top, one per line, in any order.
 */
export function labelColumns(ys: readonly number[]): number[] {
  const columns = ys.map(() => 0);
  const order = [...ys.keys()].sort((a, b) => (ys[a] as number) - (ys[b] as number));
  const lastY: number[] = [];
  for (const index of order) {
    const y = ys[index] as number;
    let column = 0;
    while ((lastY[column] ?? Number.NEGATIVE_INFINITY) > y - LABEL_HEIGHT_PX) column += 1;
    columns[index] = column;
    lastY[column] = y;
  }
  return columns;
}
