import { expect, test, vi } from "vitest";
import type { Figures, Tried } from "../src/api/types";
import { fieldUnit, sameContent } from "../src/rules/content";
import { figureRows } from "../src/tuning/comparison";
import { differencesOf, episodeBars, loneSigns } from "../src/tuning/episodes";
import { fieldsFor, namesFrom, numberFrom } from "../src/tuning/fields";
import { eventsWithin, tellingOf, withEvent } from "../src/tuning/labelledEvents";
import { linesOf, pointLimits, travelOf, withPointLimit } from "../src/tuning/lines";
import { Previewer, type Question } from "../src/tuning/previewer";
import { searchFor, stretchFrom } from "../src/tuning/stretch";
import { definition } from "./things";

const threshold = (values: Record<string, number>, rest: object = {}) =>
  definition({
    limits: Object.fromEntries(Object.entries(values).map(([side, value]) => [side, { value }])),
    ...rest,
  });

/** A server that answers when it is told to. */
function server() {
  const asked: { question: Question<string>; answer: (words: string) => void; signal: AbortSignal }[] = [];
  const previewer = new Previewer<string, string>(
    (question, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        asked.push({ question, answer: resolve, signal });
      }),
  );
  const want = (draft: string, toMs = 10) => previewer.want({ draft, fromMs: 0, toMs });
  const answer = async (words: string) => {
    asked.at(-1)?.answer(words);
    await vi.waitFor(() => expect(previewer.state.shown?.answer).toBe(words));
  };
  return { asked, previewer, want, answer };
}

test("a hand that moves on has one question on its way, and the newest one next", async () => {
  const { asked, previewer, want, answer } = server();
  for (const draft of ["80", "81", "82", "83"]) want(draft);
  expect(asked.map(({ question }) => question.draft)).toEqual(["80"]);
  await answer("three alarms");
  expect(asked.map(({ question }) => question.draft)).toEqual(["80", "83"]);
  expect(previewer.state).toMatchObject({ asking: true, shown: { question: { draft: "80" } } });
  await answer("one alarm");
  expect(previewer.state).toMatchObject({ asking: false, shown: { question: { draft: "83" } } });
});

test("a question about a stretch where nobody looks any more is cancelled, and what was drawn stays", async () => {
  const { asked, previewer, want, answer } = server();
  want("80");
  await answer("three alarms");
  want("81");
  want("81", 20);
  expect(asked[1]?.signal.aborted).toBe(true);
  await vi.waitFor(() => expect(asked).toHaveLength(3));
  expect(previewer.state).toMatchObject({
    asking: true,
    failure: undefined,
    shown: { answer: "three alarms" },
  });
  await answer("nine alarms");
  expect(previewer.state.shown?.question.toMs).toBe(20);
});

test("a draft with a mistake says so, and the next one is tried all the same", async () => {
  const previewer = new Previewer<string, string>(({ draft }) =>
    draft === "wrong" ? Promise.reject(new Error("high is below low")) : Promise.resolve("fine"),
  );
  previewer.want({ draft: "wrong", fromMs: 0, toMs: 1 });
  await vi.waitFor(() => expect(previewer.state.failure).toEqual(new Error("high is below low")));
  previewer.want({ draft: "right", fromMs: 0, toMs: 1 });
  await vi.waitFor(() => expect(previewer.state.shown?.answer).toBe("fine"));
  expect(previewer.state.failure).toBeUndefined();
});

test("whoever leaves is told nothing more", async () => {
  const { asked, previewer, want } = server();
  want("80");
  want("81");
  previewer.stop();
  await vi.waitFor(() => expect(previewer.state.asking).toBe(false));
  expect(asked).toHaveLength(1);
  expect(previewer.state).toEqual({ shown: null, asking: false, failure: undefined });
});

const place = { x: (ms: number) => ms / 10, width: 1_000, endMs: 10_000 };

test("episodes that lie too near each other are one bar, of the most urgent of them", () => {
  const bars = episodeBars(
    [
      [0, 100, 3],
      [105, 200, 2],
      [5_000, null, 4],
    ],
    new Set(),
    place,
  );
  expect(bars).toEqual([
    { left: 0, right: 20, priority: 2, count: 2, alone: 0 },
    { left: 500, right: 1_000, priority: 4, count: 1, alone: 0 },
  ]);
});

test("an episode that only one lane has keeps a bar and a sign of its own", () => {
  const bars = episodeBars(
    [
      [0, 100, 3],
      [105, 200, 3],
      [2_000, 2_100, 3],
      [2_500, 2_600, 3],
    ],
    new Set([1, 2, 3]),
    place,
  );
  expect(bars.map(({ count, alone }) => [count, alone])).toEqual([
    [1, 0],
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(loneSigns(bars)).toEqual([
    { left: 10.5, count: 1 },
    { left: 200, count: 1 },
    { left: 250, count: 1 },
  ]);
  expect(loneSigns(bars.slice(2).map((bar) => ({ ...bar, left: bar.left / 10 })))).toEqual([
    { left: 20, count: 2 },
  ]);
});

test("episodes outside what is looked at are left out", () => {
  const near = { ...place, x: (ms: number) => ms / 10 - 100 };
  expect(
    episodeBars(
      [
        [0, 500, 3],
        [900, 1_500, 3],
        [20_000, 21_000, 3],
      ],
      new Set(),
      near,
    ),
  ).toEqual([{ left: 0, right: 50, priority: 3, count: 1, alone: 0 }]);
});

test("what differs is listed from the newest on, and no longer than people read", () => {
  const lanes = {
    live_episodes: [
      [0, 10, 3],
      [100, 110, 3],
    ] as [number, number, 3][],
    draft_episodes: [[50, null, 2]] as [number, null, 2][],
    new: [0],
    missed: [0, 1],
  };
  expect(differencesOf(lanes, 2)).toEqual([
    { kind: "missed", fromMs: 100, toMs: 110, priority: 3 },
    { kind: "new", fromMs: 50, toMs: null, priority: 2 },
  ]);
});

test("a limit may not pass its neighbours", () => {
  const limits = pointLimits(threshold({ low: 5, high: 80, high_high: 95 }).condition);
  const travel = { low: 0, high: 120, step: 0.5 };
  expect(travelOf(limits, "high", travel)).toEqual({ minimum: 5.5, maximum: 94.5, step: 0.5 });
  expect(travelOf(limits, "low", travel)).toEqual({ minimum: 0, maximum: 79.5, step: 0.5 });
  expect(travelOf(limits, "high_high", { ...travel, high: 90 })).toMatchObject({ maximum: 95 });
});

test("a draft shows its limits, where they clear, and where the moved one is live", () => {
  const live = threshold({ low: 5, high: 80 }, { deadband: 2 });
  const draft = withPointLimit(live, "high", 85);
  const words = {
    side: String,
    name: String,
    live: (at: number) => `live ${at}`,
    clears: "clears",
    value: String,
  };
  const lines = linesOf({
    ...{ point: 1, priority: () => 3, live: live.condition, draft: draft.condition, words },
    travel: { low: 0, high: 120, step: 1 },
  });
  expect(lines.map(({ id, value, drag }) => [id, value, drag !== null])).toEqual([
    ["live high", 80, false],
    ["clears low", 7, false],
    ["clears high", 83, false],
    ["low", 5, true],
    ["high", 85, true],
  ]);
});

test("a forecast counts down to a limit of the point itself; other quantities have none", () => {
  const forecast = definition({ type: "forecast", limit: 12, direction: "falling" });
  expect(pointLimits(forecast.condition)).toEqual([{ side: "limit", value: 12, upward: false }]);
  expect(withPointLimit(forecast, "limit", 10).condition.limit).toBe(10);
  expect(pointLimits(definition({ type: "rate_of_change" }).condition)).toEqual([]);
});

test("a draft is the live rule again when everything is put back", () => {
  const live = threshold({ high: 80 });
  const moved = withPointLimit(live, "high", 85);
  expect(sameContent(live, moved)).toBe(false);
  expect(sameContent(live, withPointLimit(moved, "high", 80))).toBe(true);
  expect(sameContent(live, { ...live, only_when: null })).toBe(true);
});

test("every field says in which unit it is", () => {
  const { condition } = definition({ type: "rate_of_change", per: "min" });
  expect(fieldsFor(condition).map(({ key }) => [key, fieldUnit(key, condition, "°C")])).toEqual([
    ["per", ""],
    ["window_s", "s"],
    ["deadband", "K/min"],
    ["on_delay_s", "s"],
    ["off_delay_s", "s"],
  ]);
});

test("what is no number of the field is not taken", () => {
  const count = { key: "count", kind: "number", least: 2, whole: true } as const;
  expect(["3", "2.5", "1", "", "many"].map((text) => numberFrom(text, count))).toEqual([
    3,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(numberFrom("", { key: "modulus", kind: "number", above: 0, optional: true })).toBeNull();
  expect(numberFrom("0", { key: "window_s", kind: "number", above: 0 })).toBeUndefined();
});

test("names are read with commas of either language", () => {
  expect(namesFrom(" leak, fault，trip、")).toEqual(["leak", "fault", "trip"]);
});

const figures = { alarms: 3, alarms_per_day: 1.5, by_priority: { 3: 3 } } as unknown as Figures;

test("figures stand side by side, with the priorities that occur", () => {
  const rows = figureRows(figures, { ...figures, alarms: 1, by_priority: { 2: 1 } }, [1, 2, 3, 4]);
  expect(rows.find(({ key }) => key === "alarms")).toEqual({ key: "alarms", live: 3, draft: 1 });
  expect(rows.filter(({ key }) => key.startsWith("priority")).map(Object.values)).toEqual([
    ["priority_2", 0, 1],
    ["priority_3", 3, 0],
  ]);
});

test("labels stand beside the figures only where there are labelled events", () => {
  const labels = { labels: 3, caught: 2, missed: 1, false: 4, delay_s: 5 };
  const keys = (rows: ReturnType<typeof figureRows>) =>
    rows.map(({ key }) => key).filter((key) => key.startsWith("labels"));
  expect(keys(figureRows(figures, figures, []))).toEqual([]);
  const rows = figureRows({ ...figures, labels }, { ...figures, labels: { ...labels, missed: 0 } }, []);
  expect(rows.find(({ key }) => key === "labels_missed")).toEqual({
    key: "labels_missed",
    live: 1,
    draft: 0,
  });
  expect(keys(rows)).toEqual(["labels_missed", "labels_false"]);
});

const event = (fromMs: number, toMs: number) => ({ fromMs, toMs });

test("labelled events stay in the order of time, and those that overlap become one", () => {
  const events = withEvent([event(10, 20), event(40, 50)], event(25, 30));
  expect(events).toEqual([event(10, 20), event(25, 30), event(40, 50)]);
  expect(withEvent(events, event(15, 28))).toEqual([event(10, 30), event(40, 50)]);
  expect(eventsWithin(events, event(22, 45))).toEqual([event(25, 30), event(40, 50)]);
});

test("an event is told by an alarm that stood within it, and nobody knows about one outside of the stretch", () => {
  const tried = {
    from_ms: 0,
    to_ms: 100,
    live_episodes: [[10, 20, 3]],
    draft_episodes: [[60, null, 3]],
  } as unknown as Tried;
  expect(tellingOf(event(15, 30), tried)).toEqual({ live: true, draft: false });
  expect(tellingOf(event(80, 90), tried)).toEqual({ live: false, draft: true });
  expect(tellingOf(event(30, 40), tried)).toEqual({ live: false, draft: false });
  expect(tellingOf(event(-20, -10), tried)).toBeNull();
});

test("a stretch is a day unless the address names another, and survives its way through it", () => {
  const now = Date.parse("2026-11-27T12:00:00Z");
  expect(stretchFrom("", now)).toEqual({ fromMs: now - 86_400_000, toMs: now });
  const past = { fromMs: now - 7_200_000, toMs: now - 3_600_000 };
  expect(stretchFrom(searchFor(past, false), now)).toEqual(past);
  expect(searchFor(past, true)).toBe("?from=now-3600&to=now");
});
