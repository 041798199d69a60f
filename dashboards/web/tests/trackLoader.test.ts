import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { BucketsView, History, ValueRow } from "../src/api/types";
import type { TrendSource } from "../src/trend/data/source";
import { MOST_SAMPLES, TrackLoader } from "../src/trend/data/trackLoader";
import { lastOf, stretch } from "../src/trend/data/view";

const MINUTE = 60_000;
const WIDTH = 1_000;
let now = 1_800_000_000_000;

interface Asked {
  what: "buckets" | "samples";
  key: number;
  fromMs: number;
  toMs: number;
  signal: AbortSignal;
  answer: (value: BucketsView | History) => void;
  refuse: (reason: unknown) => void;
}

/** A history that answers when the test says so. */
class SlowSource implements TrendSource {
  asked: Asked[] = [];
  newestRows = new Map<number, ValueRow>();
  listeners = new Map<number, () => void>();

  #ask<Answer extends BucketsView | History>(
    what: Asked["what"],
    key: number,
    fromMs: number,
    toMs: number,
    signal: AbortSignal,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, refuse) => {
      const answer = resolve as Asked["answer"];
      this.asked.push({ what, key, fromMs, toMs, signal, answer, refuse });
      signal.addEventListener("abort", () => refuse(new Error("aborted")));
    });
  }

  buckets = (key: number, fromMs: number, toMs: number, _count: number, signal: AbortSignal) =>
    this.#ask<BucketsView>("buckets", key, fromMs, toMs, signal);
  samples = (key: number, fromMs: number, toMs: number, _limit: number, signal: AbortSignal) =>
    this.#ask<History>("samples", key, fromMs, toMs, signal);
  newest = (key: number) => this.newestRows.get(key);
  subscribe = (key: number, listener: () => void) => {
    this.listeners.set(key, listener);
    return () => this.listeners.delete(key);
  };

  last(): Asked {
    const last = this.asked.at(-1);
    if (!last) throw new Error("nothing was asked");
    return last;
  }

  say(key: number, value: number, at: number): void {
    this.newestRows.set(key, [key, value, 0, at]);
    this.listeners.get(key)?.();
  }
}

const bucketsOf = (asked: Asked, count: number): BucketsView => ({
  // In the middle of what is looked at.
  ...{ time_ms: [(asked.fromMs + asked.toMs) / 2], minimum: [1], maximum: [3], mean: [2], last: [2] },
  ...{ good: [count], count: [count] },
});

const samplesOf = (asked: Asked): History => {
  const time_ms = Array.from({ length: 60 }, (_, index) => asked.fromMs + index * 1_000);
  return { time_ms, value: time_ms.map(() => 2), quality: time_ms.map(() => 0) };
};

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** Answer everything that is asked for as a history with few samples would. */
async function serve(source: SlowSource): Promise<void> {
  for (let answered = 0; answered < source.asked.length; answered += 1) {
    const asked = source.asked[answered] as Asked;
    asked.answer(asked.what === "buckets" ? bucketsOf(asked, 60) : samplesOf(asked));
    await settle();
  }
}

function loading(keys: readonly number[]) {
  const source = new SlowSource();
  const loader = new TrackLoader(source, () => now);
  loader.setPoints(keys);
  return { source, loader };
}

beforeEach(() => {
  vi.useFakeTimers();
  now = 1_800_000_000_000;
});
afterEach(() => void vi.useRealTimers());

test("few samples are asked for one by one, many as buckets", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  await serve(source);
  expect(source.asked.map(({ what }) => what)).toEqual(["buckets", "samples"]);
  expect(loader.track(7)?.buckets).toBeNull();

  const other = loading([7]);
  other.loader.want(lastOf(15 * MINUTE, now), WIDTH);
  other.source.last().answer(bucketsOf(other.source.last(), MOST_SAMPLES + 1));
  await settle();
  expect(other.source.asked).toHaveLength(1);
  expect(other.loader.track(7)?.buckets?.end).toBe(1);
});

test("the old drawing stays until the new one has arrived, and a stale question is cancelled", async () => {
  const { source, loader } = loading([7]);
  loader.want(stretch(now - 60 * MINUTE, now - 45 * MINUTE, now), WIDTH);
  await serve(source);
  const before = loader.track(7);
  loader.want(stretch(now - 600 * MINUTE, now - 500 * MINUTE, now), WIDTH);
  await vi.advanceTimersByTimeAsync(200);
  const stale = source.last();
  expect(loader.status.loading).toBe(true);
  loader.want(stretch(now - 6_000 * MINUTE, now - 5_000 * MINUTE, now), WIDTH);
  await vi.advanceTimersByTimeAsync(200);
  expect(stale.signal.aborted).toBe(true);
  expect(loader.track(7)).toBe(before);
  await serve(source);
  expect(loader.track(7)).not.toBe(before);
  expect(loader.status).toEqual({ loading: false, failure: undefined });
});

test("a wheel that turns on asks once, when it rests", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  await serve(source);
  const before = source.asked.length;
  for (let step = 1; step < 10; step += 1) {
    loader.want(lastOf(15 * MINUTE * 2 ** step, now), WIDTH);
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(source.asked).toHaveLength(before);
  await vi.advanceTimersByTimeAsync(200);
  expect(source.asked).toHaveLength(before + 1);
});

test("a live view that follows now is at rest: its question is asked", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  await serve(source);
  const before = source.asked.length;
  for (let tick = 0; tick < 3; tick += 1) {
    now += 100;
    loader.want(lastOf(600 * MINUTE, now), WIDTH);
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(source.asked).toHaveLength(before + 1);
});

test("a live view asks for nothing while it moves, takes live samples, and lets history mend them", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  await serve(source);
  const asked = source.asked.length;
  for (let second = 0; second < 9; second += 1) {
    now += 1_000;
    source.say(7, 2.5, now);
    loader.want(lastOf(15 * MINUTE, now), WIDTH);
  }
  expect(source.asked).toHaveLength(asked);
  const samples = loader.track(7)?.samples;
  expect(samples?.newestMs).toBe(now);
  now += 2_000;
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  expect(source.asked).toHaveLength(asked + 1);
  const mending = source.last();
  mending.answer({ time_ms: [now - 500], value: [9], quality: [0] });
  await settle();
  expect(samples?.newestMs).toBe(now - 500);
});

test("a failure keeps the drawing, is told, and is mended by trying again", async () => {
  const { source, loader } = loading([7]);
  loader.want(stretch(now - 60 * MINUTE, now - 45 * MINUTE, now), WIDTH);
  await serve(source);
  const before = loader.track(7);
  loader.want(stretch(now - 600 * MINUTE, now - 500 * MINUTE, now), WIDTH);
  await vi.advanceTimersByTimeAsync(200);
  source.last().refuse(new Error("away"));
  await settle();
  expect(loader.status.failure).toBeInstanceOf(Error);
  expect(loader.track(7)).toBe(before);
  loader.retry();
  await serve(source);
  expect(loader.status.failure).toBeUndefined();
  expect(loader.track(7)).not.toBe(before);
});

test("a point that is put in is asked for alone, and one that is taken out is forgotten", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  await serve(source);
  source.asked = [];
  loader.setPoints([7, 8]);
  await vi.advanceTimersByTimeAsync(200);
  expect(source.asked.map(({ key }) => key)).toEqual([8]);
  loader.setPoints([8]);
  expect(loader.track(7)).toBeUndefined();
});

test("whoever leaves the page asks for nothing more", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  loader.stop();
  expect(source.last().signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(source.asked).toHaveLength(1);
});

test("what came live while history was asked is not lost", async () => {
  const { source, loader } = loading([7]);
  loader.want(lastOf(15 * MINUTE, now), WIDTH);
  source.newestRows.set(7, [7, 5, 0, now + 300]);
  await serve(source);
  expect(loader.track(7)?.samples.newestMs).toBe(now + 300);
});
