import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, data } from "../api/client";
import type { ChangeState } from "../api/types";

/** Rows that one page of the list carries. */
export const PAGE = 100;

/** Everything about rules begins with this key, so that news of a change asks for all of it again. */
export const RULES_KEY = ["rules"] as const;

export const ruleListQuery = (text: string, isolated: boolean, page: number) =>
  queryOptions({
    queryKey: [...RULES_KEY, "list", text, isolated, page],
    queryFn: () =>
      data(
        api.GET("/api/rules", { params: { query: { text, isolated, limit: PAGE, offset: page * PAGE } } }),
      ),
    placeholderData: keepPreviousData,
  });

export const ruleQuery = (id: number) =>
  queryOptions({
    queryKey: [...RULES_KEY, "one", id],
    queryFn: () => data(api.GET("/api/rules/{rule_id}", { params: { path: { rule_id: id } } })),
  });

export const changeListQuery = (state: ChangeState | undefined) =>
  queryOptions({
    queryKey: [...RULES_KEY, "changes", state ?? "all"],
    queryFn: () =>
      data(
        api.GET("/api/rule-changes", {
          params: { query: state === undefined ? { limit: 200 } : { state, limit: 200 } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const changeQuery = (id: number) =>
  queryOptions({
    queryKey: [...RULES_KEY, "change", id],
    queryFn: () => data(api.GET("/api/rule-changes/{change_id}", { params: { path: { change_id: id } } })),
  });
