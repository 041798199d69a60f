import type { ConditionContent, LimitSide, Priority, RuleContent } from "../api/types";
import { limitsOf, withCondition, withLimit } from "../rules/content";
import type { DragRules, LimitLine } from "../trend/chart/limits";

/** A limit that is held against the point's own value, so that it can stand in its trend. */
export interface PointLimit {
  /** `limit`: the one that a forecast counts down to. */
  side: LimitSide | "limit";
  value: number;
  /** Whether it is passed upwards. */
  upward: boolean;
}

/** Return the limits that can be drawn where the point's values are, from the lowest up. */
export function pointLimits(condition: ConditionContent): PointLimit[] {
  if (condition.type === "threshold") {
    return limitsOf(condition).map((limit) => ({ ...limit, upward: limit.side.startsWith("high") }));
  }
  if (condition.type !== "forecast" || typeof condition.limit !== "number") return [];
  return [{ side: "limit", value: condition.limit, upward: condition.direction === "rising" }];
}

/** Return the definition with a limit of the trend moved. */
export function withPointLimit(definition: RuleContent, side: string, value: number): RuleContent {
  if (side === "limit") return withCondition(definition, { limit: value });
  return withLimit(definition, side as LimitSide, value);
}

/** How far limits may go, and by which steps. */
export interface Travel {
  low: number;
  high: number;
  step: number;
}

/** Return how far one limit may go: a step short of its neighbours, which it may not pass. */
export function travelOf(limits: readonly PointLimit[], side: string, { low, high, step }: Travel) {
  const index = limits.findIndex((limit) => limit.side === side);
  const value = limits[index]?.value ?? low;
  const [below, above] = [limits[index - 1], limits[index + 1]];
  return {
    minimum: below ? below.value + step : Math.min(low, value),
    maximum: above ? above.value - step : Math.max(high, value),
    step,
  };
}

interface Words {
  /** What stands on a limit, such as `High`. */
  side: (side: string) => string;
  /** Its full name for those who do not see the chart. */
  name: (side: string) => string;
  /** What stands where a limit that was moved is live. */
  live: (value: number) => string;
  /** What stands on the edge of a deadband. */
  clears: string;
  value: (value: number) => string;
}

interface Parts {
  point: number;
  /** Of each limit. */
  priority: (side: PointLimit["side"]) => Priority;
  /** As it is live. */
  live: ConditionContent;
  draft: ConditionContent;
  /** Null: nobody may move them. */
  travel: Travel | null;
  words: Words;
}

/** Return the lines of a draft: its limits, where they clear, and where the live ones are that were moved. */
export function linesOf({ point, priority, live, draft, travel, words }: Parts): LimitLine[] {
  const limits = pointLimits(draft);
  const deadband = typeof draft.deadband === "number" ? draft.deadband : 0;
  const plain = (id: string, value: number, label: string): LimitLine => ({
    ...{ id, point, value, label },
    priority: null,
    drag: null,
  });
  const dragOf = (side: PointLimit["side"]): DragRules | null =>
    travel && { ...travelOf(limits, side, travel), name: words.name(side), words: words.value };
  return [
    ...pointLimits(live)
      .filter(({ side, value }) => limits.find((limit) => limit.side === side)?.value !== value)
      .map(({ side, value }) => plain(`live ${side}`, value, words.live(value))),
    ...limits
      .filter(() => deadband > 0)
      .map(({ side, value, upward }) =>
        plain(`clears ${side}`, upward ? value - deadband : value + deadband, words.clears),
      ),
    ...limits.map(({ side, value }): LimitLine => {
      const drag = dragOf(side);
      const label = drag ? words.side(side) : `${words.side(side)} ${words.value(value)}`;
      return { id: side, point, value, priority: priority(side), label, drag };
    }),
  ];
}
