import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { pastOrdersQuery } from "../api/queries";
import { useLiveView } from "../live/live";
import { OrderDetail } from "./OrderDetail";
import { OrderTable } from "./OrderTable";

const SCOPES = ["open", "all"] as const;

/** All work: what is open, live; and on request what is done. */
export function OrdersPage() {
  const { t } = useTranslation();
  const { orderId } = useParams();
  const [scope, setScope] = useState<(typeof SCOPES)[number]>("open");
  const { orders: open } = useLiveView();
  const past = useQuery({ ...pastOrdersQuery, enabled: scope === "all" });
  const finished = past.data?.work_orders.filter((order) => isFinished(order.state)) ?? [];
  const shown = scope === "open" ? open : [...open, ...finished];
  return (
    <div className="orders">
      <div className="page-head">
        <h1>{t("order.list")}</h1>
        <fieldset className="toggles" aria-label={t("order.scope")}>
          {SCOPES.map((one) => (
            <button
              key={one}
              type="button"
              className="button"
              aria-pressed={scope === one}
              onClick={() => setScope(one)}
            >
              {t(`order.${one}`)}
            </button>
          ))}
        </fieldset>
        <output className="secondary">{shown.length}</output>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="panel scrolls" tabIndex={0} aria-label={t("order.list")}>
        {shown.length > 0 ? (
          <OrderTable orders={shown} picked={Number(orderId)} />
        ) : (
          <p className="empty">{t("order.none")}</p>
        )}
      </section>
      {orderId === undefined ? (
        <section className="panel">
          <p className="empty">{t("order.pick")}</p>
        </section>
      ) : (
        <OrderDetail key={orderId} id={Number(orderId)} />
      )}
    </div>
  );
}

const isFinished = (state: string) => state === "completed" || state === "cancelled";
