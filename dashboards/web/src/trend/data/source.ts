import { api, data } from "../../api/client";
import type { BucketsView, History, ValueRow } from "../../api/types";
import { liveStore } from "../../live/live";

/** Where a trend takes its samples from. */
export interface TrendSource {
  buckets(
    key: number,
    fromMs: number,
    toMs: number,
    count: number,
    signal: AbortSignal,
  ): Promise<BucketsView>;
  /** The newest `limit` of a stretch, oldest first. */
  samples(key: number, fromMs: number, toMs: number, limit: number, signal: AbortSignal): Promise<History>;
  /** Hear of each new sample of a point. */
  subscribe(key: number, listener: () => void): () => void;
  newest(key: number): ValueRow | undefined;
}

export const serverSource: TrendSource = {
  buckets: (key, from_ms, to_ms, count, signal) =>
    data(
      api.GET("/api/points/{key}/buckets", {
        params: { path: { key }, query: { from_ms, to_ms, count } },
        signal,
      }),
    ),
  samples: (key, from_ms, to_ms, limit, signal) =>
    data(
      api.GET("/api/points/{key}/samples", {
        params: { path: { key }, query: { from_ms, to_ms, limit } },
        signal,
      }),
    ),
  subscribe: (key, listener) => liveStore.subscribeValue(key, listener),
  newest: (key) => liveStore.value(key),
};
