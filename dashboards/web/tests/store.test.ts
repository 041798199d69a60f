import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FLUSH_MS, LiveStore } from "../src/live/store";
import { alarm, command, order } from "./things";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const acknowledged = { version: 2, acknowledged: true, acknowledged_by: "Olivia", state: "C" } as const;

test("a thousand events make one flush", () => {
  const store = new LiveStore();
  const flushed = vi.fn();
  store.subscribe(flushed);
  for (let id = 1; id <= 1_000; id += 1) store.putAlarm(alarm(id));
  expect(flushed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(FLUSH_MS);
  expect(flushed).toHaveBeenCalledOnce();
  expect(store.view.alarms).toHaveLength(1_000);
});

test("the most urgent stand first, within a priority the unseen, then the newest", () => {
  const store = new LiveStore();
  store.putAlarm(alarm(1, { priority: 3 }));
  store.putAlarm(alarm(2, { priority: 1, ...acknowledged }));
  store.putAlarm(alarm(3, { priority: 1, raised_at: "2026-11-22T09:00:00Z" }));
  store.putAlarm(alarm(4, { priority: 1, raised_at: "2026-11-22T09:00:00.5Z" }));
  store.flush();
  expect(store.view.alarms.map((one) => one.id)).toEqual([4, 3, 2, 1]);
});

test("an older state that arrives late changes nothing", () => {
  const store = new LiveStore();
  store.putAlarm(alarm(1, acknowledged));
  store.putAlarm(alarm(1));
  store.flush();
  expect(store.view.alarms[0]?.acknowledged_by).toBe("Olivia");
});

test("a closed alarm leaves the list, and its detail still knows its last state", () => {
  const store = new LiveStore();
  store.putAlarm(alarm(1));
  store.putAlarm(alarm(1, { version: 2, state: "A" }));
  store.flush();
  expect(store.view.alarms).toEqual([]);
  expect(store.alarm(1)?.state).toBe("A");
});

test("an expected acknowledgement shows at once and is taken back when it is refused", () => {
  const store = new LiveStore();
  store.putAlarm(alarm(1));
  store.expect(alarm(1, acknowledged));
  expect(store.view.counts[3]).toEqual({ open: 1, unacknowledged: 0 });
  store.retract(1);
  store.flush();
  expect(store.view.counts[3]).toEqual({ open: 1, unacknowledged: 1 });
});

test("a newer state from the server outweighs what was expected", () => {
  const store = new LiveStore();
  store.putAlarm(alarm(1));
  store.expect(alarm(1, acknowledged));
  store.putAlarm(alarm(1, { version: 3, state: "B", priority: 1 }));
  store.flush();
  expect(store.view.alarms[0]).toMatchObject({ priority: 1, acknowledged: false });
});

test("a point's listeners hear only of their own point, and an older sample changes nothing", () => {
  const store = new LiveStore();
  const mine = vi.fn();
  const other = vi.fn();
  store.subscribeValue(7, mine);
  store.subscribeValue(8, other);
  store.putValues([[7, 1.5, 0, 2_000]]);
  store.putValues([[7, 9.9, 0, 1_000]]);
  store.flush();
  expect(mine).toHaveBeenCalledOnce();
  expect(other).not.toHaveBeenCalled();
  expect(store.value(7)?.[1]).toBe(1.5);
});

test("finished orders leave the list", () => {
  const store = new LiveStore();
  store.putOrder(order(1));
  store.putOrder(order(2, { state: "completed" }));
  store.flush();
  expect(store.view.orders.map((one) => one.id)).toEqual([1]);
});

test("a command that ended is shown no more, and an older state that arrives late brings it not back", () => {
  const store = new LiveStore();
  store.putCommand(command(1));
  store.putCommand(command(2, { version: 3, state: "expired" }));
  store.putCommand(command(2, { version: 2, state: "expiring" }));
  store.flush();
  expect(store.view.commands.map((one) => one.id)).toEqual([1]);
});

test("memory stays bounded however many alarms come and go", () => {
  const store = new LiveStore();
  for (let id = 1; id <= 2_000; id += 1) store.putAlarm(alarm(id, { state: "A" }));
  store.flush();
  expect(store.alarm(1)).toBeUndefined();
  expect(store.alarm(2_000)).toBeDefined();
});
