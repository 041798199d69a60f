import { useMutation } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { queryClient } from "../api/queries";
import type { RuleChange, RuleContent, RuleDetail } from "../api/types";
import { RULES_KEY } from "./queries";

/** What a second engineer, or the author, does with a proposal. */
export type Review = "approve" | "reject" | "withdraw";

const refreshed = () => queryClient.invalidateQueries({ queryKey: RULES_KEY });

/** Decide about a change as it was seen; a stale one is refused. */
export function useReview(change: Pick<RuleChange, "id" | "version">) {
  return useMutation({
    mutationFn: ({ review, comment }: { review: Review; comment: string }) => {
      const asked = {
        params: { path: { change_id: change.id } },
        body: { version: change.version, comment },
      };
      if (review === "approve") return data(api.POST("/api/rule-changes/{change_id}/approve", asked));
      if (review === "reject") return data(api.POST("/api/rule-changes/{change_id}/reject", asked));
      return data(api.POST("/api/rule-changes/{change_id}/withdraw", asked));
    },
    onSettled: refreshed,
  });
}

/** Propose another definition of a rule, null: to switch it off. */
export function useProposal(rule: Pick<RuleDetail, "id" | "revision">) {
  return useMutation({
    mutationFn: ({ definition, reason }: { definition: RuleContent | null; reason: string }) =>
      data(
        api.POST("/api/rule-changes", {
          body: {
            reason,
            revisions: [{ rule_id: rule.id, asset_id: "", name: "", base: rule.revision, definition }],
          },
        }),
      ),
    onSettled: refreshed,
  });
}

/** Make an earlier revision live again, at once. */
export function useRollBack(rule: Pick<RuleDetail, "id" | "revision">) {
  return useMutation({
    mutationFn: ({ to, reason }: { to: number; reason: string }) =>
      data(
        api.POST("/api/rules/{rule_id}/roll-back", {
          params: { path: { rule_id: rule.id } },
          body: { to, base: rule.revision, reason },
        }),
      ),
    onSettled: refreshed,
  });
}
