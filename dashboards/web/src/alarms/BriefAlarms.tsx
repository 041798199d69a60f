import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Alarm } from "../api/types";
import { useLocal } from "../i18n";
import { useTimes } from "../text/format";
import { lookOf, PriorityMark } from "./PriorityMark";

/** A short list of alarms, each a way to its detail. */
export function BriefAlarms({ alarms }: { alarms: readonly Alarm[] }) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  return (
    <ul className="brief">
      {alarms.map((alarm) => (
        <li key={alarm.id}>
          <PriorityMark priority={alarm.priority} look={lookOf(alarm)} />
          <Link className="link ellipsis grow" to={`/alarms/${alarm.id}`}>
            {local(alarm.title)}
          </Link>
          <span title={t(`alarm.stateLong.${alarm.state}`)}>{t(`alarm.state.${alarm.state}`)}</span>
          <span className="secondary">{alarm.acknowledged_by}</span>
          <time className="secondary" dateTime={alarm.raised_at}>
            {times.moment(alarm.raised_at)}
          </time>
        </li>
      ))}
    </ul>
  );
}
