import { useEffect, useState } from "react";
import { scaleOf } from "../trend/chart/axes";
import { stepFor } from "../trend/chart/limits";
import { extentOf } from "../trend/data/track";
import type { Trend } from "../trend/useTrend";
import type { Travel } from "./lines";
import type { Stretch } from "./stretch";
import { viewOf } from "./stretch";

/** Beyond what the point did and where its limits are, they may go so far, as a share of that. */
const BEYOND = 0.5;

/** Return how far limits may be moved: around what the point did on a stretch; null before its samples are here. */
export function useTravel(
  point: number,
  limits: readonly number[],
  stretch: Stretch,
  { loader }: Trend,
): Travel | null {
  const [travel, setTravel] = useState<Travel | null>(null);
  const values = limits.join();
  useEffect(() => {
    const look = () => {
      const track = loader.track(point);
      if (!track || loader.status.loading) return;
      const held = values.split(",").filter(Boolean).map(Number);
      setTravel(travelFor(scaleOf([extentOf(track, viewOf(stretch))], held)));
      stop();
    };
    const stop = loader.subscribe(look);
    look();
    return stop;
  }, [loader, point, values, stretch]);
  return travel;
}

function travelFor([low, high]: readonly [number, number]): Travel {
  const step = stepFor([low, high]);
  const beyond = (high - low) * BEYOND;
  const onStep = (value: number) => Number((Math.round(value / step) * step).toPrecision(9));
  return { low: onStep(low - beyond), high: onStep(high + beyond), step };
}
