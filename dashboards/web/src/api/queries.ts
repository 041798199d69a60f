import { QueryClient, queryOptions } from "@tanstack/react-query";
import { api, data, ProblemError } from "./client";
import type { Permission, Session } from "./types";

export const SESSION_KEY = ["session"] as const;

/** Who is logged in; null when nobody is. */
export const sessionQuery = queryOptions({
  queryKey: SESSION_KEY,
  queryFn: async (): Promise<Session | null> => {
    try {
      return await data(api.GET("/api/session"));
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
});

export const facilityQuery = queryOptions({
  queryKey: ["facility"],
  queryFn: () => data(api.GET("/api/facility")),
  staleTime: Number.POSITIVE_INFINITY,
});

/** The version belongs to the key: when the live channel brings a newer one, the detail is fetched again. */
export const alarmQuery = (id: number, version: number | undefined) =>
  queryOptions({
    queryKey: ["alarm", id, version ?? "archive"],
    queryFn: () => data(api.GET("/api/alarms/{alarm_id}", { params: { path: { alarm_id: id } } })),
  });

export const orderQuery = (id: number, version: number | undefined) =>
  queryOptions({
    queryKey: ["order", id, version ?? "archive"],
    queryFn: () => data(api.GET("/api/work-orders/{order_id}", { params: { path: { order_id: id } } })),
  });

export const pastOrdersQuery = queryOptions({
  queryKey: ["orders", "all"],
  queryFn: () => data(api.GET("/api/work-orders", { params: { query: { state: "all", limit: 500 } } })),
});

export const assetOrdersQuery = (assetId: string) =>
  queryOptions({
    queryKey: ["orders", "asset", assetId],
    queryFn: () =>
      data(
        api.GET("/api/work-orders", { params: { query: { state: "all", asset_id: assetId, limit: 50 } } }),
      ),
  });

export const assetAlarmsQuery = (assetId: string) =>
  queryOptions({
    queryKey: ["alarms", "asset", assetId],
    queryFn: () =>
      data(api.GET("/api/alarms", { params: { query: { state: "all", asset_id: assetId, limit: 50 } } })),
  });

/** Alarms that stood at some time of a stretch; `standing` names those that still do, so that an end is asked for. */
export const alarmsDuringQuery = (asset_id: string, from_ms: number, to_ms: number, standing: string) =>
  queryOptions({
    queryKey: ["alarms", "during", asset_id, from_ms, to_ms, standing],
    queryFn: () =>
      data(
        api.GET("/api/alarms", {
          params: { query: { state: "all", asset_id, from_ms, to_ms, limit: 1_000 } },
        }),
      ),
    staleTime: 60_000,
  });

export const ordersDuringQuery = (asset_id: string, from_ms: number, to_ms: number, open: string) =>
  queryOptions({
    queryKey: ["orders", "during", asset_id, from_ms, to_ms, open],
    queryFn: () =>
      data(
        api.GET("/api/work-orders", {
          params: { query: { state: "all", asset_id, from_ms, to_ms, limit: 1_000 } },
        }),
      ),
    staleTime: 60_000,
  });

export const assetCommandsQuery = (assetId: string) =>
  queryOptions({
    queryKey: ["commands", "asset", assetId],
    queryFn: () =>
      data(api.GET("/api/commands", { params: { query: { state: "all", asset_id: assetId, limit: 5 } } })),
  });

export const accountsQuery = (may: Permission) =>
  queryOptions({
    queryKey: ["accounts", may],
    queryFn: () => data(api.GET("/api/accounts", { params: { query: { may } } })),
    staleTime: 60_000,
  });

export const limitsQuery = (key: number) =>
  queryOptions({
    queryKey: ["limits", key],
    queryFn: () => data(api.GET("/api/points/{key}/limits", { params: { path: { key } } })),
    staleTime: 60_000,
  });

export const statusQuery = queryOptions({
  queryKey: ["status"],
  queryFn: () => data(api.GET("/api/status")),
  refetchInterval: 2_000,
});

export const gatewayQuery = queryOptions({
  queryKey: ["gateway"],
  queryFn: () => data(api.GET("/api/gateway")),
  refetchInterval: 2_000,
});

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => !(error instanceof ProblemError) && failures < 3,
      refetchOnWindowFocus: false,
    },
  },
});

queryClient.getQueryCache().subscribe((event) => {
  if (event.type !== "updated" || event.action.type !== "error") return;
  const error: unknown = event.action.error;
  if (error instanceof ProblemError && error.status === 401) queryClient.setQueryData(SESSION_KEY, null);
});
