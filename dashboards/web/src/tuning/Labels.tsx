import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Episode, Tried } from "../api/types";
import { serverNow } from "../live/live";
import { useTimes } from "../text/format";
import type { ViewKeeper } from "../trend/data/viewKeeper";
import { RangeDialog } from "../trend/page/RangeDialog";
import { ChoiceInput } from "./inputs";
import { type LabelledEvent, type Telling, tellingOf, withEvent } from "./labelledEvents";
import { useDuration } from "./useDuration";

interface Props {
  events: readonly LabelledEvent[];
  /** Undefined before anything was tried. */
  tried: Tried | undefined;
  keeper: ViewKeeper;
  onChange: (events: readonly LabelledEvent[]) => void;
}

/** What people know of the past: suggestions and back-tests say what would be missed of it. */
export function Labels({ events, tried, keeper, onChange }: Props) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const add = (event: LabelledEvent) => onChange(withEvent(events, event));
  return (
    <section aria-label={t("tuning.labels")}>
      <h3>{t("tuning.labels")}</h3>
      <p className="secondary">{t("tuning.labelsHint")}</p>
      {events.length > 0 && (
        <ul className="brief labelled">
          {events.map((event) => (
            <Row
              key={event.fromMs}
              event={event}
              telling={tried && tellingOf(event, tried)}
              keeper={keeper}
              onRemove={() => onChange(events.filter((one) => one !== event))}
            />
          ))}
        </ul>
      )}
      <div className="tuning-fields">
        <PastAlarm tried={tried} onAdd={add} />
        <button type="button" className="button" onClick={() => setAsking(true)}>
          {t("tuning.labelPeriod")}
        </button>
      </div>
      {asking && (
        <RangeDialog
          title={t("tuning.labelTitle")}
          submit={t("tuning.label")}
          first={keeper.view}
          nowMs={serverNow()}
          onChoose={(fromMs, toMs) => add({ fromMs, toMs })}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
}

interface RowProps extends Pick<Props, "keeper"> {
  event: LabelledEvent;
  /** Undefined before anything was tried; null: not on this event. */
  telling: Telling | null | undefined;
  onRemove: () => void;
}

function Row({ event, telling, keeper, onRemove }: RowProps) {
  const { t } = useTranslation();
  const times = useTimes();
  const duration = useDuration();
  const { fromMs, toMs } = event;
  const length = toMs - fromMs;
  const time = times.moment(fromMs);
  return (
    <li>
      <span className="grow">
        {time}
        <span className="secondary"> {duration(length)}</span>
        {telling !== undefined && (
          <small data-missed={telling?.draft === false}>{tellingWords(telling, t)}</small>
        )}
      </span>
      <button
        type="button"
        className="button"
        aria-label={t("tuning.showLabel", { time })}
        onClick={() => keeper.show(fromMs - length, toMs + length)}
      >
        {t("tuning.show")}
      </button>
      <button
        type="button"
        className="button"
        aria-label={t("tuning.removeLabel", { time })}
        title={t("tuning.remove")}
        onClick={onRemove}
      >
        ×
      </button>
    </li>
  );
}

function tellingWords(telling: Telling | null, t: (key: string) => string): string {
  if (telling === null) return t("tuning.telling.outside");
  if (telling.draft) return telling.live ? t("tuning.telling.both") : t("tuning.telling.draft");
  return telling.live ? t("tuning.telling.live") : t("tuning.telling.neither");
}

/** Older ones are found in the trend. */
const MOST_ALARMS = 100;

interface PastAlarmProps {
  tried: Tried | undefined;
  onAdd: (event: LabelledEvent) => void;
}

/** Labels what an alarm of the live rule told of. */
function PastAlarm({ tried, onAdd }: PastAlarmProps) {
  const { t } = useTranslation();
  const times = useTimes();
  const duration = useDuration();
  const [chosen, setChosen] = useState("");
  const episodes = tried?.live_episodes.slice(-MOST_ALARMS).reverse() ?? [];
  const lasting = ([fromMs, toMs]: Episode) => ({ fromMs, toMs: toMs ?? tried?.to_ms ?? fromMs });
  const picked = episodes.find(([fromMs]) => String(fromMs) === chosen) ?? episodes[0];
  if (!picked) return null;
  return (
    <div className="labelled-alarm">
      <ChoiceInput
        label={t("tuning.pastAlarm")}
        value={String(picked[0])}
        disabled={false}
        choices={episodes.map((episode) => {
          const { fromMs, toMs } = lasting(episode);
          return [String(fromMs), `${times.moment(fromMs)}, ${duration(toMs - fromMs)}`] as const;
        })}
        onChange={setChosen}
      />
      <button type="button" className="button" onClick={() => onAdd(lasting(picked))}>
        {t("tuning.labelAlarm")}
      </button>
    </div>
  );
}
