import { memo, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { PriorityMark } from "../alarms/PriorityMark";
import type { Tried } from "../api/types";
import { useTimes } from "../text/format";
import { type Difference, differencesOf } from "./episodes";
import { useDuration } from "./useDuration";

const MOST = 50;

interface Props {
  tried: Tried;
  onShow: (fromMs: number, toMs: number) => void;
}

/** Alarms that only the live rule or only the draft raises, to be looked at one by one. */
export const Differing = memo(function Differing({ tried, onShow }: Props) {
  const { t } = useTranslation();
  const differences = useMemo(() => differencesOf(tried, MOST), [tried]);
  const total = tried.new.length + tried.missed.length;
  return (
    <div>
      <h2>{t("tuning.differ")}</h2>
      {total === 0 && <p className="secondary">{t("tuning.noDifference")}</p>}
      {total > differences.length && (
        <p className="secondary">{t("tuning.differMore", { shown: differences.length, total })}</p>
      )}
      <ul className="brief differing">
        {differences.map((each) => (
          <Row key={`${each.kind} ${each.fromMs}`} difference={each} endMs={tried.to_ms} onShow={onShow} />
        ))}
      </ul>
    </div>
  );
});

interface RowProps extends Pick<Props, "onShow"> {
  difference: Difference;
  endMs: number;
}

/** Around an alarm so much is shown at least, on both sides. */
const AROUND_MS = 300_000;

function Row({ difference, endMs, onShow }: RowProps) {
  const { t } = useTranslation();
  const times = useTimes();
  const duration = useDuration();
  const { kind, fromMs, toMs, priority } = difference;
  const room = Math.max(AROUND_MS, (toMs ?? endMs) - fromMs);
  return (
    <li>
      <PriorityMark priority={priority} look="acknowledged" />
      <span className="lone-kind" data-kind={kind}>
        {kind === "new" ? "+" : "−"} {t(`tuning.${kind}`)}
      </span>
      <span className="grow">
        {times.moment(fromMs)}
        <span className="secondary"> {toMs === null ? t("tuning.standing") : duration(toMs - fromMs)}</span>
      </span>
      <button
        type="button"
        className="button"
        aria-label={t("tuning.showOne", { kind: t(`tuning.${kind}`), time: times.moment(fromMs) })}
        onClick={() => onShow(fromMs - room, (toMs ?? endMs) + room)}
      >
        {t("tuning.show")}
      </button>
    </li>
  );
}
