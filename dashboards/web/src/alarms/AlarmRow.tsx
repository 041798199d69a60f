import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Alarm } from "../api/types";
import { useLocal } from "../i18n";
import { useTimes } from "../text/format";
import { lookOf, PriorityMark } from "./PriorityMark";
import { quantityOf } from "./quantity";

export const ROW_PX = 28;

export const rowId = (alarmId: number) => `alarm-${alarmId}`;

interface Props {
  alarm: Alarm;
  /** Counted from 0 among the rows shown. */
  index: number;
  current: boolean;
  selected: boolean;
}

/** One line of the grid; drawn again only when its own alarm, place or mark changed. */
export const AlarmRow = memo(function AlarmRow({ alarm, index, current, selected }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  const quantity = quantityOf(alarm);
  return (
    <div
      role="row"
      id={rowId(alarm.id)}
      className="grid-row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-alarm={alarm.id}
      data-current={current || undefined}
      data-unseen={!alarm.acknowledged || undefined}
      style={{ transform: `translateY(${(index + 1) * ROW_PX}px)` }}
    >
      <span
        role="gridcell"
        className="mark-cell"
        aria-label={t("priority.label", { priority: alarm.priority })}
      >
        <PriorityMark priority={alarm.priority} look={lookOf(alarm)} />
      </span>
      <span role="gridcell" title={t(`alarm.stateLong.${alarm.state}`)}>
        {t(`alarm.state.${alarm.state}`)}
      </span>
      <span role="gridcell">{times.moment(alarm.raised_at)}</span>
      <span role="gridcell">{t(`system.${alarm.system}`)}</span>
      <span role="gridcell">{local(alarm.asset_name)}</span>
      <span role="gridcell" className="secondary">
        {local(alarm.space_name)}
      </span>
      <span role="gridcell" className="title">
        {alarm.life_safety && <span className="life-safety">{t("alarm.lifeSafety")}</span>}
        {local(alarm.title)}
      </span>
      <span role="gridcell" className="number">
        {quantity.value}
      </span>
      <span role="gridcell" className="number secondary">
        {quantity.limit}
      </span>
      <span role="gridcell">{alarm.acknowledged_by}</span>
      <span role="gridcell">
        {alarm.order_id !== null && (
          <Link className="link" to={`/work-orders/${alarm.order_id}`} tabIndex={-1}>
            {orderNumber(alarm.order_id)}
          </Link>
        )}
      </span>
    </div>
  );
});

/** What people say on the phone; the same form as the server's. */
export function orderNumber(id: number): string {
  return `WO-${String(id).padStart(6, "0")}`;
}
