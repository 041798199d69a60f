import { expect, test } from "vitest";
import { filterAlarms, filterFrom, searchFrom } from "../src/alarms/filter";
import { quantityOf } from "../src/alarms/quantity";
import { currentIndex, moveTo, NOTHING_SELECTED, onlyShown } from "../src/alarms/selection";
import { Annunciator, DEFAULT_MODES } from "../src/sound/annunciator";
import { ageOf } from "../src/text/age";
import { formatNumber } from "../src/text/format";
import { alarm } from "./things";

test("a filter survives its way through the address", () => {
  const search = new URLSearchParams("system=fire&priority=1&priority=2&unacknowledged=1&text=zone+2");
  expect(searchFrom(filterFrom(search)).toString()).toBe(search.toString());
});

test("every word of the filter must stand in the row, in either language", () => {
  const alarms = [alarm(1), alarm(2, { title: { en: "Fire", zh: "火警" } })];
  const shown = (text: string) =>
    filterAlarms(alarms, filterFrom(new URLSearchParams({ text }))).map((one) => one.id);
  expect(shown("main held")).toEqual([1]);
  expect(shown("火警")).toEqual([2]);
  expect(shown("main fire")).toEqual([2]);
  expect(shown("basement")).toEqual([]);
});

test("the cursor stays on its alarm while the list moves, and in its place when the alarm goes", () => {
  const selection = moveTo([1, 2, 3], NOTHING_SELECTED, 1, false);
  expect(currentIndex([9, 8, 2, 3], selection, 1)).toBe(2);
  expect(currentIndex([1, 3], selection, 1)).toBe(1);
  expect(currentIndex([], selection, 1)).toBe(-1);
});

test("a range reaches from where it began", () => {
  const began = moveTo([1, 2, 3, 4], NOTHING_SELECTED, 1, false);
  const extended = moveTo([1, 2, 3, 4], began, 3, true);
  expect([...extended.chosen]).toEqual([2, 3, 4]);
});

test("nobody acknowledges what a filter hides", () => {
  const selection = { current: 1, anchor: 1, chosen: new Set([1, 2]) };
  expect([...onlyShown([2, 3], selection).chosen]).toEqual([2]);
});

test("a quantity is shown for limits, seconds for silence, nothing for a state", () => {
  expect(quantityOf(alarm(1, { reason: "high", value: 92.41, limit: 90, unit: "°C" }))).toEqual({
    value: "92.4\u202f°C",
    limit: "90\u202f°C",
  });
  expect(quantityOf(alarm(1, { reason: "no_data", value: null, limit: 15, unit: "m" })).limit).toBe(
    "15\u202fs",
  );
  expect(quantityOf(alarm(1, { reason: "state" }))).toEqual({ value: "", limit: "" });
});

test("an alarm repeats until it is silenced, and a new one sounds again", () => {
  const annunciator = new Annunciator();
  const first = alarm(1, { priority: 1 });
  expect(annunciator.hear([first], DEFAULT_MODES)).toBe(1);
  expect(annunciator.hear([first], DEFAULT_MODES)).toBeNull();
  expect(annunciator.repeating(DEFAULT_MODES)).toBe(1);
  annunciator.silence();
  expect(annunciator.repeating(DEFAULT_MODES)).toBeNull();
  expect(annunciator.hear([first, alarm(2, { priority: 2 })], DEFAULT_MODES)).toBe(2);
  expect(annunciator.repeating(DEFAULT_MODES)).toBe(2);
});

test("an acknowledged alarm falls silent; one that becomes more urgent is heard again", () => {
  const annunciator = new Annunciator();
  annunciator.hear([alarm(1, { priority: 2 })], DEFAULT_MODES);
  expect(annunciator.hear([alarm(1, { priority: 1 })], DEFAULT_MODES)).toBe(1);
  annunciator.hear([alarm(1, { priority: 1, acknowledged: true })], DEFAULT_MODES);
  expect(annunciator.repeating(DEFAULT_MODES)).toBeNull();
});

test("the lowest priority is silent, the third sounds once", () => {
  const annunciator = new Annunciator();
  expect(annunciator.hear([alarm(1, { priority: 4 })], DEFAULT_MODES)).toBeNull();
  expect(annunciator.hear([alarm(2, { priority: 3 })], DEFAULT_MODES)).toBe(3);
  expect(annunciator.repeating(DEFAULT_MODES)).toBeNull();
});

test("numbers keep the decimals that mean something", () => {
  expect([0.1234, 4.8, 92.41, 1466.2, 120].map(formatNumber)).toEqual([
    "0.123",
    "4.80",
    "92.4",
    "1466",
    "120",
  ]);
});

test("ages read in their largest whole unit, and never below zero", () => {
  expect(ageOf(-500)).toEqual({ n: 0, unit: "seconds" });
  expect(ageOf(150_000)).toEqual({ n: 2, unit: "minutes" });
});
