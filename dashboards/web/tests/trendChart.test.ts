import { expect, test } from "vitest";
import { timeFormats } from "../src/text/format";
import { planAxes, scaleOf } from "../src/trend/chart/axes";
import { type DragRules, labelPlaces, movedByKey, settled, stepFor } from "../src/trend/chart/limits";
import { lookOf } from "../src/trend/chart/look";
import { type AlarmMark, alarmBars, orderTicks, type Place, spanOfAlarms } from "../src/trend/chart/marks";
import { pixelColumns } from "../src/trend/chart/pixelColumns";
import { timeLabels, timeSplits } from "../src/trend/chart/timeAxis";
import { findables, search } from "../src/trend/page/pointSearch";
import { fromClock, toClock } from "../src/trend/page/wallClock";
import { facility, point } from "./things";

test("points of one unit share an axis, and axes stand left and right in turn", () => {
  const axes = planAxes([
    point(1, { unit: "°C" }),
    point(2, { unit: "bar" }),
    point(3, { unit: "°C" }),
    point(4, { kind: "binary", states: { 0: { en: "No", zh: "否" }, 1: { en: "Yes", zh: "是" } } }),
  ]);
  expect(axes.map(({ unit, side, members }) => ({ unit, side, members }))).toEqual([
    { unit: "°C", side: "left", members: [0, 2] },
    { unit: "bar", side: "right", members: [1] },
    { unit: "", side: "left", members: [3] },
  ]);
});

test("states that mean different things do not share an axis", () => {
  const door = { 0: { en: "Closed", zh: "关" }, 1: { en: "Open", zh: "开" } };
  const pump = { 0: { en: "Stopped", zh: "停" }, 1: { en: "Running", zh: "转" } };
  const of = (states: typeof door, key: number) => point(key, { kind: "binary", states });
  expect(planAxes([of(door, 1), of(pump, 2), of(door, 3)])).toHaveLength(2);
});

test("a scale holds all values and limits, and has a height even for a single value", () => {
  expect(scaleOf([[10, 20], null], [30])).toEqual([8.4, 31.6]);
  const [low, high] = scaleOf([[5, 5]], []);
  expect(low).toBeLessThan(5);
  expect(high).toBeGreaterThan(5);
  expect(scaleOf([null], [])).toEqual([0, 1]);
});

test("eight lines differ without any colour", () => {
  const looks = Array.from({ length: 8 }, (_, index) => lookOf(index));
  expect(new Set(looks.map(({ letter }) => letter)).size).toBe(8);
  expect(new Set(looks.map(({ dash, width }) => `${dash} ${width}`)).size).toBe(8);
});

const columns = (values: readonly number[], stepMs: number) => {
  const value = Float64Array.from(values);
  return {
    time: Float64Array.from(values, (_, index) => index * stepMs),
    value,
    minimum: value,
    maximum: value,
  };
};

test("a column of pixels keeps its least, its greatest and its mean", () => {
  const gathered = pixelColumns(columns([1, 9, 2, 4, 4, 4], 10), 0, 6, 30);
  expect(gathered).toEqual({ time: [15, 45], minimum: [1, 4], maximum: [9, 4], mean: [4, 4] });
});

test("a picture that moves keeps its shape: columns do not depend on where the window begins", () => {
  const values = columns(
    Array.from({ length: 1_000 }, (_, index) => Math.sin(index) * index),
    7,
  );
  const all = pixelColumns(values, 0, 1_000, 100);
  const later = pixelColumns(values, 300, 1_000, 100);
  expect(all.maximum.slice(-40)).toEqual(later.maximum.slice(-40));
});

test("no value is lost between columns, however fine they are", () => {
  for (const width of [1e-7, 0.3, 1, 7, 1e9]) {
    const gathered = pixelColumns(columns([3, 1, 2], 7), 0, 3, width);
    expect(Math.min(...gathered.minimum)).toBe(1);
    expect(Math.max(...gathered.maximum)).toBe(3);
  }
});

const HOUR = 3_600_000;
const shanghai = timeFormats("en", "Asia/Shanghai");
const berlin = timeFormats("en", "Europe/Berlin");

test("days begin at the site's own midnight", () => {
  const from = Date.UTC(2026, 10, 22, 3);
  const splits = timeSplits(from, from + 48 * HOUR, 24 * HOUR, shanghai.offsetMs);
  expect(splits.map((at) => shanghai.time(at))).toEqual(["00:00:00", "00:00:00"]);
});

test("midnight stays midnight when the clocks are put back", () => {
  const from = Date.UTC(2026, 9, 23, 12);
  const splits = timeSplits(from, from + 96 * HOUR, 24 * HOUR, berlin.offsetMs);
  expect(splits.map((at) => berlin.time(at))).toEqual(Array.from({ length: 4 }, () => "00:00:00"));
});

test("the day stands below the first hour and below each new day", () => {
  const at = [22, 23, 24, 25].map((hour) => Date.UTC(2026, 10, 22, hour - 8));
  expect(timeLabels(at, HOUR, shanghai)).toEqual(["22:00\n22 Nov", "23:00", "00:00\n23 Nov", "01:00"]);
});

test("an instant survives its way through the site's clock", () => {
  const at = Date.UTC(2026, 6, 1, 10, 20, 30);
  expect(toClock(at, berlin.offsetMs)).toBe("2026-07-01T12:20:30");
  expect(fromClock(toClock(at, berlin.offsetMs), berlin.offsetMs)).toBe(at);
  expect(fromClock("2026-07-01T12:20", berlin.offsetMs)).toBe(at - 30_000);
  expect(fromClock("", berlin.offsetMs)).toBeNaN();
});

const alarm = (id: number, fromMs: number, toMs: number | null, priority: 1 | 2 | 3 | 4 = 3): AlarmMark => ({
  id,
  fromMs,
  toMs,
  priority,
  words: "",
});
const place: Place = { x: (ms) => ms, width: 1_000, nowMs: 1_000, lanes: 2 };

test("alarms that overlap take two lanes, and a third joins with the worst priority first", () => {
  const bars = alarmBars([alarm(1, 100, 600), alarm(2, 150, 400), alarm(3, 200, 300, 1)], place);
  expect(bars.map(({ lane, priority, alarms }) => ({ lane, priority, n: alarms.length }))).toEqual([
    { lane: 0, priority: 3, n: 1 },
    { lane: 1, priority: 1, n: 2 },
  ]);
});

test("a standing alarm reaches to now, one that is over or yet to come is left out", () => {
  const bars = alarmBars([alarm(1, -900, -10), alarm(2, 500, null), alarm(3, 1_200, null)], place);
  expect(bars).toHaveLength(1);
  expect(bars[0]).toMatchObject({ left: 500, right: 1_000, open: true });
});

test("however many alarms there are, none is lost and their signs keep apart", () => {
  const alarms = Array.from({ length: 400 }, (_, id) =>
    alarm(id, (id * 37) % 1_000, ((id * 37) % 1_000) + 5),
  );
  const bars = alarmBars(alarms, place);
  expect(bars.reduce((sum, bar) => sum + bar.alarms.length, 0)).toBe(400);
  expect(bars.length).toBeLessThan(70);
});

test("looking at a crowd of alarms closely shows all of them", () => {
  const [from, to] = spanOfAlarms([alarm(1, 100_000, 200_000), alarm(2, 150_000, null)], 900_000);
  expect(from).toBeLessThan(100_000);
  expect(to).toBeGreaterThan(900_000);
});

test("orders opened in the same moment share a tick", () => {
  const ticks = orderTicks(
    [
      { id: 1, atMs: 100, words: "" },
      { id: 2, atMs: 104, words: "" },
      { id: 3, atMs: 400, words: "" },
    ],
    place,
  );
  expect(ticks.map(({ orders }) => orders.map(({ id }) => id))).toEqual([[1, 2], [3]]);
});

const rules: DragRules = { name: "High", minimum: 0, maximum: 100, step: 0.1, words: String };

test("a limit stays on its steps and within its bounds", () => {
  expect(settled(0.1 + 0.2, rules)).toBe(0.3);
  expect(settled(70.04, rules)).toBe(70);
  expect(settled(1e9, rules)).toBe(100);
});

test("keys move a limit by a step, by ten, or to its bounds", () => {
  expect(movedByKey("ArrowUp", 70, rules)).toBe(70.1);
  expect(movedByKey("PageDown", 70, rules)).toBe(69);
  expect(movedByKey("Home", 70, rules)).toBe(0);
  expect(movedByKey("End", 70, rules)).toBe(100);
  expect(movedByKey("a", 70, rules)).toBeUndefined();
});

test("a step is neither a crumb nor a leap", () => {
  expect(stepFor([0, 100])).toBe(0.5);
  expect(stepFor([0, 3])).toBe(0.02);
  expect(stepFor([0, 12_000])).toBe(100);
});

test("labels of near limits stand beside each other", () => {
  const places = (height: number, ...lines: [y: number, movable?: boolean][]) =>
    labelPlaces(
      lines.map(([y, movable = false]) => ({ y, movable })),
      height,
    ).map(({ column, below }) => `${column}${below ? " below" : ""}`);
  expect(places(400, [100], [105], [109], [300])).toEqual(["0", "0 below", "1", "0"]);
  // What can be moved keeps its place, and what clears it stands below its own line.
  expect(places(400, [115], [100, true], [104, true])).toEqual(["0 below", "0", "1"]);
  expect(places(400, [5], [395])).toEqual(["0 below", "0"]);
});

test("a point is found by words of its asset, its title, its unit or its space, in either language", () => {
  const all = findables(facility());
  const found = (text: string) => search(all, text, 10).found.map(({ address }) => address);
  expect(found("pump flow")).toEqual(["pump-1/flow", "pump-2/flow"]);
  expect(found("中 Flow pump-2")).toEqual(["pump-2/flow"]);
  expect(found("cellar bearing")).toEqual(["pump-1/bearing", "pump-2/bearing"]);
  expect(found("nothing")).toEqual([]);
  expect(search(all, "", 3)).toMatchObject({ total: all.length });
});
