import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Point } from "../api/types";
import { problemWords } from "../shell/problems";
import { isEmptyIn } from "./data/track";
import type { TrackLoader } from "./data/trackLoader";
import type { ViewKeeper } from "./data/viewKeeper";

interface Props {
  loader: TrackLoader;
  keeper: ViewKeeper;
  points: readonly Point[];
}

/** Says why a chart is empty, that it is not all there yet, or what went wrong; the chart stays as it is. */
export function TrendNotice({ loader, keeper, points }: Props) {
  const { t } = useTranslation();
  useSyncExternalStore(loader.subscribe, () => loader.version);
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const { loading, failure } = loader.status;
  const tracks = points.map((point) => loader.track(point.key));
  if (failure !== undefined)
    return (
      <div className="trend-notice" role="alert">
        {t("error.failed")} {problemWords(failure, t)}
        <button type="button" className="button" onClick={() => loader.retry()}>
          {t("error.retry")}
        </button>
      </div>
    );
  const known = tracks.filter((track) => track !== undefined);
  const empty = known.length === tracks.length && known.every((track) => isEmptyIn(track, view));
  return (
    <div className="trend-notice" role="status">
      {loading && <span className="trend-loading">{t("error.loading")}</span>}
      {!loading && points.length > 0 && empty && <span className="trend-empty">{t("trend.none")}</span>}
    </div>
  );
}
