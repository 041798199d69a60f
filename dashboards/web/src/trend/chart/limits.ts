import type { Limit, Priority } from "../../api/types";
import { exactNumber } from "../../text/format";

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
    label: `${letter ? `${letter} · ` : ""}P${limit.priority} ${limit.side.includes("low") ? "↓" : "↑"} ${exactNumber(limit.value)}`,
    drag: null,
  }));
}

/** A line as far as its label is concerned. */
export interface Labelled {
  /** CSS pixels from the top. */
  y: number;
  movable: boolean;
}

export interface LabelPlace {
  /** From the right. */
  column: number;
  /** Below its line rather than above it. */
  below: boolean;
}

/** A label lies between its line and so much above or below it. */
const LABEL_PX = 14;
/** That of a line that can be moved lies around it. */
const MOVABLE_PX = 10;

/** Return where each label stands so that none hides another: above its line, or below it, or further left. */
export function labelPlaces(lines: readonly Labelled[], height: number): LabelPlace[] {
  const taken: { column: number; top: number; bottom: number }[] = [];
  const places = lines.map((): LabelPlace => ({ column: 0, below: false }));
  for (const index of inTurn(lines)) {
    const line = lines[index] as Labelled;
    const sides = sidesOf(line, height);
    for (let column = 0; ; column += 1) {
      const below = sides.find((side) => isFree(taken, column, extentOf(line, side)));
      if (below === undefined) continue;
      places[index] = { column, below };
      taken.push({ column, ...extentOf(line, below) });
      break;
    }
  }
  return places;
}

/** Those that can be moved have only one place in a column, so they choose first; then from the top. */
const inTurn = (lines: readonly Labelled[]): number[] =>
  [...lines.keys()].sort((a, b) => {
    const [one, other] = [lines[a] as Labelled, lines[b] as Labelled];
    return Number(other.movable) - Number(one.movable) || one.y - other.y;
  });

/** Return whether a label may stand below its line, the better place first: at top and bottom there is no room beyond. */
function sidesOf({ y, movable }: Labelled, height: number): boolean[] {
  if (movable || y > height - LABEL_PX) return [false];
  return y < LABEL_PX ? [true] : [false, true];
}

function extentOf({ y, movable }: Labelled, below: boolean) {
  if (movable) return { top: y - MOVABLE_PX, bottom: y + MOVABLE_PX };
  return below ? { top: y, bottom: y + LABEL_PX } : { top: y - LABEL_PX, bottom: y };
}

const isFree = (
  taken: readonly { column: number; top: number; bottom: number }[],
  column: number,
  { top, bottom }: { top: number; bottom: number },
) => taken.every((one) => one.column !== column || one.bottom <= top || one.top >= bottom);
