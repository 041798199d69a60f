import { useMutation, useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { queryClient } from "../api/queries";
import type { Backtest, RuleContent, Tried } from "../api/types";
import type { LabelledEvent } from "./labelledEvents";
import type { Question } from "./previewer";
import type { Stretch } from "./stretch";

/** Ask what a draft of a rule would have raised on a stretch of history. */
export const askTry =
  (ruleId: number) =>
  async ({ draft, fromMs, toMs }: Question<RuleContent>, signal: AbortSignal): Promise<Tried> =>
    // openapi-fetch loses tuples on the way from schema to answer.
    (await data(
      api.POST("/api/rules/{rule_id}/try", {
        params: { path: { rule_id: ruleId } },
        body: { definition: draft, from_ms: Math.round(fromMs), to_ms: Math.round(toMs) },
        signal,
      }),
    )) as Tried;

/** A stretch with what people know of it. */
interface Labelled extends Stretch {
  /** Those of the stretch. */
  events: readonly LabelledEvent[];
}

const windowsOf = (ruleId: number, events: readonly LabelledEvent[]) =>
  events.map((event) => ({ rule_id: ruleId, asset_id: null, from_ms: event.fromMs, to_ms: event.toMs }));

/** Search for settings that meet a target; takes some seconds. */
export function useSuggestion(ruleId: number) {
  return useMutation({
    mutationFn: ({ fromMs, toMs, targetPerDay, events }: Labelled & { targetPerDay: number }) =>
      data(
        api.POST("/api/rules/{rule_id}/suggestions", {
          params: { path: { rule_id: ruleId } },
          body: {
            from_ms: Math.round(fromMs),
            to_ms: Math.round(toMs),
            target_per_day: targetPerDay,
            labels: windowsOf(ruleId, events),
          },
        }),
      ),
  });
}

const backtestKey = (id: number | undefined) => ["backtest", id] as const;
/** How often a back-test that is not over is looked at. */
const LOOKS_MS = 500;

/** Back-test drafts of one rule, one after the other, and follow the newest. */
export function useBacktest(ruleId: number) {
  const start = useMutation({
    mutationFn: ({ draft, fromMs, toMs, events }: Question<RuleContent> & Labelled) =>
      data(
        api.POST("/api/backtests", {
          body: {
            from_ms: Math.round(fromMs),
            to_ms: Math.round(toMs),
            rules: [{ rule_id: ruleId, definition: draft }],
            all: false,
            labels: windowsOf(ruleId, events),
          },
        }),
      ),
  });
  const id = start.data?.id;
  const followed = useQuery({
    queryKey: backtestKey(id),
    queryFn: async () =>
      (await data(
        api.GET("/api/backtests/{backtest_id}", { params: { path: { backtest_id: id ?? 0 } } }),
      )) as Backtest,
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (isOver(state.data?.state) ? false : LOOKS_MS),
  });
  const cancel = useMutation({
    mutationFn: () =>
      data(api.POST("/api/backtests/{backtest_id}/cancel", { params: { path: { backtest_id: id ?? 0 } } })),
    onSuccess: (test) => queryClient.setQueryData(backtestKey(test.id), test),
  });
  const test = followed.data ?? (start.data as Backtest | undefined);
  return { start, cancel, test, isOver: isOver(test?.state) };
}

const isOver = (state: string | undefined) => state === "done" || state === "failed" || state === "cancelled";
