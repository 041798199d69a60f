import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Point } from "../../api/types";
import { useLanguage } from "../../i18n";
import { wordsOf } from "../../text/quality";
import { isStates, scaleOf } from "../chart/axes";
import { type LimitLine, stepFor } from "../chart/limits";
import { extentOf } from "../data/track";
import type { Trend } from "../useTrend";

export interface Guide {
  /** Null: there is none, or nothing yet to lay it across. */
  line: LimitLine | null;
  /** Undefined where no quantity is shown, so that a guide would measure nothing. */
  first: (() => number) | undefined;
  move: (value: number) => void;
}

/** A line that people lay across the first quantity, to read a height and to try where a limit would lie. */
export function useGuide(points: readonly Point[], { loader, keeper }: Trend, value: number | null): Guide {
  const { t } = useTranslation();
  const language = useLanguage();
  const point = points.find((one) => !isStates(one));
  const [bounds, setBounds] = useState<readonly [number, number]>();
  // While it is dragged it is ahead of the address.
  const [dragged, setDragged] = useState(value);
  useEffect(() => setDragged(value), [value]);
  const key = point?.key;
  const wanted = value !== null;
  useEffect(() => {
    setBounds(undefined);
    if (key === undefined || !wanted) return;
    const look = () => {
      const track = loader.track(key);
      if (!track) return;
      setBounds((known) => known ?? scaleOf([extentOf(track, keeper.view)], []));
    };
    look();
    return loader.subscribe(look);
  }, [key, wanted, loader, keeper]);
  const line = useMemo(() => {
    if (!point || dragged === null || !bounds) return null;
    const [low, high] = scaleOf([bounds], [dragged]);
    const step = stepFor(bounds);
    const words = (at: number) => wordsOf(point, at, language);
    const rules = {
      name: t("trend.guide"),
      minimum: onStep(low, step),
      maximum: onStep(high, step),
      step,
      words,
    };
    return { id: "guide", point: point.key, value: dragged, priority: null, label: "", drag: rules };
  }, [point, dragged, bounds, language, t]);
  const first = () => {
    const track = key === undefined ? undefined : loader.track(key);
    const [low, high] = scaleOf([track ? extentOf(track, keeper.view) : null], []);
    return onStep((low + high) / 2, stepFor([low, high]));
  };
  return { line, first: point && first, move: setDragged };
}

const onStep = (value: number, step: number) => Number((Math.round(value / step) * step).toPrecision(6));
