import { type PointerEvent, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { xOf } from "../trend/chart/geometry";
import type { Plot } from "../trend/chart/plot";
import { spanOf } from "../trend/data/view";
import type { ViewKeeper } from "../trend/data/viewKeeper";
import type { LabelledEvent } from "./labelledEvents";

interface Props {
  plot: Plot;
  keeper: ViewKeeper;
  events: readonly LabelledEvent[];
  onLabel: (event: LabelledEvent) => void;
}

/** A pointer that moved less did not mean to. */
const LEAST_MOVE_PX = 4;
/** An event of seconds is still seen on a month. */
const LEAST_PX = 3;

/** Above the plot: events that people know of; to drag over a period labels it. The list beside does it by keyboard. */
export function LabelLane({ plot, keeper, events, onLabel }: Props) {
  const { t } = useTranslation();
  const { box } = useSyncExternalStore(plot.subscribe, () => plot.geometry);
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  // Both in pixels from the left of the plotting area; null while nobody drags.
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const x = (event: PointerEvent<HTMLDivElement>) =>
    Math.min(box.width, Math.max(0, event.clientX - event.currentTarget.getBoundingClientRect().left));
  const timeAt = (px: number) => Math.round(view.fromMs + (px / box.width) * spanOf(view));
  const begin = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag({ from: x(event), to: x(event) });
  };
  const end = () => {
    if (drag && Math.abs(drag.to - drag.from) >= LEAST_MOVE_PX) {
      const [left, right] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
      onLabel({ fromMs: timeAt(left), toMs: timeAt(right) });
    }
    setDrag(null);
  };
  const shown = events.filter((event) => event.toMs > view.fromMs && event.fromMs < view.toMs);
  return (
    <div className="lane" data-kind="labels">
      <span className="lane-name secondary" style={{ width: box.left }}>
        {t("tuning.labelLane")}
      </span>
      <div
        className="lane-bars"
        role="img"
        aria-label={t("tuning.labelWords", { count: events.length })}
        title={t("tuning.labelDrag")}
        style={{ left: box.left, width: box.width }}
        onPointerDown={begin}
        onPointerMove={(event) => drag && setDrag({ ...drag, to: x(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
      >
        {events.length === 0 && drag === null && (
          <span className="lane-hint secondary">{t("tuning.labelDrag")}</span>
        )}
        {shown.map(({ fromMs, toMs }) => {
          const left = Math.max(0, xOf(fromMs, view, box.width));
          const right = Math.min(box.width, Math.max(xOf(toMs, view, box.width), left + LEAST_PX));
          return <span key={fromMs} className="lane-label" style={{ left, width: right - left }} />;
        })}
        {drag && (
          <span
            className="lane-label"
            data-drag
            style={{ left: Math.min(drag.from, drag.to), width: Math.abs(drag.to - drag.from) }}
          />
        )}
      </div>
    </div>
  );
}
