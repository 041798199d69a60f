import { useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { serverNow } from "../live/live";
import type { ViewKeeper } from "../trend/data/viewKeeper";
import type { Stretch } from "./stretch";
import { lastStretch, SPANS, searchFor, viewOf } from "./stretch";

interface Props {
  keeper: ViewKeeper;
  stretch: Stretch;
  onChange: (stretch: Stretch) => void;
}

/** Which stretch of history a draft is tried on; to look closer at a part of it changes no figure. */
export function StretchBar({ keeper, stretch, onChange }: Props) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  const [endsNow, setEndsNow] = useState(true);
  const isWhole = view.fromMs === stretch.fromMs && view.toMs === stretch.toMs;
  const seconds = Math.round((stretch.toMs - stretch.fromMs) / 1_000);
  const choose = (chosen: Stretch, toNow: boolean) => {
    setEndsNow(toNow);
    keeper.choose(viewOf(chosen));
    onChange(chosen);
    void navigate({ search: searchFor(chosen, toNow) }, { replace: true });
  };
  return (
    <div className="range-bar">
      <fieldset className="toggles" aria-label={t("tuning.stretch")}>
        {SPANS.map((span) => (
          <button
            key={span}
            type="button"
            className="button"
            aria-pressed={endsNow && span === seconds}
            onClick={() => choose(lastStretch(span, serverNow()), true)}
          >
            {t(`tuning.span.${span}`)}
          </button>
        ))}
      </fieldset>
      <button
        type="button"
        className="button"
        disabled={isWhole}
        title={t("tuning.wholeHint")}
        onClick={() => keeper.choose(viewOf(stretch))}
      >
        {t("tuning.whole")}
      </button>
      <button
        type="button"
        className="button"
        disabled={isWhole}
        onClick={() => choose({ fromMs: view.fromMs, toMs: view.toMs }, false)}
      >
        {t("tuning.tryShown")}
      </button>
    </div>
  );
}
