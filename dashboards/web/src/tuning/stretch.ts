import { addressFrom, searchOf, viewFrom } from "../trend/data/address";
import type { View } from "../trend/data/view";

/** Of history, in milliseconds UTC. */
export interface Stretch {
  fromMs: number;
  toMs: number;
}

/** Seconds; the first that the address does not name is a day. */
export const SPANS = [3_600, 28_800, 86_400, 604_800, 2_592_000] as const;
const FIRST_MS = 86_400_000;

/** Read the stretch from the page's address; it stays where it is, so that figures of two drafts can be compared. */
export function stretchFrom(search: string, nowMs: number): Stretch {
  const { range } = addressFrom(search);
  const named = new URLSearchParams(search).has("from");
  const { fromMs, toMs } = viewFrom(named ? range : { lastMs: FIRST_MS }, nowMs);
  return { fromMs, toMs };
}

export const lastStretch = (seconds: number, nowMs: number): Stretch => ({
  fromMs: nowMs - seconds * 1_000,
  toMs: nowMs,
});

export const viewOf = ({ fromMs, toMs }: Stretch): View => ({ fromMs, toMs, live: false });

/** Write the address of a stretch: one that ends now stays so for whoever opens it later. */
export function searchFor({ fromMs, toMs }: Stretch, endsNow: boolean): string {
  const range = endsNow ? { lastMs: toMs - fromMs } : { fromMs, toMs };
  return searchOf({ points: [], range, alarm: null, guide: null });
}
