import type { Alarm, LocalText, Priority, System } from "../api/types";
import { PRIORITIES, SYSTEMS } from "../api/types";

/** Which alarms are shown; an empty set shows every one. */
export interface AlarmFilter {
  systems: ReadonlySet<System>;
  priorities: ReadonlySet<Priority>;
  unacknowledgedOnly: boolean;
  text: string;
}

/** Read the filter from the address, so that a link can carry it. */
export function filterFrom(search: URLSearchParams): AlarmFilter {
  const systems = search.getAll("system");
  const priorities = search.getAll("priority").map(Number);
  return {
    systems: new Set(SYSTEMS.filter((system) => systems.includes(system))),
    priorities: new Set(PRIORITIES.filter((priority) => priorities.includes(priority))),
    unacknowledgedOnly: search.has("unacknowledged"),
    text: search.get("text") ?? "",
  };
}

/** Write the filter into the address. */
export function searchFrom(filter: AlarmFilter): URLSearchParams {
  const search = new URLSearchParams();
  for (const system of filter.systems) search.append("system", system);
  for (const priority of filter.priorities) search.append("priority", String(priority));
  if (filter.unacknowledgedOnly) search.append("unacknowledged", "1");
  if (filter.text) search.append("text", filter.text);
  return search;
}

export function isFiltering(filter: AlarmFilter): boolean {
  return searchFrom(filter).size > 0;
}

const both = (text: LocalText) => `${text.en} ${text.zh}`;

/** Tell whether every word of the text stands somewhere in the row, in either language. */
function mentions(alarm: Alarm, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const row = [
    both(alarm.title),
    both(alarm.asset_name),
    both(alarm.space_name),
    alarm.asset_id,
    alarm.acknowledged_by ?? "",
  ]
    .join(" ")
    .toLowerCase();
  return words.every((word) => row.includes(word));
}

/** Return the alarms that fit, in the order given. */
export function filterAlarms(alarms: readonly Alarm[], filter: AlarmFilter): readonly Alarm[] {
  if (!isFiltering(filter)) return alarms;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return alarms.filter(
    (alarm) =>
      (filter.systems.size === 0 || filter.systems.has(alarm.system)) &&
      (filter.priorities.size === 0 || filter.priorities.has(alarm.priority)) &&
      (!filter.unacknowledgedOnly || !alarm.acknowledged) &&
      mentions(alarm, words),
  );
}

/** Return a copy of the set with the member put in, or taken out if it was there. */
export function toggled<Member>(set: ReadonlySet<Member>, member: Member): Set<Member> {
  const copy = new Set(set);
  if (!copy.delete(member)) copy.add(member);
  return copy;
}
