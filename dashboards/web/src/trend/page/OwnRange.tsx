import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "../../shell/Dialog";
import { useTimes } from "../../text/format";
import { stretch } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";
import { fromClock, toClock } from "./wallClock";

interface Props {
  keeper: ViewKeeper;
  onClose: () => void;
}

/** Ask for two instants, by the site's clock. */
export function OwnRange({ keeper, onClose }: Props) {
  const { t } = useTranslation();
  const { offsetMs } = useTimes();
  const [from, setFrom] = useState(() => toClock(keeper.view.fromMs, offsetMs));
  const [to, setTo] = useState(() => toClock(keeper.view.toMs, offsetMs));
  const [fromMs, toMs] = [fromClock(from, offsetMs), fromClock(to, offsetMs)];
  const fits = fromMs < toMs && fromMs < keeper.now();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!fits) return;
    keeper.choose(stretch(fromMs, toMs, keeper.now()));
    onClose();
  };
  return (
    <Dialog opened onClose={onClose} title={t("trend.ownTitle")}>
      <form className="form" onSubmit={submit}>
        <label className="instant">
          {t("trend.from")}
          <input
            type="datetime-local"
            step={1}
            value={from}
            onChange={(e) => setFrom(e.currentTarget.value)}
          />
        </label>
        <label className="instant">
          {t("trend.to")}
          <input type="datetime-local" step={1} value={to} onChange={(e) => setTo(e.currentTarget.value)} />
        </label>
        <p className="secondary" role="status">
          {fits ? t("trend.siteClock") : t("trend.noRange")}
        </p>
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            {t("acknowledge.cancel")}
          </button>
          <button type="submit" className="button primary" disabled={!fits}>
            {t("trend.show")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
