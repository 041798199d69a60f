import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Facility } from "../../api/types";
import { useLocal } from "../../i18n";
import { useShortcut } from "../../shell/shortcuts";
import { MOST_POINTS } from "../data/address";
import { type Findable, findables, search } from "./pointSearch";

interface Props {
  facility: Facility;
  /** Addresses of the points that are shown. */
  chosen: readonly string[];
  onToggle: (address: string) => void;
}

const MOST_SHOWN = 60;

/** Find points by any of their words; Enter puts one into the chart or takes it out. */
export function PointPicker({ facility, chosen, onToggle }: Props) {
  const { t } = useTranslation();
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [opened, setOpened] = useState(false);
  const [active, setActive] = useState(0);
  const all = useMemo(() => findables(facility), [facility]);
  const { found, total } = useMemo(() => search(all, text, MOST_SHOWN), [all, text]);
  const full = chosen.length >= MOST_POINTS;
  useShortcut("/", () => input.current?.focus());
  const pick = (one: Findable | undefined) => {
    if (one && (!full || chosen.includes(one.address))) onToggle(one.address);
  };
  const move = (to: number) => {
    setOpened(true);
    setActive(Math.max(0, Math.min(found.length - 1, to)));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const actions: Record<string, () => void> = {
      ArrowDown: () => move(opened ? active + 1 : active),
      ArrowUp: () => move(active - 1),
      PageDown: () => move(active + 10),
      PageUp: () => move(active - 10),
      Enter: () => (opened ? pick(found[active]) : setOpened(true)),
      Escape: () => (opened ? setOpened(false) : setText("")),
    };
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return (
    <div className="picker">
      <input
        ref={input}
        className="picker-input"
        role="combobox"
        aria-label={t("trend.addPoint")}
        aria-expanded={opened}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={opened && found[active] ? `${list}-${active}` : undefined}
        placeholder={t("trend.addPointHint")}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setActive(0);
          setOpened(true);
        }}
        onFocus={() => setOpened(true)}
        onClick={() => setOpened(true)}
        onBlur={() => setOpened(false)}
        onKeyDown={onKeyDown}
      />
      {opened && (
        <div className="picker-list">
          <p className="picker-note secondary" role="status">
            {full
              ? t("trend.full", { count: MOST_POINTS })
              : t("filter.shown", { shown: found.length, total })}
          </p>
          <div role="listbox" id={list} aria-label={t("asset.points")} aria-multiselectable="true">
            {found.map((one, index) => (
              <Option
                key={one.address}
                id={`${list}-${index}`}
                one={one}
                active={index === active}
                chosen={chosen.includes(one.address)}
                disabled={full && !chosen.includes(one.address)}
                onPick={() => pick(one)}
              />
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

interface OptionProps {
  id: string;
  one: Findable;
  active: boolean;
  chosen: boolean;
  disabled: boolean;
  onPick: () => void;
}

function Option({ id, one, active, chosen, disabled, onPick }: OptionProps) {
  const local = useLocal();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the input takes the keys for all options
    <div
      ref={(element) => {
        if (active) element?.scrollIntoView({ block: "nearest" });
      }}
      role="option"
      id={id}
      className="picker-option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-disabled={disabled}
      data-active={active || undefined}
      // The input must not lose the focus to what is clicked.
      onMouseDown={(event) => event.preventDefault()}
      onClick={onPick}
    >
      <span aria-hidden="true" className="picker-check">
        {chosen ? "✓" : ""}
      </span>
      <span className="ellipsis">
        {local(one.asset.name)} <b>{local(one.point.title)}</b>
      </span>
      <span className="secondary">{one.point.unit}</span>
    </div>
  );
}
