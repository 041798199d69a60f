import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "../../shell/Dialog";
import { useTimes } from "../../text/format";
import { fromClock, toClock } from "./wallClock";

interface Props {
  title: string;
  /** What the button says. */
  submit: string;
  /** What stands in the fields at first. */
  first: { fromMs: number; toMs: number };
  /** Nothing can begin after it. */
  nowMs: number;
  onChoose: (fromMs: number, toMs: number) => void;
  onClose: () => void;
}

/** Ask for two instants, by the site's clock. */
export function RangeDialog({ title, submit, first, nowMs, onChoose, onClose }: Props) {
  const { t } = useTranslation();
  const { offsetMs } = useTimes();
  const [from, setFrom] = useState(() => toClock(first.fromMs, offsetMs));
  const [to, setTo] = useState(() => toClock(first.toMs, offsetMs));
  const [fromMs, toMs] = [fromClock(from, offsetMs), fromClock(to, offsetMs)];
  const fits = fromMs < toMs && fromMs < nowMs;
  const choose = (event: FormEvent) => {
    event.preventDefault();
    if (!fits) return;
    onChoose(fromMs, toMs);
    onClose();
  };
  return (
    <Dialog opened onClose={onClose} title={title}>
      <form className="form" onSubmit={choose}>
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
            {submit}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
