import type { Alarm, WorkOrder } from "../api/types";

const parsed = new Map<string, number>();
const PARSED_MAX = 50_000;

/** Return milliseconds UTC; a sort asks for the same texts again and again, and parsing them is most of its cost. */
export function millis(time: string): number {
  let ms = parsed.get(time);
  if (ms === undefined) {
    if (parsed.size > PARSED_MAX) parsed.clear();
    ms = Date.parse(time);
    parsed.set(time, ms);
  }
  return ms;
}

/** The most urgent first; within a priority what nobody has seen yet, then the newest. */
export function compareAlarms(a: Alarm, b: Alarm): number {
  return (
    a.priority - b.priority ||
    Number(a.acknowledged) - Number(b.acknowledged) ||
    millis(b.raised_at) - millis(a.raised_at) ||
    b.id - a.id
  );
}

/** The most urgent first; within a priority the one that waits longest. */
export function compareOrders(a: WorkOrder, b: WorkOrder): number {
  return a.priority - b.priority || millis(a.opened_at) - millis(b.opened_at) || a.id - b.id;
}
