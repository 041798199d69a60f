import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useMemo, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { alarmsDuringQuery, ordersDuringQuery } from "../../api/queries";
import type { Alarm, WorkOrder } from "../../api/types";
import { useLocal } from "../../i18n";
import { useLiveView } from "../../live/live";
import { millis } from "../../live/sorting";
import { useTimes } from "../../text/format";
import type { Marks } from "../chart/MarkLayer";
import { spanOf } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";

/** Return a stretch around the view that stays the same while it moves a little. */
function blockOf({ view }: ViewKeeper): string {
  const step = 2 ** Math.ceil(Math.log2(spanOf(view)));
  return `${Math.floor(view.fromMs / step) * step} ${Math.ceil(view.toMs / step) * step}`;
}

/** Return the alarms and orders of some assets around what is looked at, those that live as they are now. */
export function useMarks(assetIds: readonly string[], keeper: ViewKeeper): Marks {
  const { t } = useTranslation();
  const local = useLocal();
  const times = useTimes();
  const live = useLiveView();
  const block = useSyncExternalStore(keeper.subscribe, () => blockOf(keeper));
  const [fromMs = 0, toMs = 0] = block.split(" ").map(Number);
  const standing = useMemo(
    () => live.alarms.filter((alarm) => assetIds.includes(alarm.asset_id)),
    [live.alarms, assetIds],
  );
  const open = useMemo(
    () => live.orders.filter((order) => assetIds.includes(order.asset_id)),
    [live.orders, assetIds],
  );
  // One that ends leaves the live list: only the archive knows when.
  const [standingIds, openIds] = [standing.map(({ id }) => id).join(), open.map(({ id }) => id).join()];
  const alarms = useQueries({
    queries: assetIds.map((id) => ({
      ...alarmsDuringQuery(id, fromMs, toMs, standingIds),
      placeholderData: keepPreviousData,
    })),
    combine: (answers) => answers.flatMap(({ data }) => data?.alarms ?? []),
  });
  const orders = useQueries({
    queries: assetIds.map((id) => ({
      ...ordersDuringQuery(id, fromMs, toMs, openIds),
      placeholderData: keepPreviousData,
    })),
    combine: (answers) => answers.flatMap(({ data }) => data?.work_orders ?? []),
  });
  return useMemo(() => {
    const span = (alarm: Alarm) =>
      `${times.moment(alarm.raised_at)} – ${alarm.cleared_at ? times.moment(alarm.cleared_at) : t("trend.standing")}`;
    const urgency = (alarm: Alarm) => t("priority.label", { priority: alarm.priority });
    return {
      alarms: newestOf(alarms, standing).map((alarm) => ({
        id: alarm.id,
        fromMs: millis(alarm.raised_at),
        toMs: alarm.cleared_at ? millis(alarm.cleared_at) : null,
        priority: alarm.priority,
        words: `${urgency(alarm)}: ${local(alarm.asset_name)}, ${local(alarm.title)}, ${span(alarm)}`,
      })),
      orders: newestOf(orders, open).map((order: WorkOrder) => ({
        id: order.id,
        atMs: millis(order.opened_at),
        words: `${order.number}: ${local(order.title)}, ${times.moment(order.opened_at)}`,
      })),
    };
  }, [alarms, orders, standing, open, local, times, t]);
}

/** Return all things of both lists once, as the newer list has them. */
function newestOf<Thing extends { id: number; version: number }>(
  archive: readonly Thing[],
  live: readonly Thing[],
): Thing[] {
  const all = new Map(archive.map((thing) => [thing.id, thing]));
  for (const thing of live) {
    const known = all.get(thing.id);
    if (!known || known.version < thing.version) all.set(thing.id, thing);
  }
  return [...all.values()];
}
