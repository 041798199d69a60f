import { useCallback, useState } from "react";
import type { LabelledEvent } from "./labelledEvents";

const stored = (ruleId: number) => `watchkeeper.labels.${ruleId}`;

/** Hold what people know of a rule's past, for as long as the tab is open: they come back from a review to the next draft. */
export function useLabels(ruleId: number) {
  const [events, setEvents] = useState<readonly LabelledEvent[]>(() =>
    JSON.parse(sessionStorage.getItem(stored(ruleId)) ?? "[]"),
  );
  const change = useCallback(
    (next: readonly LabelledEvent[]) => {
      sessionStorage.setItem(stored(ruleId), JSON.stringify(next));
      setEvents(next);
    },
    [ruleId],
  );
  return [events, change] as const;
}
