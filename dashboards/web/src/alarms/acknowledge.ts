import { api, data } from "../api/client";
import type { Alarm } from "../api/types";
import type { LiveStore } from "../live/store";

/** Return the alarm as it will be if the server agrees: a returned one is over unless it is latched. */
export function expectedAfterAcknowledge(alarm: Alarm, name: string, comment: string): Alarm {
  return {
    ...alarm,
    version: alarm.version + 1,
    acknowledged: true,
    acknowledged_by: name,
    comment: comment || null,
    state: alarm.active ? "C" : alarm.state,
  };
}

/**
 * Acknowledge what the person saw: shown at once, and taken back when the server refuses.
 *
 * @throws ProblemError what the server said, 409 when someone else was first.
 */
export async function acknowledge(
  store: LiveStore,
  alarm: Alarm,
  name: string,
  comment: string,
): Promise<void> {
  store.expect(expectedAfterAcknowledge(alarm, name, comment));
  try {
    const request = api.POST("/api/alarms/{alarm_id}/acknowledge", {
      params: { path: { alarm_id: alarm.id } },
      body: { version: alarm.version, comment },
    });
    store.putAlarm(await data(request));
  } finally {
    store.retract(alarm.id);
  }
}
