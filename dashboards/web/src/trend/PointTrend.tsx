import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { historyQuery, limitsQuery } from "../api/queries";
import type { Point } from "../api/types";
import { useLocal } from "../i18n";
import { LoadState } from "../shell/LoadState";
import { TrendChart } from "./TrendChart";

const SPANS = [900, 3600, 28800, 86400] as const;
type Span = (typeof SPANS)[number];

interface Props {
  point: Point;
  height: number;
}

/** A point's recent past with its limits, going on live. */
export function PointTrend({ point, height }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const [span, setSpan] = useState<Span>(900);
  const history = useQuery(historyQuery(point.key, span));
  const limits = useQuery(limitsQuery(point.key));
  const label = t("trend.label", { point: local(point.title), span: t(`trend.span.${span}`) });
  return (
    <div>
      <fieldset className="toggles" aria-label={t("trend.spans")}>
        {SPANS.map((one) => (
          <button
            key={one}
            type="button"
            className="button"
            aria-pressed={one === span}
            onClick={() => setSpan(one)}
          >
            {t(`trend.span.${one}`)}
          </button>
        ))}
      </fieldset>
      <div className="trend" style={{ height }}>
        {history.data && limits.data ? (
          <TrendChart
            key={`${point.key} ${span}`}
            point={point}
            history={history.data}
            limits={limits.data}
            span={span}
            height={height}
            label={label}
          />
        ) : (
          <LoadState
            failed={history.isError || limits.isError}
            retry={() => void Promise.all([history.refetch(), limits.refetch()])}
          />
        )}
      </div>
    </div>
  );
}
