import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { limitsQuery } from "../api/queries";
import type { Point, Priority, RuleContent, Tried } from "../api/types";
import { useLocal } from "../i18n";
import { exactQuantity, useTimes } from "../text/format";
import { TrendChart } from "../trend/chart/TrendChart";
import { TrendNotice } from "../trend/TrendNotice";
import type { Trend } from "../trend/useTrend";
import { EpisodeLanes } from "./EpisodeLanes";
import { type LabelledEvent, tellingOf } from "./labelledEvents";
import { linesOf, pointLimits, withPointLimit } from "./lines";
import type { PreviewState } from "./previewer";
import type { Stretch } from "./stretch";
import { useTravel } from "./useTravel";

interface Props {
  points: readonly Point[];
  point: Point;
  trend: Trend;
  priority: Priority;
  live: RuleContent;
  draft: RuleContent;
  stretch: Stretch;
  preview: PreviewState<RuleContent, Tried>;
  /** Whether this person may try drafts. */
  may: boolean;
  events: readonly LabelledEvent[];
  onDraft: (draft: RuleContent) => void;
  onLabel: (event: LabelledEvent) => void;
}

/** The point's trend with the draft's limits to be moved, and above it what they would have raised. */
export function TuningChart(props: Props) {
  const { points, point, trend, preview, may, draft, events, onDraft, onLabel } = props;
  const { keeper } = trend;
  const { t } = useTranslation();
  const local = useLocal();
  const lines = useLines(props);
  const tried = preview.shown?.answer ?? null;
  const move = (side: string, value: number) => onDraft(withPointLimit(draft, side, value));
  return (
    <div className="panel tuning-chart">
      {may && <TriedWords {...props} />}
      <div className="tuning-plot">
        <TrendChart
          {...trend}
          wheel
          label={t("tuning.chart", { point: local(point.title) })}
          points={points}
          limits={lines}
          onLimitChange={move}
          onLimitCommit={move}
          above={may ? (plot) => <EpisodeLanes {...{ plot, keeper, tried, events, onLabel }} /> : undefined}
        />
        <TrendNotice loader={trend.loader} keeper={keeper} points={points} />
      </div>
    </div>
  );
}

function useLines({ point, trend, priority, live, draft, stretch, may }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const fixed = useMemo(() => pointLimits(live.condition).map(({ value }) => value), [live]);
  const travel = useTravel(point.key, fixed, stretch, trend);
  const { data: known } = useQuery(limitsQuery(point.key));
  return useMemo(() => {
    // A limit may have a consequence of its own, from which the server computes its urgency.
    const own = (side: string) =>
      known?.find(
        (limit) => limit.side === side && limit.value === live.condition.limits?.[limit.side]?.value,
      );
    const value = (at: number) => exactQuantity(at, point.unit);
    const sideWords = (side: string) => (side === "limit" ? t("rule.field.limit") : t(`rule.side.${side}`));
    const words = {
      side: sideWords,
      name: (side: string) => t("tuning.limitOf", { side: sideWords(side), point: local(point.title) }),
      live: (at: number) => t("tuning.liveLimit", { value: value(at) }),
      clears: t("tuning.clears"),
      value,
    };
    return linesOf({
      ...{
        point: point.key,
        priority: (side) => own(side)?.priority ?? priority,
        live: live.condition,
        draft: draft.condition,
      },
      travel: may ? travel : null,
      words,
    });
  }, [point, priority, known, live, draft, may, travel, local, t]);
}

/** What the newest answer says in words, and whether a newer one is on its way. */
function TriedWords({ preview, stretch, events }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const tried = preview.shown?.answer;
  const tellings = tried ? events.flatMap((event) => tellingOf(event, tried) ?? []) : [];
  const words =
    tried &&
    [
      t("tuning.liveWords", { count: tried.live_episodes.length, alone: tried.missed.length }),
      t("tuning.draftWords", { count: tried.draft_episodes.length, alone: tried.new.length }),
      ...(tellings.length > 0
        ? [t("tuning.toldWords", { told: tellings.filter(({ draft }) => draft).length, of: tellings.length })]
        : []),
    ].join(" · ");
  return (
    <div className="tuning-words">
      <p role="status">{words ?? (!preview.asking && t("tuning.notYet"))}</p>
      <span className="secondary" aria-hidden="true" data-asking={preview.asking || undefined}>
        {t("tuning.trying")}
      </span>
      {tried && tried.from_ms > stretch.fromMs + NEAR_MS && (
        <p className="secondary">
          {t("tuning.newest", { samples: tried.samples, from: times.moment(tried.from_ms) })}
        </p>
      )}
    </div>
  );
}

/** A stretch that begins by so much later began where it was asked for. */
const NEAR_MS = 60_000;
