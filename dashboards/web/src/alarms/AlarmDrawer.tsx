import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api, data } from "../api/client";
import { alarmQuery, facilityQuery, sessionQuery } from "../api/queries";
import type { Alarm, AlarmDetail } from "../api/types";
import { useLocal, useNamed } from "../i18n";
import { liveStore, serverNow, useLiveAlarm } from "../live/live";
import { millis } from "../live/sorting";
import { LoadState } from "../shell/LoadState";
import { tellProblem } from "../shell/problems";
import { useTimes } from "../text/format";
import { linkToAlarm } from "../trend/data/address";
import { PointTrend } from "../trend/PointTrend";
import { orderNumber } from "./AlarmRow";
import { Journal } from "./Journal";
import { lookOf, PriorityMark } from "./PriorityMark";
import { quantityOf } from "./quantity";

interface Props {
  id: number;
  onAcknowledge: (alarm: Alarm) => void;
  onClose: () => void;
}

/** One alarm beside the list: what it means, what to do, and who has done what. */
export function AlarmDrawer({ id, onAcknowledge, onClose }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const live = useLiveAlarm(id);
  const detail = useQuery({ ...alarmQuery(id, live?.version), placeholderData: keepPreviousData });
  const alarm = live ?? detail.data;
  return (
    <aside className="panel drawer" aria-label={t("detail.label")}>
      <header>
        {alarm && <PriorityMark priority={alarm.priority} look={lookOf(alarm)} />}
        <h2 className="ellipsis">{alarm && local(alarm.title)}</h2>
        <button type="button" className="button plain" aria-label={t("detail.close")} onClick={onClose}>
          ✕
        </button>
      </header>
      {alarm && detail.data ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard
        <section className="body" tabIndex={0} aria-label={local(alarm.title)}>
          <Facts alarm={alarm} detail={detail.data} />
          <Actions alarm={alarm} onAcknowledge={onAcknowledge} />
          <Guidance detail={detail.data} />
          <Trend detail={detail.data} />
          <div>
            <h3>{t("detail.journal")}</h3>
            <Journal entries={detail.data.journal} />
          </div>
        </section>
      ) : (
        <LoadState failed={detail.isError} retry={() => void detail.refetch()} />
      )}
    </aside>
  );
}

function Facts({ alarm, detail }: { alarm: Alarm; detail: AlarmDetail }) {
  const { t } = useTranslation();
  const local = useLocal();
  const named = useNamed();
  const times = useTimes();
  const { value, limit } = quantityOf(alarm);
  return (
    <dl className="facts">
      <dt>{t("alarm.column.asset")}</dt>
      <dd>
        <Link className="link" to={`/equipment/${alarm.asset_id}`}>
          {local(alarm.asset_name)}
        </Link>
        , {local(alarm.space_name)}
      </dd>
      <dt>{t("alarm.column.state")}</dt>
      <dd>
        {t(`alarm.stateLong.${alarm.state}`)}
        {alarm.life_safety && ` · ${t("alarm.lifeSafety")}`}
      </dd>
      <dt>{t("alarm.column.value")}</dt>
      <dd>
        {value} {named("reason", alarm.reason)}
        {limit && (
          <span className="secondary">
            {" "}
            ({t("alarm.column.limit")} {limit})
          </span>
        )}
      </dd>
      {alarm.explanation && (
        <>
          <dt>{t("detail.explanation")}</dt>
          <dd>{alarm.explanation}</dd>
        </>
      )}
      <dt>{t("detail.raised")}</dt>
      <dd>{times.moment(alarm.raised_at)}</dd>
      {alarm.cleared_at && (
        <>
          <dt>{t("detail.cleared")}</dt>
          <dd>{times.moment(alarm.cleared_at)}</dd>
        </>
      )}
      <dt>{t("detail.acknowledgedBy")}</dt>
      <dd>
        {alarm.acknowledged_by ?? t("detail.notAcknowledged")}
        {alarm.acknowledged_at && `, ${times.moment(alarm.acknowledged_at)}`}
      </dd>
      <dt>{t("detail.respond")}</dt>
      <dd>{t("detail.minutes", { minutes: detail.time_to_respond_min })}</dd>
    </dl>
  );
}

function Actions({ alarm, onAcknowledge }: { alarm: Alarm; onAcknowledge: (alarm: Alarm) => void }) {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  const reset = useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/alarms/{alarm_id}/reset", {
          params: { path: { alarm_id: alarm.id } },
          body: { version: alarm.version },
        }),
      ),
    onSuccess: (answer) => liveStore.putAlarm(answer),
    onError: (error) => tellProblem(error, t),
  });
  const may = session?.permissions ?? [];
  return (
    <div className="actions">
      {!alarm.acknowledged && may.includes("acknowledge_alarm") && (
        <button type="button" className="button primary" onClick={() => onAcknowledge(alarm)}>
          {t("alarm.acknowledge")} <kbd className="key">A</kbd>
        </button>
      )}
      {alarm.state === "L" && may.includes("reset_alarm") && (
        <button
          type="button"
          className="button primary"
          disabled={reset.isPending}
          onClick={() => reset.mutate()}
        >
          {t("detail.reset")}
        </button>
      )}
      {alarm.order_id !== null && (
        <Link className="button" to={`/work-orders/${alarm.order_id}`}>
          {t("detail.openOrder")} {orderNumber(alarm.order_id)}
        </Link>
      )}
    </div>
  );
}

function Guidance({ detail }: { detail: AlarmDetail }) {
  const { t } = useTranslation();
  const local = useLocal();
  return (
    <>
      <div>
        <h3>{t("detail.correctiveAction")}</h3>
        <p>{local(detail.corrective_action)}</p>
      </div>
      <div>
        <h3>{t("detail.cause")}</h3>
        <p>{local(detail.cause)}</p>
      </div>
      <div>
        <h3>
          {t("detail.consequence")}: {t(`detail.consequenceClass.${detail.consequence_class}`)}
        </h3>
        <p>{local(detail.consequence)}</p>
      </div>
    </>
  );
}

const clearedOrNow = (detail: AlarmDetail) => (detail.cleared_at ? millis(detail.cleared_at) : serverNow());

function Trend({ detail }: { detail: AlarmDetail }) {
  const { t } = useTranslation();
  const { data: facility } = useQuery(facilityQuery);
  const asset = facility?.assets.find((one) => one.id === detail.asset_id);
  const point = asset?.points.find((one) => one.key === detail.point_key);
  return (
    point && (
      <div>
        <div className="trend-title">
          <h3>{t("detail.trend")}</h3>
          <Link
            className="link"
            to={linkToAlarm(
              detail.asset_id,
              point.name,
              detail.id,
              millis(detail.raised_at),
              clearedOrNow(detail),
            )}
          >
            {t("trend.around")}
          </Link>
        </div>
        <PointTrend point={point} height={150} />
      </div>
    )
  );
}
