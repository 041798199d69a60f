import type { Episode, Tried } from "../api/types";
import type { Stretch } from "./stretch";

/** Something was wrong then, as people know: an alarm should have said so. In milliseconds UTC. */
export type LabelledEvent = Stretch;

/** Return the events with another, in the order of time; what overlaps becomes one. */
export function withEvent(events: readonly LabelledEvent[], added: LabelledEvent): LabelledEvent[] {
  const joined = events.filter((event) => overlap(event, added)).concat(added);
  const one = {
    fromMs: Math.min(...joined.map((event) => event.fromMs)),
    toMs: Math.max(...joined.map((event) => event.toMs)),
  };
  const apart = events.filter((event) => !overlap(event, added));
  return [...apart, one].sort((a, b) => a.fromMs - b.fromMs);
}

/** Return the events that a stretch has a part of; nobody can tell whether others would have been missed. */
export const eventsWithin = (events: readonly LabelledEvent[], stretch: Stretch): LabelledEvent[] =>
  events.filter((event) => overlap(event, stretch));

/** Whether an alarm told of an event; null: the rule was not tried on it. */
export interface Telling {
  live: boolean;
  draft: boolean;
}

/** Tell whether alarms of the live rule and of the draft stood within an event, as back-tests count it. */
export function tellingOf(event: LabelledEvent, tried: Tried): Telling | null {
  const stretch = { fromMs: tried.from_ms, toMs: tried.to_ms };
  if (!overlap(event, stretch)) return null;
  const isTold = (episodes: readonly Episode[]) =>
    episodes.some(([fromMs, toMs]) => overlap(event, { fromMs, toMs: toMs ?? tried.to_ms }));
  return { live: isTold(tried.live_episodes), draft: isTold(tried.draft_episodes) };
}

const overlap = (a: Stretch, b: Stretch) => a.fromMs <= b.toMs && b.fromMs <= a.toMs;

/** Tell whether two lists hold the same events. */
export const sameEvents = (a: readonly LabelledEvent[], b: readonly LabelledEvent[]): boolean =>
  a.length === b.length && a.every(({ fromMs, toMs }, i) => b[i]?.fromMs === fromMs && b[i]?.toMs === toMs);
