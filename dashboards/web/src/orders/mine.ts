import type { Session, WorkOrderDetail } from "../api/types";

/** Tell whether this person may carry the order out: its assignee, or a supervisor in their place. */
export function hasTheOrder(session: Session | null | undefined, order: WorkOrderDetail): boolean {
  if (!session?.permissions.includes("execute_order")) return false;
  return session.account.role === "supervisor" || session.account.id === order.assignee_id;
}
