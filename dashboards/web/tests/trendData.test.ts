import { expect, test } from "vitest";
import type { Asset, History, Point } from "../src/api/types";
import {
  addressFrom,
  linkToAlarm,
  rangeOf,
  resolve,
  searchOf,
  type TrendAddress,
  viewFrom,
} from "../src/trend/data/address";
import { bucketsFrom, widthFor } from "../src/trend/data/buckets";
import { holdingAt } from "../src/trend/data/columns";
import { Samples } from "../src/trend/data/samples";
import { stretchesOf } from "../src/trend/data/stretches";
import { extentOf, readingAt, suffices, type Track, wantedFor } from "../src/trend/data/track";
import { lastOf, panned, stretch, zoomed } from "../src/trend/data/view";
import { ViewKeeper } from "../src/trend/data/viewKeeper";
import { point } from "./things";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

/** Samples at the given seconds; the value is the second. */
function history(seconds: readonly number[], quality: (second: number) => number = () => 0): History {
  return {
    time_ms: seconds.map((second) => second * 1_000),
    value: [...seconds],
    quality: seconds.map(quality),
  };
}

const every = (step: number, from: number, to: number) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);

const split = (samples: Samples, until: number) => stretchesOf(samples, 0, until * 1_000, until * 1_000);

test("no line is drawn through bad samples, and their stretch is told", () => {
  const samples = Samples.from(history(every(1, 0, 30), (second) => (second >= 10 && second < 13 ? 128 : 0)));
  const { lines, doubts } = split(samples, 30);
  expect(lines).toEqual([
    [0, 10],
    [13, 30],
  ]);
  expect(doubts).toEqual([{ doubt: "bad", fromMs: 10_000, toMs: 13_000 }]);
});

test("uncertain samples keep their line and are marked", () => {
  const samples = Samples.from(history(every(1, 0, 30), (second) => (second >= 20 ? 64 : 0)));
  const { lines, doubts } = split(samples, 30);
  expect(lines).toEqual([[0, 30]]);
  expect(doubts).toEqual([{ doubt: "uncertain", fromMs: 20_000, toMs: 30_000 }]);
});

test("a sample without a number is no better than a bad one", () => {
  const bare = history(every(1, 0, 20));
  bare.value[5] = null;
  expect(split(Samples.from(bare), 20).lines).toEqual([
    [0, 5],
    [6, 20],
  ]);
});

test("where a point that spoke every second fell silent, there is a gap", () => {
  const samples = Samples.from(history([...every(1, 0, 30), ...every(1, 60, 90)]));
  const { lines, doubts } = split(samples, 90);
  expect(lines).toEqual([
    [0, 30],
    [30, 60],
  ]);
  expect(doubts).toEqual([{ doubt: "silent", fromMs: 29_000, toMs: 60_000 }]);
});

test("a point that is sampled more often than last week was not silent last week", () => {
  const samples = Samples.from(history([...every(60, 0, 6_000), ...every(1, 6_000, 6_600)]));
  expect(split(samples, 6_600).doubts).toEqual([]);
});

test("a single sample in the middle of a long silence mends nothing", () => {
  const samples = Samples.from(history([...every(1, 0, 30), 300, ...every(1, 600, 630)]));
  expect(split(samples, 630).doubts).toEqual([{ doubt: "silent", fromMs: 29_000, toMs: 600_000 }]);
});

test("a door that tells only its changes is not silent at night", () => {
  const opened = [10, 14, 500, 520, 523, 4_000, 4_002, 9_000, 9_030, 9_031, 11_000, 40_000];
  expect(split(Samples.from(history(opened)), 50_000).doubts).toEqual([]);
});

test("a point that fell silent just now shows a gap up to now", () => {
  const samples = Samples.from(history(every(1, 0, 30)));
  expect(split(samples, 33).doubts).toEqual([]);
  expect(split(samples, 60).doubts).toEqual([{ doubt: "silent", fromMs: 29_000, toMs: 60_000 }]);
});

test("a live sample is put once, in its order, and after a silence", () => {
  const samples = Samples.from(history(every(1, 0, 30)));
  expect(samples.append(29_000, 1, 0)).toBe(false);
  expect(samples.append(60_000, 1, 0)).toBe(true);
  expect(split(samples, 60).doubts).toEqual([{ doubt: "silent", fromMs: 29_000, toMs: 60_000 }]);
});

test("samples grow without end and are forgotten but for the one that still holds", () => {
  const samples = new Samples(4);
  for (let second = 0; second < 1_000; second += 1) {
    samples.append(second * 1_000, second, 0);
    samples.forgetBefore(second * 1_000 - 9_500);
  }
  expect(samples.length).toBe(11);
  expect(samples.time.length).toBeLessThan(1_000);
  expect(samples.value[holdingAt(samples, 995_500)]).toBe(995);
});

test("what came live gives way to what history holds, and what is newer stays", () => {
  const samples = Samples.from(history(every(1, 0, 10)));
  samples.append(12_000, 12, 0);
  samples.append(14_000, 14, 0);
  samples.replaceFrom(9_000, history([9, 10, 11, 12, 13]));
  expect([...samples.value.subarray(samples.first, samples.end)]).toEqual([...every(1, 0, 15)]);
});

const buckets = (columns: { count: number[]; good: number[]; mean: (number | null)[]; time_ms: number[] }) =>
  bucketsFrom({ ...columns, minimum: columns.mean, maximum: columns.mean, last: columns.mean }, 1_000);

test("a bucket is bad when all in it is, and uncertain when some is", () => {
  const gathered = buckets({
    time_ms: [0, 1_000, 2_000],
    count: [10, 10, 10],
    good: [10, 9, 0],
    mean: [1, 1, null],
  });
  expect(stretchesOf(gathered, 0, 3_000, 3_000)).toEqual({
    lines: [[0, 2]],
    doubts: [
      { doubt: "uncertain", fromMs: 1_000, toMs: 2_000 },
      { doubt: "bad", fromMs: 2_000, toMs: 3_000 },
    ],
  });
});

test("a missing bucket among full ones is a gap; among nearly empty ones it is none", () => {
  const time_ms = [0, 1_000, 2_000, 4_000, 5_000, 6_000];
  const of = (count: number) =>
    buckets({
      time_ms,
      count: time_ms.map(() => count),
      good: time_ms.map(() => count),
      mean: time_ms.map(() => 1),
    });
  expect(stretchesOf(of(10), 0, 7_000, 7_000).lines).toHaveLength(2);
  expect(stretchesOf(of(1), 0, 7_000, 7_000).lines).toHaveLength(1);
});

test("buckets have widths that people can name, and no more than asked for", () => {
  expect(widthFor(3_600_000, 600)).toBe(10_000);
  expect(widthFor(30 * 86_400_000, 600)).toBe(2 * 3_600_000);
  for (const span of [1_000, 77_777, 9e8, 4e10]) expect(span / widthFor(span, 500)).toBeLessThanOrEqual(500);
});

const track = (part: Partial<Track> = {}): Track => ({
  fromMs: 0,
  toMs: 100_000,
  reachesNow: false,
  buckets: null,
  samples: Samples.from(history(every(1, 0, 100))),
  ...part,
});

test("a track serves a view that lies within it, with buckets no wider than its pixels need", () => {
  const inside = { fromMs: 10_000, toMs: 50_000, live: false };
  expect(suffices(track(), inside, 600)).toBe(true);
  expect(suffices(track(), { ...inside, fromMs: -1 }, 600)).toBe(false);
  expect(suffices(track(), { ...inside, toMs: 100_001 }, 600)).toBe(false);
  expect(suffices(track({ reachesNow: true }), { ...inside, toMs: 200_000 }, 600)).toBe(true);
  const coarse = track({ buckets: buckets({ time_ms: [0], count: [1], good: [1], mean: [1] }) });
  expect(suffices(coarse, inside, 40)).toBe(true);
  expect(suffices(coarse, inside, 600)).toBe(false);
});

test("what is asked for reaches beyond the view in whole buckets, but not beyond the bucket of now", () => {
  const wanted = wantedFor(lastOf(3_600_000, NOW), 1_200, NOW);
  expect(wanted.reachesNow).toBe(true);
  expect(wanted.fromMs).toBeLessThanOrEqual(NOW - 1.5 * 3_600_000);
  expect(wanted.toMs - NOW).toBeLessThan(wanted.widthMs);
  expect((wanted.toMs - wanted.fromMs) % wanted.widthMs).toBe(0);
});

test("an instant reads the sample that held then, and says when nothing is known", () => {
  const samples = Samples.from(history(every(1, 0, 50), (second) => (second >= 40 ? 130 : 0)));
  const known = track({ samples });
  expect(readingAt(known, 10_400, NOW)).toMatchObject({ value: 10, doubt: null });
  expect(readingAt(known, 45_000, NOW)).toMatchObject({ value: 45, doubt: "bad" });
  expect(readingAt(known, 90_000, NOW)).toMatchObject({ doubt: "silent" });
  expect(readingAt(known, 100_001, NOW)).toBeNull();
});

test("the extent of a view leaves bad samples out", () => {
  const samples = Samples.from(history(every(1, 0, 50), (second) => (second > 30 ? 130 : 0)));
  expect(extentOf(track({ samples }), { fromMs: 10_000, toMs: 60_000, live: false })).toEqual([10, 30]);
});

test("a live view lets go when it is moved to the left, and follows again when it comes near to now", () => {
  const live = lastOf(60 * MINUTE, NOW);
  const past = panned(live, -0.001, NOW);
  expect(past.live).toBe(false);
  expect(panned(past, -0.001, NOW).live).toBe(false);
  expect(panned(past, 0.5, NOW)).toEqual(live);
});

test("a zoom keeps the instant under the pointer, and never shows what is yet to come", () => {
  const view = stretch(NOW - 120 * MINUTE, NOW - 60 * MINUTE, NOW);
  const near = zoomed(view, 0.5, 0.25, NOW);
  expect(near.fromMs + (near.toMs - near.fromMs) * 0.25).toBeCloseTo(view.fromMs + 15 * MINUTE);
  const far = zoomed(view, 100, 0, NOW);
  expect(far).toMatchObject({ toMs: NOW, live: true });
});

test("back returns to what was shown before a gesture, however many steps the gesture had", () => {
  const keeper = new ViewKeeper(lastOf(60 * MINUTE, NOW), () => NOW);
  for (let step = 0; step < 20; step += 1) keeper.pan(-0.1);
  expect(keeper.view.live).toBe(false);
  keeper.back();
  expect(keeper.view).toEqual(lastOf(60 * MINUTE, NOW));
  expect(keeper.canGoBack).toBe(false);
});

test.each([
  "?points=pump-1/flow,pump-2/flow&from=now-3600&to=now",
  "?points=door-1/held_open&from=2026-11-22T10:00:00.000Z&to=2026-11-22T11:00:00.000Z&alarm=12&guide=0",
  "?from=now-900&to=now",
])("an address survives its way through the page: %s", (search) => {
  expect(searchOf(addressFrom(search))).toBe(search);
});

test("what an address says amiss is left out", () => {
  expect(addressFrom("?points=a/b,,a/b&from=tomorrow&to=yesterday&alarm=none&guide=high")).toEqual({
    points: ["a/b"],
    range: { lastMs: 3_600_000 },
    alarm: null,
    guide: null,
  });
  const many = Array.from({ length: 12 }, (_, index) => `a/p${index}`).join();
  expect(addressFrom(`?points=${many}`).points).toHaveLength(8);
});

test("a view comes back from its address to the millisecond", () => {
  const view = stretch(NOW - 2 * MINUTE + 0.4, NOW - MINUTE + 0.4, NOW);
  const address: TrendAddress = { points: [], range: rangeOf(view), alarm: null, guide: null };
  const again = viewFrom(addressFrom(searchOf(address)).range, NOW);
  expect(Math.abs(again.fromMs - view.fromMs)).toBeLessThanOrEqual(1);
  expect(viewFrom(rangeOf(lastOf(MINUTE, NOW)), NOW + 5)).toEqual(lastOf(MINUTE, NOW + 5));
});

test("an alarm's link shows it with room on both sides", () => {
  const { range } = addressFrom(
    linkToAlarm("pump-1", "flow", 3, NOW - 30 * MINUTE, NOW - 20 * MINUTE).slice(6),
  );
  expect(range).toEqual({ fromMs: NOW - 45 * MINUTE, toMs: NOW - 5 * MINUTE });
});

test("points that the site does not have are told apart", () => {
  const asset = { id: "pump-1", points: [point(1, { name: "flow" })] as Point[] } as Asset;
  const { shown, unknown } = resolve(["pump-1/flow", "pump-9/flow", "pump-1/"], [asset]);
  expect(shown.map((one) => one.point.key)).toEqual([1]);
  expect(unknown).toEqual(["pump-9/flow", "pump-1/"]);
});
