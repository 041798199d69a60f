import type { Figures, Priority } from "../api/types";

/** One figure of the live rule beside that of a draft. */
export interface FigureRow {
  key: FigureKey;
  live: number | null;
  draft: number | null;
}

export const FIGURES = [
  "alarms_per_day",
  "alarms",
  "chattering",
  "fleeting",
  "stale",
  "in_alarm_s",
  "floods",
  "peak_10_min",
  "orders",
] as const;
/** Of labelled events; only where there are any. */
const LABEL_FIGURES = ["missed", "false"] as const;
export type FigureKey =
  | (typeof FIGURES)[number]
  | `labels_${(typeof LABEL_FIGURES)[number]}`
  | `priority_${Priority}`;

/** Return the figures side by side; priorities that neither has are left out. Null: there is no such rule. */
export function figureRows(
  live: Figures | null,
  draft: Figures | null,
  priorities: readonly Priority[],
): FigureRow[] {
  const mix = priorities
    .map((priority) => ({
      key: `priority_${priority}` as const,
      live: live && (live.by_priority[priority] ?? 0),
      draft: draft && (draft.by_priority[priority] ?? 0),
    }))
    .filter((row) => row.live || row.draft);
  const labels = LABEL_FIGURES.map((key) => ({
    key: `labels_${key}` as const,
    live: live?.labels?.[key] ?? null,
    draft: draft?.labels?.[key] ?? null,
  })).filter((row) => row.live !== null || row.draft !== null);
  return [
    ...FIGURES.map((key) => ({ key, live: live?.[key] ?? null, draft: draft?.[key] ?? null })),
    ...labels,
    ...mix,
  ];
}
