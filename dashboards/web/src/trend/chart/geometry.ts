import type { View } from "../data/view";

/** Where the plotting area lies in its chart, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export type Scales = Readonly<Record<string, readonly [number, number]>>;

/** What a layer above the canvas needs to know to put its things in place. */
export interface Geometry {
  box: Box;
  /** By axis: its values at bottom and top. */
  scales: Scales;
}

/** Return how far from the plotting area's left edge a time lies, in pixels; may lie outside. */
export const xOf = (timeMs: number, view: View, width: number): number =>
  ((timeMs - view.fromMs) / (view.toMs - view.fromMs)) * width;

/** Return how far below the plotting area's top a value lies, in pixels; may lie outside. */
export function yOf(value: number, [low, high]: readonly [number, number], height: number): number {
  return (1 - (value - low) / (high - low)) * height;
}

export function valueAtY(y: number, [low, high]: readonly [number, number], height: number): number {
  return low + (1 - y / height) * (high - low);
}

export function sameGeometry(a: Geometry, b: Geometry): boolean {
  const boxes = a.box.left === b.box.left && a.box.top === b.box.top;
  const sizes = a.box.width === b.box.width && a.box.height === b.box.height;
  const keys = Object.keys(b.scales);
  return (
    boxes &&
    sizes &&
    keys.length === Object.keys(a.scales).length &&
    keys.every(
      (key) => a.scales[key]?.[0] === b.scales[key]?.[0] && a.scales[key]?.[1] === b.scales[key]?.[1],
    )
  );
}
