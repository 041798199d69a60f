import { expect, test } from "vitest";
import { fieldsOf, limitsOf, movingLimitsOf, withCondition, withLimit } from "../src/rules/content";
import { definition } from "./things";

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
    ["low", "setpoint − 2.50"],
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
  expect(fieldsOf(condition, "°C")).toEqual([
    ["deadband", "2\u202f°C"],
    ["on_delay_s", "30\u202fs"],
  ]);
});
