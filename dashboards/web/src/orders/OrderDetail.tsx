import { Checkbox } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { BriefAlarms } from "../alarms/BriefAlarms";
import { Journal } from "../alarms/Journal";
import { PriorityMark } from "../alarms/PriorityMark";
import { orderQuery, sessionQuery } from "../api/queries";
import type { Step, WorkOrderDetail } from "../api/types";
import { useLocal } from "../i18n";
import { liveStore, useLiveOrder, useLiveView } from "../live/live";
import { LoadState } from "../shell/LoadState";
import { useTimes } from "../text/format";
import { useOrderCommand } from "./commands";
import { hasTheOrder } from "./mine";
import { OrderActions } from "./OrderActions";

/** One order: what to do, who does it, and why it exists. */
export function OrderDetail({ id }: { id: number }) {
  const { t } = useTranslation();
  const local = useLocal();
  const live = useLiveOrder(id);
  const detail = useQuery({ ...orderQuery(id, live?.version), placeholderData: keepPreviousData });
  const order = detail.data;
  if (!order) {
    return (
      <section className="panel">
        <LoadState failed={detail.isError} retry={() => void detail.refetch()} />
      </section>
    );
  }
  return (
    <article className="panel drawer wide" aria-label={t("order.detail")}>
      <header>
        <PriorityMark priority={order.priority} look="acknowledged" />
        <h2>
          {order.number} · {t(`order.state.${order.state}`)}
        </h2>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="body" tabIndex={0} aria-label={order.number}>
        <p className="order-title">{local(order.title)}</p>
        <Facts order={order} />
        <Checklist order={order} />
        <OrderActions order={order} />
        <Causes order={order} />
        <div>
          <h3>{t("order.journal")}</h3>
          <Journal entries={order.journal} />
        </div>
      </section>
    </article>
  );
}

function Facts({ order }: { order: WorkOrderDetail }) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  const rows: [string, string | null][] = [
    [t("order.column.kind"), t(`order.kind.${order.kind}`)],
    [t("order.assignee"), order.assignee ?? t("order.nobody")],
    [t("order.opened"), times.moment(order.opened_at)],
    [t("order.started"), order.started_at && times.moment(order.started_at)],
    [t("order.completed"), order.completed_at && times.moment(order.completed_at)],
    [t("order.remark"), order.remark],
    [t("order.plan"), order.plan],
    [t("order.source"), order.source],
  ];
  return (
    <dl className="facts">
      <dt>{t("alarm.column.asset")}</dt>
      <dd>
        <Link className="link" to={`/equipment/${order.asset_id}`}>
          {local(order.asset_name)}
        </Link>
        , {local(order.space_name)}
        {order.life_safety && <span className="life-safety after">{t("alarm.lifeSafety")}</span>}
      </dd>
      {rows.map(
        ([name, words]) =>
          words && (
            <div key={name} className="fact">
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function Checklist({ order }: { order: WorkOrderDetail }) {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  const editable = order.state === "in_progress" && hasTheOrder(session, order);
  const done = order.steps.filter((step) => step.done).length;
  return (
    <div>
      <h3>
        {t("order.steps")} · {t("order.stepsDone", { done, total: order.steps.length })}
      </h3>
      <ol className="steps">
        {order.steps.map((step) => (
          <StepLine key={step.number} order={order} step={step} editable={editable} />
        ))}
      </ol>
    </div>
  );
}

function StepLine({ order, step, editable }: { order: WorkOrderDetail; step: Step; editable: boolean }) {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  const command = useOrderCommand(order);
  return (
    <li>
      <Checkbox
        size="xs"
        color="var(--focus)"
        iconColor="var(--on-focus)"
        checked={command.isPending ? command.variables.do === "tick" && command.variables.done : step.done}
        readOnly={!editable}
        aria-disabled={!editable}
        onChange={(event) => {
          if (editable)
            command.mutate({ do: "tick", number: step.number, done: event.currentTarget.checked });
        }}
        label={
          <>
            {local(step.text)}
            {step.mandatory && <span className="secondary"> · {t("order.mandatory")}</span>}
          </>
        }
        description={
          step.done_at && t("order.doneBy", { name: step.done_by, time: times.moment(step.done_at) })
        }
      />
    </li>
  );
}

function Causes({ order }: { order: WorkOrderDetail }) {
  const { t } = useTranslation();
  const { alarms: open } = useLiveView();
  const alarms = useMemo(() => {
    const joined = open.filter((alarm) => alarm.order_id === order.id);
    const known = new Map([...order.alarms, ...joined].map((alarm) => [alarm.id, alarm]));
    return [...known.values()].map((alarm) => liveStore.alarm(alarm.id) ?? alarm);
  }, [open, order]);
  return (
    <div>
      <h3>{t("order.alarms")}</h3>
      {alarms.length > 0 ? (
        <BriefAlarms alarms={alarms} />
      ) : (
        <p className="secondary">{t("order.noAlarms")}</p>
      )}
    </div>
  );
}
