import type { Alarm, Command, CommandState, Priority, Snapshot, ValueRow, WorkOrder } from "../api/types";
import { compareAlarms, compareOrders } from "./sorting";

/** Time between two flushes to React: ten per second, however many events come. */
export const FLUSH_MS = 100;

/** How many closed alarms and finished orders are kept, so that an open detail still shows their last state. */
const KEPT_CLOSED = 500;

export type AlarmCounts = Record<Priority, { open: number; unacknowledged: number }>;

/** What React sees; replaced as a whole at a flush, so that a comparison by identity tells whether it changed. */
export interface LiveView {
  alarms: readonly Alarm[];
  orders: readonly WorkOrder[];
  /** Those that have not ended. */
  commands: readonly Command[];
  counts: AlarmCounts;
}

type Listener = () => void;

function countByPriority(alarms: readonly Alarm[]): AlarmCounts {
  const counts: AlarmCounts = {
    1: { open: 0, unacknowledged: 0 },
    2: { open: 0, unacknowledged: 0 },
    3: { open: 0, unacknowledged: 0 },
    4: { open: 0, unacknowledged: 0 },
  };
  for (const alarm of alarms) {
    counts[alarm.priority].open += 1;
    if (!alarm.acknowledged) counts[alarm.priority].unacknowledged += 1;
  }
  return counts;
}

const isOpen = (alarm: Alarm) => alarm.state !== "A";
const isUnfinished = (order: WorkOrder) => order.state !== "completed" && order.state !== "cancelled";

const ENDED: ReadonlySet<CommandState> = new Set([
  "expired",
  "relinquished",
  "superseded",
  "refused",
  "failed",
]);
const isLiving = (command: Command) => !ENDED.has(command.state);

function prune<Thing>(things: Map<number, Thing>, keep: (thing: Thing) => boolean): void {
  let surplus = -KEPT_CLOSED;
  for (const thing of things.values()) if (!keep(thing)) surplus += 1;
  for (const [id, thing] of things) {
    if (surplus <= 0) return;
    if (keep(thing)) continue;
    things.delete(id);
    surplus -= 1;
  }
}

/**
 * Everything that the live channel keeps up to date, outside React.
 *
 * Messages only write into maps. One timer flushes: one sort, one notification.
 */
export class LiveStore {
  #alarms = new Map<number, Alarm>();
  #orders = new Map<number, WorkOrder>();
  #commands = new Map<number, Command>();
  #values = new Map<number, ValueRow>();
  /** What we expect an acknowledged alarm to become, until the server has answered. */
  #expected = new Map<number, Alarm>();
  #view: LiveView = { alarms: [], orders: [], commands: [], counts: countByPriority([]) };
  #viewListeners = new Set<Listener>();
  #valueListeners = new Map<number, Set<Listener>>();
  #changedValues = new Set<number>();
  #dirty = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  get view(): LiveView {
    return this.#view;
  }

  /** Return the newest state of an alarm, also of one that closed a moment ago. */
  alarm(id: number): Alarm | undefined {
    return this.#expected.get(id) ?? this.#alarms.get(id);
  }

  /** Return the newest state of an order, also of one that finished a moment ago. */
  order(id: number): WorkOrder | undefined {
    return this.#orders.get(id);
  }

  value(key: number): ValueRow | undefined {
    return this.#values.get(key);
  }

  /** Take the place of everything known. */
  replace(snapshot: Snapshot): void {
    this.#alarms = new Map(snapshot.alarms.map((alarm) => [alarm.id, alarm]));
    this.#orders = new Map(snapshot.work_orders.map((order) => [order.id, order]));
    this.#commands = new Map(snapshot.commands.map((command) => [command.id, command]));
    this.#dirty = true;
    this.putValues(snapshot.values);
    this.#scheduleFlush();
  }

  /** Take the newest state of one alarm; an older one that arrives late changes nothing. */
  putAlarm(alarm: Alarm): void {
    const known = this.#alarms.get(alarm.id);
    if (known && known.version > alarm.version) return;
    this.#alarms.set(alarm.id, alarm);
    const expected = this.#expected.get(alarm.id);
    if (expected && alarm.version > expected.version) this.#expected.delete(alarm.id);
    this.#markDirty();
  }

  /** Take the newest state of one order; an older one that arrives late changes nothing. */
  putOrder(order: WorkOrder): void {
    const known = this.#orders.get(order.id);
    if (known && known.version > order.version) return;
    this.#orders.set(order.id, order);
    this.#markDirty();
  }

  /** Take the newest state of one command; an older one that arrives late changes nothing. */
  putCommand(command: Command): void {
    const known = this.#commands.get(command.id);
    if (known && known.version > command.version) return;
    this.#commands.set(command.id, command);
    this.#markDirty();
  }

  putValues(rows: readonly ValueRow[]): void {
    for (const row of rows) {
      const known = this.#values.get(row[0]);
      if (known && known[3] > row[3]) continue;
      this.#values.set(row[0], row);
      this.#changedValues.add(row[0]);
    }
    this.#scheduleFlush();
  }

  /** Show a change that the server has not confirmed yet. */
  expect(alarm: Alarm): void {
    this.#expected.set(alarm.id, alarm);
    this.#markDirty();
    this.flush();
  }

  /** Show what the server said last instead of what was expected. */
  retract(id: number): void {
    if (this.#expected.delete(id)) this.#markDirty();
  }

  subscribe = (listener: Listener): (() => void) => {
    this.#viewListeners.add(listener);
    return () => this.#viewListeners.delete(listener);
  };

  subscribeValue(key: number, listener: Listener): () => void {
    const listeners = this.#valueListeners.get(key) ?? new Set();
    this.#valueListeners.set(key, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Forget everything: someone else may log in. */
  clear(): void {
    this.#expected.clear();
    this.#values.clear();
    this.replace({ epoch: "", seq: 0, alarms: [], work_orders: [], commands: [], values: [] });
    this.flush();
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dirty) this.#flushView();
    const changed = this.#changedValues;
    this.#changedValues = new Set();
    for (const key of changed) for (const listener of this.#valueListeners.get(key) ?? []) listener();
  }

  #flushView(): void {
    this.#dirty = false;
    prune(this.#alarms, isOpen);
    prune(this.#orders, isUnfinished);
    prune(this.#commands, isLiving);
    const newest = [...this.#alarms.values()].map((alarm) => this.#expected.get(alarm.id) ?? alarm);
    const alarms = newest.filter(isOpen).sort(compareAlarms);
    const orders = [...this.#orders.values()].filter(isUnfinished).sort(compareOrders);
    const commands = [...this.#commands.values()].filter(isLiving);
    this.#view = { alarms, orders, commands, counts: countByPriority(alarms) };
    for (const listener of this.#viewListeners) listener();
  }

  #markDirty(): void {
    this.#dirty = true;
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }
}
