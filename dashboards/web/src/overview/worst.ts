import type { Alarm } from "../api/types";

/** Return each asset's most urgent open alarm, from a list in which the most urgent stand first. */
export function worstByAsset(alarms: readonly Alarm[]): ReadonlyMap<string, Alarm> {
  const worst = new Map<string, Alarm>();
  for (const alarm of alarms) if (!worst.has(alarm.asset_id)) worst.set(alarm.asset_id, alarm);
  return worst;
}
