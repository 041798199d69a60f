import { memo } from "react";
import { useTranslation } from "react-i18next";
import type { Point } from "../api/types";
import { useLanguage } from "../i18n";
import { usePointValue } from "../live/live";
import { qualityLevel, valueWords } from "../text/quality";

/** A point's newest value; hatched and framed when it cannot be trusted. */
export const PointValue = memo(function PointValue({ point }: { point: Point }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const sample = usePointValue(point.key);
  const quality = qualityLevel(sample);
  const words = valueWords(point, sample, language) || "—";
  if (quality === "good" || quality === "none") return <span className="value">{words}</span>;
  return (
    <span className="value untrusted hatched" title={t(`quality.${quality}`)}>
      {words}
      <span className="visually-hidden"> ({t(`quality.${quality}`)})</span>
    </span>
  );
});
