/** The stretch of time that is looked at, in milliseconds UTC. */
export interface View {
  fromMs: number;
  toMs: number;
  /** The right edge is now, and moves on with it. */
  live: boolean;
}

export const LEAST_SPAN_MS = 1_000;
export const MOST_SPAN_MS = 400 * 86_400_000;
/** A right edge that comes so near to now, as a share of the span, follows it again. */
const CATCHES = 0.01;

export const spanOf = (view: View): number => view.toMs - view.fromMs;

export function lastOf(spanMs: number, nowMs: number): View {
  return { fromMs: nowMs - spanMs, toMs: nowMs, live: true };
}

/** Return the view with its right edge at now if it is live. */
export function following(view: View, nowMs: number): View {
  return view.live ? lastOf(spanOf(view), nowMs) : view;
}

/** There is nothing to see beyond now: who comes there follows it. */
export function stretch(fromMs: number, toMs: number, nowMs: number): View {
  const span = Math.min(MOST_SPAN_MS, Math.max(LEAST_SPAN_MS, toMs - fromMs));
  if (toMs >= nowMs - span * CATCHES) return lastOf(span, nowMs);
  return { fromMs: toMs - span, toMs, live: false };
}

/** Move by a share of what is shown; to the left below zero. */
export function panned(view: View, share: number, nowMs: number): View {
  const by = spanOf(view) * share;
  // A move to the left is meant, however small: now must let go.
  if (by < 0) return { fromMs: view.fromMs + by, toMs: view.toMs + by, live: false };
  return stretch(view.fromMs + by, view.toMs + by, nowMs);
}

/**
 * Make the span `factor` times as long.
 *
 * `anchor` is the share of the width (0 left, 1 right) whose time stays where it is.
 */
export function zoomed(view: View, factor: number, anchor: number, nowMs: number): View {
  const span = Math.min(MOST_SPAN_MS, Math.max(LEAST_SPAN_MS, spanOf(view) * factor));
  const at = view.fromMs + spanOf(view) * anchor;
  return stretch(at - span * anchor, at + span * (1 - anchor), nowMs);
}
