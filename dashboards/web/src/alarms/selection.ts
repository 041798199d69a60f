/** Where the cursor of the grid stands and what is selected, by the alarms' own ids: rows move under a live list. */
export interface Selection {
  /** Null before the first key or click. */
  current: number | null;
  /** Where a range began; null: nowhere. */
  anchor: number | null;
  chosen: ReadonlySet<number>;
}

export const NOTHING_SELECTED: Selection = { current: null, anchor: null, chosen: new Set() };

/** Return the place of the current alarm; when it left the list, the place where it last stood. */
export function currentIndex(ids: readonly number[], selection: Selection, lastIndex: number): number {
  if (selection.current === null) return -1;
  const index = ids.indexOf(selection.current);
  return index >= 0 ? index : Math.min(lastIndex, ids.length - 1);
}

export function moveTo(
  ids: readonly number[],
  selection: Selection,
  index: number,
  extend: boolean,
): Selection {
  const current = ids[Math.max(0, Math.min(ids.length - 1, index))];
  if (current === undefined) return selection;
  if (!extend) return { current, anchor: current, chosen: selection.chosen };
  const anchor = selection.anchor ?? selection.current ?? current;
  return { current, anchor, chosen: range(ids, anchor, current) };
}

function range(ids: readonly number[], from: number, to: number): Set<number> {
  const [a, b] = [ids.indexOf(from), ids.indexOf(to)];
  if (a < 0) return new Set([to]);
  return new Set(ids.slice(Math.min(a, b), Math.max(a, b) + 1));
}

/** Forget chosen alarms that are no longer shown: nobody acknowledges what they cannot see. */
export function onlyShown(ids: readonly number[], selection: Selection): Selection {
  if (selection.chosen.size === 0) return selection;
  const shown = new Set(ids);
  const chosen = new Set([...selection.chosen].filter((id) => shown.has(id)));
  return chosen.size === selection.chosen.size ? selection : { ...selection, chosen };
}
