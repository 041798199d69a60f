import { TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { PRIORITIES, SYSTEMS } from "../api/types";
import { useShortcut } from "../shell/shortcuts";
import { type AlarmFilter, isFiltering, toggled } from "./filter";
import { PriorityMark } from "./PriorityMark";

interface Props {
  filter: AlarmFilter;
  onChange: (filter: AlarmFilter) => void;
  onLeave: () => void;
  shown: number;
  total: number;
}

const NOTHING: AlarmFilter = {
  systems: new Set(),
  priorities: new Set(),
  unacknowledgedOnly: false,
  text: "",
};

export function FilterBar({ filter, onChange, onLeave, shown, total }: Props) {
  const { t } = useTranslation();
  const text = useRef<HTMLInputElement>(null);
  // The address follows a moment later, too late for the next key: while someone types, their own text counts.
  const [typed, setTyped] = useState<string | null>(null);
  useShortcut("/", () => text.current?.select());
  return (
    <search className="filters" aria-label={t("filter.label")}>
      <TextInput
        ref={text}
        size="xs"
        w={220}
        aria-label={t("filter.text")}
        placeholder={t("filter.placeholder")}
        value={typed ?? filter.text}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          onChange({ ...filter, text: event.currentTarget.value });
        }}
        onBlur={() => setTyped(null)}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "Escape") onLeave();
        }}
      />
      <fieldset className="toggles" aria-label={t("alarm.column.system")}>
        {SYSTEMS.map((system) => (
          <button
            key={system}
            type="button"
            className="button"
            aria-pressed={filter.systems.has(system)}
            onClick={() => onChange({ ...filter, systems: toggled(filter.systems, system) })}
          >
            {t(`system.${system}`)}
          </button>
        ))}
      </fieldset>
      <fieldset className="toggles" aria-label={t("order.column.priority")}>
        {PRIORITIES.map((priority) => (
          <button
            key={priority}
            type="button"
            className="button"
            aria-pressed={filter.priorities.has(priority)}
            aria-label={t("priority.label", { priority })}
            onClick={() => onChange({ ...filter, priorities: toggled(filter.priorities, priority) })}
          >
            <PriorityMark priority={priority} look="acknowledged" />
          </button>
        ))}
      </fieldset>
      <button
        type="button"
        className="button"
        aria-pressed={filter.unacknowledgedOnly}
        onClick={() => onChange({ ...filter, unacknowledgedOnly: !filter.unacknowledgedOnly })}
      >
        {t("filter.unacknowledged")}
      </button>
      <output className="shown">{t("filter.shown", { shown, total })}</output>
      {isFiltering(filter) && (
        <button type="button" className="button plain" onClick={() => onChange(NOTHING)}>
          {t("filter.clear")}
        </button>
      )}
    </search>
  );
}
