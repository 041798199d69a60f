import { useQueries } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { limitsQuery } from "../api/queries";
import type { Point } from "../api/types";
import { serverNow } from "../live/live";
import { Cursor } from "./chart/cursor";
import { fixedLimits, type LimitLine } from "./chart/limits";
import { lookOf } from "./chart/look";
import { serverSource } from "./data/source";
import { TrackLoader } from "./data/trackLoader";
import type { View } from "./data/view";
import { ViewKeeper } from "./data/viewKeeper";

export interface Trend {
  loader: TrackLoader;
  keeper: ViewKeeper;
  cursor: Cursor;
}

/** Keep what a chart of these points needs; `points` must stay the same list while nothing changes. */
export function useTrend(points: readonly Point[], firstView: () => View): Trend {
  const [trend] = useState(() => ({
    loader: new TrackLoader(serverSource, serverNow),
    keeper: new ViewKeeper(firstView(), serverNow),
    cursor: new Cursor(),
  }));
  const { loader } = trend;
  useEffect(() => loader.setPoints(points.map((point) => point.key)), [loader, points]);
  useEffect(() => () => loader.stop(), [loader]);
  return trend;
}

/** Return the limits of rules on these points as lines; none before they are here. */
export function useLimits(points: readonly Point[]): readonly LimitLine[] {
  const limits = useQueries({
    queries: points.map((point) => limitsQuery(point.key)),
    combine: (answers) => answers.map(({ data }) => data ?? []),
  });
  return useMemo(() => {
    const letter = (index: number) => (points.length > 1 ? lookOf(index).letter : "");
    return points.flatMap((point, index) => fixedLimits(limits[index] ?? [], point.key, letter(index)));
  }, [limits, points]);
}
