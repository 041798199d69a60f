import type { Priority } from "../../api/types";

/** An alarm's time from raised to cleared. */
export interface AlarmMark {
  id: number;
  fromMs: number;
  /** Null: still standing. */
  toMs: number | null;
  priority: Priority;
  /** What it is, where, and when. */
  words: string;
}

/** The instant at which a work order was opened. */
export interface OrderMark {
  id: number;
  atMs: number;
  words: string;
}

/** One or several alarms that lie too near each other to be told apart. */
export interface AlarmBar {
  /** Of the most urgent of them. */
  priority: Priority;
  alarms: readonly AlarmMark[];
  /** CSS pixels from the left of the plotting area. */
  left: number;
  right: number;
  lane: number;
  /** Whether one of them still stands. */
  open: boolean;
}

export interface Place {
  x: (timeMs: number) => number;
  width: number;
  nowMs: number;
  lanes: number;
}

/** A sign is so wide; */
const SIGN_PX = 20;
/** and with its count it needs so much room. */
const ROOM_PX = 36;

/**
 * Put alarms into lanes: the most urgent in the first that is free; where none is free, it joins its neighbour.
 *
 * Alarms outside the plotting area are left out.
 */
export function alarmBars(alarms: readonly AlarmMark[], place: Place): AlarmBar[] {
  const bars: AlarmBar[] = [];
  const lanes: AlarmBar[][] = Array.from({ length: place.lanes }, () => []);
  const inOrder = alarms.toSorted((a, b) => a.fromMs - b.fromMs || a.priority - b.priority || a.id - b.id);
  for (const alarm of inOrder) {
    const left = Math.max(0, place.x(alarm.fromMs));
    const right = Math.min(place.width, place.x(alarm.toMs ?? place.nowMs));
    if (right < 0 || left > place.width) continue;
    const bar: AlarmBar = {
      priority: alarm.priority,
      alarms: [alarm],
      left: Math.min(left, place.width - SIGN_PX),
      right,
      lane: 0,
      open: alarm.toMs === null,
    };
    const free = lanes.findIndex((lane) => endOf(lane.at(-1)) <= bar.left);
    if (free < 0) join(nearest(lanes), bar);
    else {
      bar.lane = free;
      lanes[free]?.push(bar);
      bars.push(bar);
    }
  }
  return bars;
}

const endOf = (bar: AlarmBar | undefined) =>
  bar === undefined ? Number.NEGATIVE_INFINITY : Math.max(bar.right + 2, bar.left + ROOM_PX);

/** Return the last bar that ends first: the newcomer is nearest to it. */
function nearest(lanes: readonly AlarmBar[][]): AlarmBar {
  const last = lanes.map((lane) => lane.at(-1)).filter((bar) => bar !== undefined);
  return last.reduce((best, bar) => (endOf(bar) < endOf(best) ? bar : best));
}

function join(bar: AlarmBar, newcomer: AlarmBar): void {
  bar.alarms = [...bar.alarms, ...newcomer.alarms];
  bar.right = Math.max(bar.right, newcomer.right);
  bar.priority = Math.min(bar.priority, newcomer.priority) as Priority;
  bar.open ||= newcomer.open;
}

export interface OrderTick {
  left: number;
  orders: readonly OrderMark[];
}

/** Gather orders that were opened too near each other to be told apart. */
export function orderTicks(orders: readonly OrderMark[], place: Pick<Place, "x" | "width">): OrderTick[] {
  const ticks: OrderTick[] = [];
  for (const order of orders.toSorted((a, b) => a.atMs - b.atMs)) {
    const left = place.x(order.atMs);
    if (left < 0 || left > place.width) continue;
    const last = ticks.at(-1);
    if (last && left - last.left < ROOM_PX) last.orders = [...last.orders, order];
    else ticks.push({ left, orders: [order] });
  }
  return ticks;
}

/** Return the time that a crowd of alarms takes, with room on both sides, to look at it closely. */
export function spanOfAlarms(alarms: readonly AlarmMark[], nowMs: number): [number, number] {
  const from = Math.min(...alarms.map((alarm) => alarm.fromMs));
  const to = Math.max(...alarms.map((alarm) => alarm.toMs ?? nowMs));
  const room = Math.max(30_000, (to - from) * 0.1);
  return [from - room, to + room];
}
