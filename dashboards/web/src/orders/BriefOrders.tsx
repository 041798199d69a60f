import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import type { WorkOrder } from "../api/types";
import { useLocal } from "../i18n";
import { useTimes } from "../text/format";

/** A short list of orders, each a way to its detail. */
export function BriefOrders({ orders }: { orders: readonly WorkOrder[] }) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  return (
    <ul className="brief">
      {orders.map((order) => (
        <li key={order.id}>
          <PriorityMark priority={order.priority} look="acknowledged" />
          <Link className="link" to={`/work-orders/${order.id}`}>
            {order.number}
          </Link>
          <span className="ellipsis grow">{local(order.title)}</span>
          <span>{t(`order.state.${order.state}`)}</span>
          <span className="secondary">{order.assignee}</span>
          <time className="secondary" dateTime={order.opened_at}>
            {times.moment(order.opened_at)}
          </time>
        </li>
      ))}
    </ul>
  );
}
