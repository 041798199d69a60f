import type { Point } from "../../api/types";

/** One vertical axis: of a unit, or of states that mean the same. */
export interface AxisPlan {
  /** Also the name of its scale. */
  id: string;
  /** As people write it; empty for states and for bare numbers. */
  unit: string;
  side: "left" | "right";
  /** Places of its lines in the list of points. */
  members: readonly number[];
  /** Codes with their words, where numbers would mean nothing; null for quantities. */
  states: Point["states"] | null;
}

export const isStates = (point: Point): boolean => point.kind === "binary" || point.kind === "multistate";

const axisKey = (point: Point) =>
  isStates(point) ? `states ${JSON.stringify(point.states)}` : `unit ${point.unit}`;

/** Points of one unit share an axis; axes stand left and right in turn, in the order of their first point. */
export function planAxes(points: readonly Point[]): AxisPlan[] {
  const members = Map.groupBy(points.keys(), (index) => axisKey(points[index] as Point));
  return [...members.values()].map((indices, turn) => {
    const first = points[indices[0] as number] as Point;
    return {
      id: `y${turn}`,
      unit: isStates(first) ? "" : first.unit,
      side: turn % 2 === 0 ? "left" : "right",
      members: indices,
      states: isStates(first) ? first.states : null,
    };
  });
}

/** Above and below what is shown, as a share of its height. */
const MARGIN = 0.08;

/** Return the scale that shows all values and limits, with a margin. */
export function scaleOf(
  extents: readonly (readonly [number, number] | null)[],
  limits: readonly number[],
): [number, number] {
  const all = [...limits, ...extents.flatMap((extent) => extent ?? [])];
  if (all.length === 0) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = (high - low) * MARGIN || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}

/** Return the scale of states: all of them, whichever occur. */
export function stateScaleOf(codes: readonly number[]): [number, number] {
  if (codes.length === 0) return [-0.5, 1.5];
  return [Math.min(...codes) - 0.3, Math.max(...codes) + 0.3];
}
