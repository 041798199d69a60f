import { NativeSelect, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { accountsQuery, sessionQuery } from "../api/queries";
import type { WorkOrderDetail } from "../api/types";
import { liveStore, useLiveView } from "../live/live";
import { Dialog } from "../shell/Dialog";
import { problemWords } from "../shell/problems";
import { type OrderCommand, useOrderCommand } from "./commands";
import { hasTheOrder } from "./mine";

type Asking = "complete" | "cancel" | null;

/** What can be done to the order now, by this person. */
export function OrderActions({ order }: { order: WorkOrderDetail }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<Asking>(null);
  const { data: session } = useQuery(sessionQuery);
  const command = useOrderCommand(order);
  const may = session?.permissions ?? [];
  const mine = hasTheOrder(session, order);
  const finished = order.state === "completed" || order.state === "cancelled";
  if (finished) return null;
  return (
    <>
      <div className="actions">
        {may.includes("assign_order") && <Assign order={order} onAssign={(id) => command.mutate(id)} />}
        {order.state === "dispatched" && mine && (
          <button
            type="button"
            className="button primary"
            disabled={command.isPending}
            onClick={() => command.mutate({ do: "start" })}
          >
            {t("order.start")}
          </button>
        )}
        {order.state === "in_progress" && mine && (
          <button type="button" className="button primary" onClick={() => setAsking("complete")}>
            {t("order.complete")}
          </button>
        )}
        {may.includes("cancel_order") && !order.life_safety && order.state !== "in_progress" && (
          <button type="button" className="button" onClick={() => setAsking("cancel")}>
            {t("order.cancel")}
          </button>
        )}
      </div>
      {order.assignee !== null && !mine && (
        <p className="secondary">{t("order.onlyAssignee", { name: order.assignee })}</p>
      )}
      <Dialog
        opened={asking !== null}
        onClose={() => setAsking(null)}
        title={asking && `${t(`order.${asking}`)} · ${order.number}`}
      >
        {asking === "complete" && <CompleteForm order={order} onClose={() => setAsking(null)} />}
        {asking === "cancel" && <CancelForm order={order} onClose={() => setAsking(null)} />}
      </Dialog>
    </>
  );
}

interface AssignProps {
  order: WorkOrderDetail;
  onAssign: (command: OrderCommand) => void;
}

function Assign({ order, onAssign }: AssignProps) {
  const { t } = useTranslation();
  const { data: accounts } = useQuery(accountsQuery("execute_order"));
  const choices = (accounts ?? []).map((account) => ({
    value: String(account.id),
    label: `${account.name} · ${t(`role.${account.role}`)}`,
  }));
  return (
    <NativeSelect
      size="xs"
      className="assign"
      aria-label={t("order.assignTo")}
      value={order.assignee_id === null ? "" : String(order.assignee_id)}
      data={[
        { value: "", label: `${t("order.assignTo")}: ${t("order.choose")}`, disabled: true },
        ...choices,
      ]}
      onChange={(event) => onAssign({ do: "assign", assignee_id: Number(event.currentTarget.value) })}
    />
  );
}

interface FormProps {
  order: WorkOrderDetail;
  onClose: () => void;
}

function CompleteForm({ order, onClose }: FormProps) {
  const { t } = useTranslation();
  const command = useOrderCommand(order);
  const stands = useStandingAlarm(order);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const remark = String(form.get("remark") ?? "").trim();
    const override_reason = String(form.get("override") ?? "").trim();
    command.mutate({ do: "complete", remark, override_reason }, { onSuccess: onClose });
  };
  return (
    <form className="form" onSubmit={submit}>
      <Textarea
        name="remark"
        label={t("order.remark")}
        description={t("order.remarkHint")}
        maxLength={4000}
        rows={3}
        data-autofocus
      />
      {stands && (
        <Textarea
          name="override"
          label={t("order.override")}
          description={t("order.overrideHint")}
          maxLength={2000}
          required
          rows={2}
        />
      )}
      <Refusal error={command.error} />
      <FormActions words={t("order.complete")} pending={command.isPending} onClose={onClose} />
    </form>
  );
}

/** Tell whether an alarm of the order is still active, by its newest state. */
function useStandingAlarm(order: WorkOrderDetail): boolean {
  const { alarms } = useLiveView();
  if (alarms.some((alarm) => alarm.order_id === order.id && alarm.active)) return true;
  return order.alarms.some((alarm) => (liveStore.alarm(alarm.id) ?? alarm).active);
}

function CancelForm({ order, onClose }: FormProps) {
  const { t } = useTranslation();
  const command = useOrderCommand(order);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    command.mutate({ do: "cancel", reason }, { onSuccess: onClose });
  };
  return (
    <form className="form" onSubmit={submit}>
      <Textarea
        name="reason"
        label={t("order.cancelReason")}
        maxLength={2000}
        required
        rows={2}
        data-autofocus
      />
      <Refusal error={command.error} />
      <FormActions words={t("order.cancel")} pending={command.isPending} onClose={onClose} />
    </form>
  );
}

function Refusal({ error }: { error: Error | null }) {
  const { t } = useTranslation();
  return (
    error && (
      <p className="refusal" role="alert">
        {problemWords(error, t)}
      </p>
    )
  );
}

function FormActions({ words, pending, onClose }: { words: string; pending: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="actions">
      <button type="button" className="button" onClick={onClose}>
        {t("order.keep")}
      </button>
      <button type="submit" className="button primary" disabled={pending}>
        {words}
      </button>
    </div>
  );
}
