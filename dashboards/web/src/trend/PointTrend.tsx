import { useMemo, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Point } from "../api/types";
import { useLocal } from "../i18n";
import { serverNow, useLiveStatus } from "../live/live";
import { LoadState } from "../shell/LoadState";
import { TrendChart } from "./chart/TrendChart";
import { lastOf, spanOf } from "./data/view";
import { TrendNotice } from "./TrendNotice";
import { useLimits, useTrend } from "./useTrend";

/** Seconds. */
const SPANS = [900, 3600, 28800, 86400] as const;

interface Props {
  point: Point;
  /** CSS pixels. */
  height: number;
}

/** A point's recent past with its limits, going on live. */
export function PointTrend(props: Props) {
  const { heardAt } = useLiveStatus();
  // Before the server's clock is known, "the last hour" means nothing.
  if (heardAt === null) return <LoadState failed={false} retry={() => undefined} />;
  return <KnownPointTrend key={props.point.key} {...props} />;
}

function KnownPointTrend({ point, height }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const points = useMemo(() => [point], [point]);
  const trend = useTrend(points, () => lastOf(SPANS[0] * 1_000, serverNow()));
  const limits = useLimits(points);
  const { keeper } = trend;
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const seconds = Math.round(spanOf(view) / 1_000);
  return (
    <div>
      <fieldset className="toggles" aria-label={t("trend.spans")}>
        {SPANS.map((span) => (
          <button
            key={span}
            type="button"
            className="button"
            aria-pressed={view.live && span === seconds}
            onClick={() => keeper.choose(lastOf(span * 1_000, keeper.now()))}
          >
            {t(`trend.span.${span}`)}
          </button>
        ))}
      </fieldset>
      <div className="trend">
        <TrendChart
          {...trend}
          points={points}
          limits={limits}
          height={height}
          wheel={false}
          label={t("trend.label", { points: local(point.title) })}
        />
        <TrendNotice loader={trend.loader} keeper={keeper} points={points} />
      </div>
    </div>
  );
}
