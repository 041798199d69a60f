import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation, useNavigate } from "react-router";
import { AcknowledgeDialog } from "../../alarms/AcknowledgeDialog";
import { AlarmDrawer } from "../../alarms/AlarmDrawer";
import { facilityQuery } from "../../api/queries";
import type { Alarm, Facility } from "../../api/types";
import { useLocal } from "../../i18n";
import { serverNow, useLiveStatus } from "../../live/live";
import { LoadState } from "../../shell/LoadState";
import { TrendChart } from "../chart/TrendChart";
import { addressFrom, resolve, viewFrom } from "../data/address";
import { TrendNotice } from "../TrendNotice";
import { useLimits, useTrend } from "../useTrend";
import { Legend } from "./Legend";
import { PointPicker } from "./PointPicker";
import { RangeBar } from "./RangeBar";
import { useAddressOf } from "./useAddressOf";
import { useGuide } from "./useGuide";
import { useMarks } from "./useMarks";

/** Several points over time. Its address holds everything that is shown. */
export function TrendPage() {
  const facility = useQuery(facilityQuery);
  const { heardAt } = useLiveStatus();
  // Before the server's clock is known, "the last hour" means nothing.
  if (facility.data && heardAt !== null) return <KnownTrend facility={facility.data} />;
  return <LoadState failed={facility.isError} retry={() => void facility.refetch()} />;
}

function KnownTrend({ facility }: { facility: Facility }) {
  const { t } = useTranslation();
  const local = useLocal();
  const navigate = useNavigate();
  const { search } = useLocation();
  const address = useMemo(() => addressFrom(search), [search]);
  const named = address.points.join();
  const { shown, unknown } = useMemo(
    () => resolve(named.split(",").filter(Boolean), facility.assets),
    [named, facility],
  );
  const points = useMemo(() => shown.map(({ point }) => point), [shown]);
  const assetIds = useMemo(() => [...new Set(shown.map(({ asset }) => asset.id))], [shown]);
  const trend = useTrend(points, () => viewFrom(address.range, serverNow()));
  const { keeper } = trend;
  const fixed = useLimits(points);
  const guide = useGuide(points, trend, address.guide);
  const limits = useMemo(() => (guide.line ? [...fixed, guide.line] : fixed), [fixed, guide.line]);
  const marks = useMarks(assetIds, keeper);
  const change = useAddressOf(keeper, address);
  const toggle = (one: string) => {
    const without = address.points.filter((other) => other !== one);
    change({ points: without.length < address.points.length ? without : [...address.points, one] });
  };
  const names = shown.map(({ asset, point }) => `${local(asset.name)} ${local(point.title)}`).join(", ");
  return (
    <div className="trend-page" data-beside={address.alarm !== null || undefined}>
      <div className="trend-head">
        <h1>{t("nav.trend")}</h1>
        <PointPicker facility={facility} chosen={address.points} onToggle={toggle} />
        <RangeBar keeper={keeper} />
        <button
          type="button"
          className="button"
          aria-pressed={address.guide !== null}
          disabled={!guide.first}
          title={t("trend.guideHint")}
          onClick={() => change({ guide: address.guide === null ? (guide.first?.() ?? null) : null })}
        >
          {t("trend.guide")}
        </button>
      </div>
      {unknown.length > 0 && (
        <p className="refusal" role="alert">
          {t("trend.unknown", { points: unknown.join(", ") })}
        </p>
      )}
      <div className="panel trend-panel">
        {points.length === 0 ? (
          <p className="empty">{t("trend.pick")}</p>
        ) : (
          <>
            <TrendChart
              {...trend}
              wheel
              label={t("trend.label", { points: names })}
              points={points}
              limits={limits}
              onLimitChange={(_id, value) => guide.move(value)}
              onLimitCommit={(_id, value) => change({ guide: value }, true)}
              marks={marks}
              onAlarm={(alarm) => change({ alarm })}
              onOrder={(order) => void navigate(`/work-orders/${order}`)}
            />
            <TrendNotice loader={trend.loader} keeper={keeper} points={points} />
          </>
        )}
      </div>
      {points.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard
        <section className="panel trend-values scrolls" tabIndex={0} aria-label={t("trend.values")}>
          <Legend {...trend} shown={shown} onRemove={toggle} />
        </section>
      )}
      {address.alarm !== null && <AlarmBeside id={address.alarm} onClose={() => change({ alarm: null })} />}
    </div>
  );
}

function AlarmBeside({ id, onClose }: { id: number; onClose: () => void }) {
  const [asked, setAsked] = useState<readonly Alarm[]>([]);
  const done = () => setAsked([]);
  return (
    <>
      <AlarmDrawer key={id} id={id} onAcknowledge={(alarm) => setAsked([alarm])} onClose={onClose} />
      <AcknowledgeDialog alarms={asked} onClose={done} onDone={done} />
    </>
  );
}
