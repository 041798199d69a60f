import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import type { WorkOrder } from "../api/types";
import { useLocal } from "../i18n";
import { useTimes } from "../text/format";

const COLUMNS = ["priority", "number", "kind", "state", "title", "asset", "opened", "assignee"] as const;

interface Props {
  orders: readonly WorkOrder[];
  /** Id of the order beside the list; NaN: none. */
  picked: number;
}

export function OrderTable({ orders, picked }: Props) {
  const { t } = useTranslation();
  return (
    <table className="table">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <th key={column} scope="col">
              {t(`order.column.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {orders.map((order) => (
          <OrderRow key={order.id} order={order} picked={order.id === picked} />
        ))}
      </tbody>
    </table>
  );
}

const OrderRow = memo(function OrderRow({ order, picked }: { order: WorkOrder; picked: boolean }) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  const navigate = useNavigate();
  const to = `/work-orders/${order.id}`;
  return (
    <tr data-picked={picked || undefined} onClick={() => void navigate(to)}>
      <td>
        <PriorityMark priority={order.priority} look="acknowledged" />
        <span className="visually-hidden">{t("priority.label", { priority: order.priority })}</span>
      </td>
      <td>
        <Link className="link" to={to} aria-current={picked || undefined}>
          {order.number}
        </Link>
      </td>
      <td>{t(`order.kind.${order.kind}`)}</td>
      <td>{t(`order.state.${order.state}`)}</td>
      <td className="wide">{local(order.title)}</td>
      <td>{local(order.asset_name)}</td>
      <td className="nowrap">{times.moment(order.opened_at)}</td>
      <td>{order.assignee}</td>
    </tr>
  );
});
