import type { Alarm } from "../api/types";
import { formatQuantity } from "../text/format";

const BEYOND_A_LIMIT: ReadonlySet<string> = new Set([
  "low_low",
  "low",
  "high",
  "high_high",
  "rate_of_change",
  "deviation",
  "stuck",
  "event_count",
  "coincidence",
  "window",
  "counter",
  "forecast",
  "baseline",
]);
const SILENT = "no_data";

/** Return the value and the limit that an alarm is about; nothing for a state, whose code would mean nothing. */
export function quantityOf(alarm: Alarm): { value: string; limit: string } {
  if (BEYOND_A_LIMIT.has(alarm.reason)) {
    return { value: formatQuantity(alarm.value, alarm.unit), limit: formatQuantity(alarm.limit, alarm.unit) };
  }
  // Of silence the limit is how many seconds it may last, whatever the point's unit.
  return { value: "", limit: alarm.reason === SILENT ? formatQuantity(alarm.limit, "s") : "" };
}
