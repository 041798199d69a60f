import { useDisclosure } from "@mantine/hooks";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { lastOf, spanOf } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";
import { OwnRange } from "./OwnRange";

/** Seconds. */
const RANGES = [900, 3_600, 28_800, 86_400, 604_800, 2_592_000] as const;

/** How much time is shown, from when to when, and the way back. */
export function RangeBar({ keeper }: { keeper: ViewKeeper }) {
  const { t } = useTranslation();
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const [asking, { open, close }] = useDisclosure(false);
  const seconds = Math.round(spanOf(view) / 1_000);
  const isPreset = view.live && RANGES.some((range) => range === seconds);
  return (
    <div className="range-bar">
      <fieldset className="toggles" aria-label={t("trend.spans")}>
        {RANGES.map((range) => (
          <button
            key={range}
            type="button"
            className="button"
            aria-pressed={view.live && range === seconds}
            onClick={() => keeper.choose(lastOf(range * 1_000, keeper.now()))}
          >
            {t(`trend.span.${range}`)}
          </button>
        ))}
        <button type="button" className="button" aria-pressed={!isPreset} onClick={open}>
          {t("trend.own")}
        </button>
      </fieldset>
      <fieldset className="toggles" aria-label={t("trend.move")}>
        <Step label={t("trend.earlier")} sign="◂" onClick={() => keeper.pan(-0.5)} />
        <Step label={t("trend.zoomOut")} sign="−" onClick={() => keeper.zoom(2, view.live ? 1 : 0.5)} />
        <Step label={t("trend.zoomIn")} sign="+" onClick={() => keeper.zoom(0.5, view.live ? 1 : 0.5)} />
        <Step label={t("trend.later")} sign="▸" disabled={view.live} onClick={() => keeper.pan(0.5)} />
        <Step label={t("trend.back")} sign="↶" disabled={!keeper.canGoBack} onClick={() => keeper.back()} />
      </fieldset>
      <button
        type="button"
        className="button live-button"
        aria-pressed={view.live}
        onClick={() => keeper.goLive()}
      >
        {t("trend.live")}
      </button>
      {asking && <OwnRange keeper={keeper} onClose={close} />}
    </div>
  );
}

interface StepProps {
  label: string;
  sign: string;
  disabled?: boolean;
  onClick: () => void;
}

function Step({ label, sign, disabled = false, onClick }: StepProps) {
  return (
    <button
      type="button"
      className="button"
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      {sign}
    </button>
  );
}
