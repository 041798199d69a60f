import { memo } from "react";
import { useTranslation } from "react-i18next";
import { type Figures, PRIORITIES } from "../api/types";
import { formatNumber } from "../text/format";
import { type FigureKey, figureRows } from "./comparison";
import { useDuration } from "./useDuration";

interface Props {
  label: string;
  /** Null: the rule is not live. */
  live: Figures | null;
  /** Null: there is no draft. */
  draft: Figures | null;
}

/** The figures of ISA-18.2 as they were and as they would be. */
export const FiguresTable = memo(function FiguresTable({ label, live, draft }: Props) {
  const { t } = useTranslation();
  const duration = useDuration();
  const words = (key: FigureKey, value: number | null) => {
    if (value === null) return "—";
    if (key === "in_alarm_s") return duration(value * 1_000);
    return formatNumber(Number(value.toFixed(2)));
  };
  return (
    <table className="table figures" aria-label={label}>
      <thead>
        <tr>
          <th scope="col">{label}</th>
          <th scope="col" className="number">
            {t("tuning.live")}
          </th>
          <th scope="col" className="number">
            {t("tuning.draft")}
          </th>
          <th scope="col" className="number">
            {t("tuning.change")}
          </th>
        </tr>
      </thead>
      <tbody>
        {figureRows(live, draft, PRIORITIES).map(({ key, live: before, draft: after }) => (
          <tr key={key}>
            <th scope="row" title={t(`tuning.hint.${key}`, { defaultValue: "" })}>
              {t(`tuning.figure.${key}`)}
            </th>
            <td className="number">{words(key, before)}</td>
            <td className="number">{words(key, after)}</td>
            <td className="number">
              <Change before={before} after={after} words={(by) => words(key, by)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
});

interface ChangeProps {
  before: number | null;
  after: number | null;
  words: (value: number) => string;
}

function Change({ before, after, words }: ChangeProps) {
  const { t } = useTranslation();
  if (before === null || after === null) return null;
  const by = after - before;
  if (by === 0) return <span className="secondary">{t("tuning.same")}</span>;
  return (
    <b>
      {by > 0 ? "▲ +" : "▼ −"}
      {words(Math.abs(by))}
    </b>
  );
}
