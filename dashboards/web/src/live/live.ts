import { useCallback, useSyncExternalStore } from "react";
import { api, data, ProblemError } from "../api/client";
import { facilityQuery, queryClient, SESSION_KEY } from "../api/queries";
import type { Alarm, Snapshot, ValueRow, WorkOrder } from "../api/types";
import { RULES_KEY } from "../rules/queries";
import { LiveChannel, type LiveStatus } from "./channel";
import { LiveStore, type LiveView } from "./store";

export const liveStore = new LiveStore();

function forgetSession(): void {
  queryClient.setQueryData(SESSION_KEY, null);
}

export const liveChannel = new LiveChannel({
  store: liveStore,
  openSocket: (query) => new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/live${query}`),
  fetchSnapshot: async () => {
    try {
      // openapi-fetch loses tuples on the way from schema to answer.
      return (await data(api.GET("/api/snapshot"))) as Snapshot;
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) forgetSession();
      throw error;
    }
  },
  onUnauthenticated: forgetSession,
  onSiteChanged: () => void queryClient.invalidateQueries({ queryKey: facilityQuery.queryKey }),
  onRulesChanged: () => void queryClient.invalidateQueries({ queryKey: RULES_KEY }),
});

export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(liveChannel.subscribe, () => liveChannel.status);
}

/** Return the server's time in milliseconds UTC: samples are stamped by its clock. */
export function serverNow(): number {
  return Date.now() + liveChannel.status.clockOffsetMs;
}

export function useLiveView(): LiveView {
  return useSyncExternalStore(liveStore.subscribe, () => liveStore.view);
}

/** Return the newest live state of an alarm; undefined when only the server's archive has it. */
export function useLiveAlarm(id: number): Alarm | undefined {
  return useSyncExternalStore(liveStore.subscribe, () => liveStore.alarm(id));
}

/** Return the newest live state of an order; undefined when only the server's archive has it. */
export function useLiveOrder(id: number): WorkOrder | undefined {
  return useSyncExternalStore(liveStore.subscribe, () => liveStore.order(id));
}

/** Return a point's newest sample; undefined before the first. */
export function usePointValue(key: number): ValueRow | undefined {
  const subscribe = useCallback((listener: () => void) => liveStore.subscribeValue(key, listener), [key]);
  return useSyncExternalStore(subscribe, () => liveStore.value(key));
}
