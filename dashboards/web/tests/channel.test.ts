import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Snapshot } from "../src/api/types";
import { LiveChannel, WATCHDOG_MS } from "../src/live/channel";
import { LiveStore } from "../src/live/store";
import { alarm } from "./things";

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  closed = false;
  readonly query: string;

  constructor(query: string) {
    this.query = query;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  close(): void {
    this.closed = true;
  }
}

function wired() {
  const sockets: FakeSocket[] = [];
  const snapshot: Snapshot = { epoch: "one", seq: 10, alarms: [], work_orders: [], commands: [], values: [] };
  const store = new LiveStore();
  const parts = {
    store,
    openSocket: (query: string) => {
      const socket = new FakeSocket(query);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    fetchSnapshot: vi.fn(async () => snapshot),
    onUnauthenticated: vi.fn(),
    onSiteChanged: vi.fn(),
    onRulesChanged: vi.fn(),
  };
  const channel = new LiveChannel(parts);
  channel.start();
  return { ...parts, channel, sockets, snapshot, latest: () => sockets.at(-1) as FakeSocket };
}

const hello = (resumed: boolean, epoch = "one") => ({
  type: "hello",
  epoch,
  seq: 10,
  resumed,
  now: "2026-11-22T12:00:00Z",
});
const event = (seq: number, id: number, version = 1) => ({
  seq,
  topic: "alarm",
  data: alarm(id, { version }),
});

async function live() {
  const parts = wired();
  parts.latest().say(hello(false));
  await vi.advanceTimersByTimeAsync(0);
  return parts;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("events that overtake the snapshot are neither lost nor taken twice", async () => {
  const { latest, store, channel } = wired();
  latest().say(hello(false));
  latest().say({ type: "events", events: [event(10, 1), event(11, 2)] });
  await vi.advanceTimersByTimeAsync(0);
  expect(channel.status.state).toBe("live");
  expect(store.view.alarms.map((one) => one.id)).toEqual([2]);
});

test("after a break it resumes where it left", async () => {
  const { latest, sockets, channel } = await live();
  latest().say({ type: "events", events: [event(11, 1)] });
  latest().onclose?.({ code: 1006 });
  expect(channel.status.state).toBe("stale");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sockets).toHaveLength(2);
  expect(latest().query).toBe("?epoch=one&since=11");
  latest().say(hello(true));
  expect(channel.status.state).toBe("live");
});

test("one that was too slow takes a snapshot", async () => {
  const { latest } = await live();
  latest().onclose?.({ code: 4001 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(latest().query).toBe("");
});

test("a half-open connection shows as stale after the watchdog's time, and is opened anew", async () => {
  const { latest, sockets, channel } = await live();
  await vi.advanceTimersByTimeAsync(WATCHDOG_MS - 1);
  expect(channel.status.state).toBe("live");
  const first = latest();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(channel.status.state).toBe("stale");
  expect(first.closed).toBe(true);
  expect(sockets).toHaveLength(2);
});

test("a heartbeat keeps it live and sets the clock", async () => {
  const { latest, channel } = await live();
  await vi.advanceTimersByTimeAsync(WATCHDOG_MS - 1);
  latest().say({ type: "heartbeat", seq: 10, now: new Date(Date.now() + 5_000).toISOString() });
  await vi.advanceTimersByTimeAsync(WATCHDOG_MS - 1);
  expect(channel.status).toMatchObject({ state: "live", clockOffsetMs: 5_000 });
});

test("attempts spread out while the server is away", async () => {
  const { latest, sockets } = await live();
  for (let attempt = 0; attempt < 8; attempt += 1) {
    latest().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(15_000);
  }
  const before = sockets.length;
  latest().onclose?.({ code: 1006 });
  await vi.advanceTimersByTimeAsync(7_000);
  expect(sockets).toHaveLength(before);
});

test("without a session it stops and says so", async () => {
  const { latest, sockets, onUnauthenticated } = await live();
  latest().onclose?.({ code: 4401 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onUnauthenticated).toHaveBeenCalledOnce();
  expect(sockets).toHaveLength(1);
});
