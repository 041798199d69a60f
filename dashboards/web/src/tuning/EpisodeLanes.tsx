import { memo, useMemo, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Episode, Tried } from "../api/types";
import { xOf } from "../trend/chart/geometry";
import type { Plot } from "../trend/chart/plot";
import type { ViewKeeper } from "../trend/data/viewKeeper";
import { episodeBars, loneSigns } from "./episodes";
import { LabelLane } from "./LabelLane";
import type { LabelledEvent } from "./labelledEvents";

interface Props {
  plot: Plot;
  keeper: ViewKeeper;
  /** Null before anything was tried. */
  tried: Tried | null;
  events: readonly LabelledEvent[];
  onLabel: (event: LabelledEvent) => void;
}

/** Above the plot: when something was wrong, when the live rule's alarms stood, and when the draft's would have. */
export function EpisodeLanes({ plot, keeper, tried, events, onLabel }: Props) {
  return (
    <div className="lanes">
      <LabelLane plot={plot} keeper={keeper} events={events} onLabel={onLabel} />
      <Lane
        plot={plot}
        keeper={keeper}
        kind="live"
        episodes={tried?.live_episodes}
        alone={tried?.missed}
        endMs={tried?.to_ms ?? 0}
      />
      <Lane
        plot={plot}
        keeper={keeper}
        kind="draft"
        episodes={tried?.draft_episodes}
        alone={tried?.new}
        endMs={tried?.to_ms ?? 0}
      />
    </div>
  );
}

interface LaneProps {
  plot: Plot;
  keeper: ViewKeeper;
  kind: "live" | "draft";
  episodes: readonly Episode[] | undefined;
  alone: readonly number[] | undefined;
  endMs: number;
}

// Limits move much more often than answers come.
const Lane = memo(function Lane({ plot, keeper, kind, episodes = NONE, alone = NONE, endMs }: LaneProps) {
  const { t } = useTranslation();
  const { box } = useSyncExternalStore(plot.subscribe, () => plot.geometry);
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const lone = useMemo(() => new Set(alone), [alone]);
  const bars = useMemo(
    () => episodeBars(episodes, lone, { x: (at) => xOf(at, view, box.width), width: box.width, endMs }),
    [episodes, lone, view, box.width, endMs],
  );
  const words = t(`tuning.${kind}Words`, { count: episodes.length, alone: alone.length });
  const sign = kind === "live" ? `− ${t("tuning.missed")}` : `+ ${t("tuning.new")}`;
  return (
    <div className="lane" data-kind={kind} role="img" aria-label={words}>
      <span className="lane-name secondary" style={{ width: box.left }}>
        {t(`tuning.${kind}`)}
      </span>
      <div className="lane-bars" style={{ left: box.left, width: box.width }}>
        {bars.map((bar) => (
          <span
            key={bar.left}
            className="lane-bar"
            data-priority={bar.priority}
            data-alone={bar.alone === bar.count || undefined}
            style={{ left: bar.left, width: bar.right - bar.left }}
          />
        ))}
        {loneSigns(bars).map(({ left, count }, index) => (
          <span key={left} className="lane-sign" style={{ left }}>
            {index === 0 && left < box.width - SIGN_WITH_WORD_PX ? sign : sign[0]}
            {count > 1 && ` ${count}`}
          </span>
        ))}
      </div>
    </div>
  );
});

const NONE: readonly never[] = [];

/** The first sign says in words what it means, where there is room. */
const SIGN_WITH_WORD_PX = 80;
