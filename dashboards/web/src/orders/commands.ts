import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, data } from "../api/client";
import { orderQuery, queryClient } from "../api/queries";
import type { WorkOrderDetail } from "../api/types";
import { liveStore } from "../live/live";
import { tellProblem } from "../shell/problems";

export type OrderCommand =
  | { do: "assign"; assignee_id: number }
  | { do: "start" }
  | { do: "tick"; number: number; done: boolean }
  | { do: "complete"; remark: string; override_reason: string }
  | { do: "cancel"; reason: string };

/** The version of each order after this person's own last change, which they may not have seen drawn yet. */
const answered = new Map<number, number>();

function send(order: WorkOrderDetail, command: OrderCommand): Promise<WorkOrderDetail> {
  const path = { order_id: order.id };
  const version = Math.max(order.version, answered.get(order.id) ?? 0);
  switch (command.do) {
    case "assign":
      return data(
        api.POST("/api/work-orders/{order_id}/assign", {
          params: { path },
          body: { version, assignee_id: command.assignee_id },
        }),
      );
    case "start":
      return data(api.POST("/api/work-orders/{order_id}/start", { params: { path }, body: { version } }));
    case "tick":
      return data(
        api.POST("/api/work-orders/{order_id}/steps/{number}", {
          params: { path: { ...path, number: command.number } },
          body: { version, done: command.done },
        }),
      );
    case "complete":
      return data(
        api.POST("/api/work-orders/{order_id}/complete", {
          params: { path },
          body: { version, remark: command.remark, override_reason: command.override_reason },
        }),
      );
    case "cancel":
      return data(
        api.POST("/api/work-orders/{order_id}/cancel", {
          params: { path },
          body: { version, reason: command.reason },
        }),
      );
  }
}

/** Put the server's answer where both the list and the detail look for it. */
function take(order: WorkOrderDetail): void {
  answered.set(order.id, order.version);
  queryClient.setQueryData(orderQuery(order.id, order.version).queryKey, order);
  liveStore.putOrder(order);
  liveStore.flush();
  void queryClient.invalidateQueries({ queryKey: ["orders"] });
}

export function useOrderCommand(order: WorkOrderDetail) {
  const { t } = useTranslation();
  return useMutation({
    // One after the other: whoever ticks fast must not overtake themselves.
    scope: { id: `order ${order.id}` },
    mutationFn: (command: OrderCommand) => send(order, command),
    onSuccess: take,
    onError: (error) => tellProblem(error, t),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["order", order.id] }),
  });
}
