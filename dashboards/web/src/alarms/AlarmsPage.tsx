import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { sessionQuery } from "../api/queries";
import type { Alarm } from "../api/types";
import { useLiveView } from "../live/live";
import { AcknowledgeDialog } from "./AcknowledgeDialog";
import { AlarmDrawer } from "./AlarmDrawer";
import { AlarmGrid } from "./AlarmGrid";
import { FilterBar } from "./FilterBar";
import { filterAlarms, filterFrom, isFiltering, searchFrom } from "./filter";
import { NOTHING_SELECTED, onlyShown } from "./selection";

/** The main page: what is wrong now, and what to do about it. */
export function AlarmsPage() {
  const { t } = useTranslation();
  const { alarmId } = useParams();
  const navigate = useNavigate();
  const [search, setSearch] = useSearchParams();
  const { alarms } = useLiveView();
  const grid = useRef<HTMLDivElement>(null);
  const [chosen, setSelection] = useState(NOTHING_SELECTED);
  const [asked, setAsked] = useState<readonly Alarm[]>([]);
  const { data: session } = useQuery(sessionQuery);
  const mayAcknowledge = session?.permissions.includes("acknowledge_alarm") ?? false;

  const filter = useMemo(() => filterFrom(search), [search]);
  const shown = useMemo(() => filterAlarms(alarms, filter), [alarms, filter]);
  const selection = useMemo(
    () =>
      onlyShown(
        shown.map((alarm) => alarm.id),
        chosen,
      ),
    [shown, chosen],
  );
  useEffect(() => grid.current?.focus(), []);

  const open = (id: number | null) =>
    void navigate({ pathname: id === null ? "/alarms" : `/alarms/${id}`, search: search.toString() });
  const acknowledge = () => {
    const wanted = selection.chosen.size > 0 ? selection.chosen : new Set([selection.current]);
    const unseen = shown.filter((alarm) => wanted.has(alarm.id) && !alarm.acknowledged);
    if (mayAcknowledge) setAsked(unseen);
  };
  const stepBack = () => {
    if (selection.chosen.size > 0) setSelection({ ...selection, chosen: new Set() });
    else open(null);
  };
  const finish = () => {
    setAsked([]);
    setSelection((now) => ({ ...now, chosen: new Set() }));
  };
  return (
    <div className="alarms">
      <h1 className="visually-hidden">{t("nav.alarms")}</h1>
      <FilterBar
        filter={filter}
        onChange={(next) => setSearch(searchFrom(next), { replace: true })}
        onLeave={() => grid.current?.focus()}
        shown={shown.length}
        total={alarms.length}
      />
      <AlarmGrid
        ref={grid}
        alarms={shown}
        filtered={isFiltering(filter)}
        selection={selection}
        onSelect={setSelection}
        onOpen={(alarm) => open(alarm.id)}
        onAcknowledge={acknowledge}
        onEscape={stepBack}
      />
      {alarmId !== undefined && (
        <AlarmDrawer
          key={alarmId}
          id={Number(alarmId)}
          onAcknowledge={(alarm) => setAsked([alarm])}
          onClose={() => {
            open(null);
            grid.current?.focus();
          }}
        />
      )}
      <AcknowledgeDialog alarms={asked} onClose={() => setAsked([])} onDone={finish} />
    </div>
  );
}
