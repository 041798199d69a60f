import type { Point } from "../../api/types";
import type { TimeFormats } from "../../text/format";
import type { Doubt } from "../data/stretches";
import type { TrackLoader } from "../data/trackLoader";
import type { ViewKeeper } from "../data/viewKeeper";
import type { AxisPlan } from "./axes";
import type { Look } from "./look";

/** One point as a line. */
export interface Line {
  point: Point;
  look: Look;
}

export interface PlotParts {
  /** Its size is the plot's. */
  element: HTMLElement;
  lines: readonly Line[];
  axes: readonly AxisPlan[];
  loader: TrackLoader;
  keeper: ViewKeeper;
  times: TimeFormats;
  language: "en" | "zh";
  /** Why nothing can be known of a stretch, in words. */
  doubtWords: Readonly<Record<Doubt, string>>;
  /** Values that must lie on the scale of an axis: its limits. */
  held: (axisId: string) => readonly number[];
}
