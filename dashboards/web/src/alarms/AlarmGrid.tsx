import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, type Ref, useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Alarm } from "../api/types";
import { AlarmRow, ROW_PX, rowId } from "./AlarmRow";
import { toggled } from "./filter";
import { currentIndex, moveTo, type Selection } from "./selection";

const COLUMNS = [
  "priority",
  "state",
  "time",
  "system",
  "asset",
  "space",
  "title",
  "value",
  "limit",
  "acknowledgedBy",
  "order",
] as const;

const NUMERIC: ReadonlySet<string> = new Set(["value", "limit"]);

interface Props {
  ref: Ref<HTMLDivElement>;
  alarms: readonly Alarm[];
  filtered: boolean;
  selection: Selection;
  onSelect: (selection: Selection) => void;
  onOpen: (alarm: Alarm) => void;
  onAcknowledge: () => void;
  onEscape: () => void;
}

/** The alarm list: any number of rows, of which only those in view are drawn. */
export function AlarmGrid(props: Props) {
  const { alarms, selection, onSelect } = props;
  const { t } = useTranslation();
  const scroller = useRef<HTMLDivElement>(null);
  const ids = useMemo(() => alarms.map((alarm) => alarm.id), [alarms]);
  const lastIndex = useRef(0);
  const index = currentIndex(ids, selection, lastIndex.current);
  const current = ids[index];
  useEffect(() => {
    if (index >= 0) lastIndex.current = index;
  }, [index]);
  const rows = useVirtualizer({
    count: alarms.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
    paddingStart: ROW_PX,
    scrollPaddingStart: ROW_PX,
    getItemKey: (row) => ids[row] ?? row,
  });
  const move = (to: number, extend: boolean) => {
    const next = moveTo(ids, selection, to, extend);
    onSelect(next);
    if (next.current !== null) rows.scrollToIndex(ids.indexOf(next.current));
  };
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 2);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.metaKey) return;
    const act = keyAction(event);
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  const keyAction = (event: KeyboardEvent): (() => void) | undefined => {
    const moves: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: Math.max(0, index - 1),
      PageDown: index + page,
      PageUp: Math.max(0, index - page),
      Home: 0,
      End: ids.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) return () => move(to, event.shiftKey);
    const alarm = alarms[index];
    switch (event.key) {
      case " ":
        return () =>
          current !== undefined && onSelect({ ...selection, chosen: toggled(selection.chosen, current) });
      case "Enter":
        return () => alarm && props.onOpen(alarm);
      case "Escape":
        return props.onEscape;
      case "a":
      case "A":
        if (event.ctrlKey) return () => onSelect({ ...selection, chosen: new Set(ids) });
        return props.onAcknowledge;
      default:
        return undefined;
    }
  };
  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>("[data-alarm]");
    const id = Number(row?.dataset.alarm);
    if (!row || !id) return;
    if (event.ctrlKey || event.metaKey)
      onSelect({ current: id, anchor: id, chosen: toggled(selection.chosen, id) });
    else onSelect(moveTo(ids, selection, ids.indexOf(id), event.shiftKey));
  };
  const onDoubleClick = () => {
    const alarm = alarms[index];
    if (alarm) props.onOpen(alarm);
  };
  const setScroller = (element: HTMLDivElement | null) => {
    scroller.current = element;
    if (typeof props.ref === "function") props.ref(element);
    else if (props.ref) props.ref.current = element;
  };
  const items = rows.getVirtualItems();
  const currentDrawn = items.some((item) => item.index === index);
  return (
    <div
      ref={setScroller}
      role="grid"
      className="grid"
      tabIndex={0}
      aria-label={t("alarm.grid")}
      aria-rowcount={alarms.length + 1}
      aria-colcount={COLUMNS.length}
      aria-multiselectable="true"
      aria-activedescendant={currentDrawn && current !== undefined ? rowId(current) : undefined}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onDoubleClick={onDoubleClick}
    >
      <div role="rowgroup" className="grid-head-group">
        <div role="row" className="grid-head" aria-rowindex={1} tabIndex={-1}>
          {COLUMNS.map((column) => (
            <span
              key={column}
              role="columnheader"
              tabIndex={-1}
              className={NUMERIC.has(column) ? "number" : undefined}
            >
              {t(`alarm.column.${column}`)}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" style={{ height: rows.getTotalSize() - ROW_PX }}>
        {items.map((item) => {
          const alarm = alarms[item.index];
          return (
            alarm && (
              <AlarmRow
                key={alarm.id}
                alarm={alarm}
                index={item.index}
                current={alarm.id === current}
                selected={selection.chosen.has(alarm.id)}
              />
            )
          );
        })}
      </div>
      {alarms.length === 0 && (
        <p className="empty grid-empty">{props.filtered ? t("alarm.noneFiltered") : t("alarm.none")}</p>
      )}
    </div>
  );
}
