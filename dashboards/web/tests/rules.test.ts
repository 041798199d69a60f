import i18next from "i18next";
import { expect, test } from "vitest";
import type { RuleDifference } from "../src/api/types";
import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";
import { limitsOf, movingLimitsOf, withCondition, withLimit } from "../src/rules/content";
import { differenceWords, fieldsOf, type Wording } from "../src/rules/words";
import { definition } from "./things";

function wordingIn(lng: "en" | "zh"): Wording {
  const resources = { en: { translation: en }, zh: { translation: zh } };
  const instance = i18next.createInstance();
  void instance.init({ lng, resources, initAsync: false });
  return { t: instance.t, local: (text) => text[lng] };
}
const [english, chinese] = [wordingIn("en"), wordingIn("zh")];

test("limits are read from the lowest up, in whichever order they were written", () => {
  const { condition } = definition({
    limits: { high_high: { value: 95 }, low: { value: 0 }, high: { value: 80 } },
  });
  expect(limitsOf(condition)).toEqual([
    { side: "low", value: 0 },
    { side: "high", value: 80 },
    { side: "high_high", value: 95 },
  ]);
});

test("a limit that is another point's value is said with what is added to it", () => {
  const { condition } = definition({
    limits: { low: { point: "setpoint", offset: -2.5 }, high: { point: "setpoint" } },
  });
  expect(limitsOf(condition)).toEqual([]);
  expect(movingLimitsOf(condition)).toEqual([
    ["low", "setpoint − 2.5"],
    ["high", "setpoint"],
  ]);
});

test("a moved limit keeps its consequence, and everything else of the rule", () => {
  const before = definition({
    limits: { high: { value: 80, consequence_class: "severe" }, low: { value: 5 } },
  });
  const after = withLimit(before, "high", 85);
  expect(after.condition.limits).toEqual({
    high: { value: 85, consequence_class: "severe" },
    low: { value: 5 },
  });
  expect(after.cause).toBe(before.cause);
  expect(limitsOf(before.condition)[1]).toEqual({ side: "high", value: 80 });
});

test("fields are said in their units, and those that nobody wrote are not said", () => {
  const { condition } = withCondition(definition({}), {
    deadband: 2,
    on_delay_s: 30,
    off_delay_s: 0,
    percentile: null,
  });
  expect(fieldsOf(condition, "°C", english)).toEqual([
    ["deadband", "2\u202f°C"],
    ["on_delay_s", "30\u202fs"],
  ]);
});

const said = (wording: Wording, base: number, ...[path, before, after]: [string[], unknown, unknown]) => {
  const difference: RuleDifference = { path, before, after, text: "" };
  return differenceWords(difference, { base, definition: definition({}), unit: "°C" }, wording);
};

test("a difference is said in the reader's language, exactly and with its unit", () => {
  const limit = ["condition", "limits", "high", "value"];
  expect(said(english, 1, limit, 80.25, 85)).toBe("High 80.25 → 85\u202f°C");
  expect(said(chinese, 1, limit, 80.25, 85)).toBe("高 80.25 → 85\u202f°C");
  const delay = ["condition", "on_delay_s"];
  expect(said(english, 1, delay, 0, 30)).toBe("Delay before it is raised 0 → 30\u202fs");
  expect(said(chinese, 1, delay, 0, 30)).toBe("报警延时 0 → 30\u202fs");
  expect(said(english, 1, ["time_to_respond_min"], 10, 5)).toBe("Time to respond 10 → 5\u202fmin");
});

test("words, lists, texts and what is absent are said as people read them", () => {
  const added = [
    ["condition", "limits", "low"],
    null,
    { value: 5, consequence_class: "severe", point: null },
  ];
  expect(said(english, 1, ...(added as [string[], unknown, unknown]))).toBe(
    "Low none → 5\u202f°C, Consequence class Severe",
  );
  expect(said(chinese, 1, ["consequence_class"], "minor", "severe")).toBe("后果等级 轻微 → 重大");
  expect(said(english, 1, ["latched"], false, true)).toBe("Latched no → yes");
  expect(said(chinese, 1, ["schedule", "days"], ["mon"], ["sat", "sun"])).toBe(
    "监视时间 · 日期 周一 → 周六、周日",
  );
  expect(said(english, 1, ["only_when"], null, "flow > 2.5: 'x'")).toBe(
    "Watched only when none → flow > 2.5: 'x'",
  );
  expect(said(chinese, 1, ["cause", "zh"], "旧", "新")).toBe("原因 · 中文 “旧” → “新”");
  expect(said(english, 1, ["condition", "brand_new_field"], 1, 2)).toBe("brand new field 1 → 2");
});

test("a limit on how fast something changes is in its unit for each time", () => {
  const rate = definition({ type: "rate_of_change", per: "min" });
  const difference = { path: ["condition", "limits", "high", "value"], before: 3, after: 4, text: "" };
  const words = differenceWords(difference, { base: 1, definition: rate, unit: "°C" }, english);
  expect(words).toBe("High 3 → 4\u202fK/min");
});

test("a rule as a whole is added, switched off, and switched on again", () => {
  expect(said(english, 0, [], null, {})).toBe("added");
  expect(said(chinese, 1, [], {}, null)).toBe("停用");
  expect(said(english, 2, [], null, {})).toBe("switched on");
});
