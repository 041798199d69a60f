import { type KeyboardEvent, useRef, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { PriorityMark } from "../../alarms/PriorityMark";
import { spanOf } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";
import { xOf } from "./geometry";
import { type AlarmBar, type AlarmMark, alarmBars, type OrderMark, orderTicks, spanOfAlarms } from "./marks";
import type { Plot } from "./plot";

export interface Marks {
  alarms: readonly AlarmMark[];
  orders: readonly OrderMark[];
}

interface Props {
  plot: Plot;
  keeper: ViewKeeper;
  marks: Marks;
  onAlarm: (id: number) => void;
  onOrder: (id: number) => void;
}

const LANES = 2;
/** A crowd that fills so much of the view would not come apart by looking closer. */
const WIDE = 0.8;

/** Above the plot: alarms as bars from raised to cleared, work orders as ticks where they were opened. */
export function MarkLayer({ plot, keeper, marks, onAlarm, onOrder }: Props) {
  const { t } = useTranslation();
  const { box } = useSyncExternalStore(plot.subscribe, () => plot.geometry);
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const strip = useRef<HTMLDivElement>(null);
  const place = {
    x: (at: number) => xOf(at, view, box.width),
    width: box.width,
    nowMs: keeper.now(),
    lanes: LANES,
  };
  const bars = alarmBars(marks.alarms, place);
  const ticks = orderTicks(marks.orders, place);
  const open = (bar: AlarmBar) => {
    const [from, to] = spanOfAlarms(bar.alarms, keeper.now());
    const worst = bar.alarms.find((alarm) => alarm.priority === bar.priority);
    if (bar.alarms.length > 1 && to - from < spanOf(view) * WIDE) keeper.show(from, to);
    else if (worst) onAlarm(worst.id);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const signs = [...(strip.current?.querySelectorAll<HTMLElement>("button") ?? [])];
    signs[signs.indexOf(document.activeElement as HTMLElement) + by]?.focus();
  };
  return (
    <div
      ref={strip}
      role="toolbar"
      aria-label={t("trend.marks")}
      className="mark-strip"
      style={{ marginLeft: box.left, width: box.width }}
      onKeyDown={onKeyDown}
    >
      {bars.length + ticks.length === 0 && <span className="mark-none secondary">{t("trend.noMarks")}</span>}
      {bars.map((bar, index) => (
        <button
          key={bar.alarms[0]?.id}
          type="button"
          className="alarm-bar"
          data-priority={bar.priority}
          data-open={bar.open || undefined}
          data-lane={bar.lane}
          tabIndex={index === 0 ? 0 : -1}
          title={wordsOf(bar)}
          aria-label={wordsOf(bar)}
          style={{ left: bar.left, width: Math.max(bar.right - bar.left, 20) }}
          onClick={() => open(bar)}
        >
          <PriorityMark priority={bar.priority} look="acknowledged" />
          {bar.alarms.length > 1 && <span className="alarm-count">{bar.alarms.length}</span>}
        </button>
      ))}
      {ticks.map((tick, index) => (
        <button
          key={tick.orders[0]?.id}
          type="button"
          className="order-tick"
          tabIndex={bars.length === 0 && index === 0 ? 0 : -1}
          title={tick.orders.map((order) => order.words).join("\n")}
          aria-label={tick.orders.map((order) => order.words).join("; ")}
          style={{ left: tick.left }}
          onClick={() => tick.orders[0] && onOrder(tick.orders[0].id)}
        >
          <OrderSign />
          {tick.orders.length > 1 && <span>{tick.orders.length}</span>}
        </button>
      ))}
    </div>
  );
}

const MOST_WORDS = 6;

function wordsOf(bar: AlarmBar): string {
  const words = bar.alarms.slice(0, MOST_WORDS).map((alarm) => alarm.words);
  return bar.alarms.length > MOST_WORDS ? `${words.join("\n")}\n…` : words.join("\n");
}

function OrderSign() {
  return (
    <svg viewBox="0 0 12 16" width="12" height="16" aria-hidden="true">
      <path d="M1 0v16M1 1h9l-2.500 3.500L10 8H1" fill="none" stroke="currentColor" strokeWidth="1.500" />
    </svg>
  );
}
