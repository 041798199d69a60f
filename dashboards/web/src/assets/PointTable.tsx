import { memo, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Asset, Point } from "../api/types";
import { useLocal } from "../i18n";
import { useLiveStatus, usePointValue } from "../live/live";
import { PointValue } from "../overview/PointValue";
import { ageOf } from "../text/age";
import { qualityLevel } from "../text/quality";
import { linkTo } from "../trend/data/address";

interface Props {
  asset: Asset;
  picked: Point | undefined;
  onPick: (point: Point) => void;
}

/** All points of an asset; a click shows a point's past. */
export function PointTable({ asset, picked, onPick }: Props) {
  const { t } = useTranslation();
  const now = useServerSecond();
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col">{t("asset.point")}</th>
          <th scope="col" className="number">
            {t("asset.value")}
          </th>
          <th scope="col">{t("asset.quality")}</th>
          <th scope="col" className="number">
            {t("asset.age")}
          </th>
          <th scope="col">
            <span className="visually-hidden">{t("nav.trend")}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {asset.points.map((point) => (
          <PointRow
            key={point.key}
            assetId={asset.id}
            point={point}
            now={now}
            picked={point === picked}
            onPick={onPick}
          />
        ))}
      </tbody>
    </table>
  );
}

/** Return the server's time in ms, renewed once a second: ages are counted by the clock that stamped the samples. */
function useServerSecond(): number {
  const { clockOffsetMs } = useLiveStatus();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now + clockOffsetMs;
}

interface RowProps {
  assetId: string;
  point: Point;
  now: number;
  picked: boolean;
  onPick: (point: Point) => void;
}

const PointRow = memo(function PointRow({ assetId, point, now, picked, onPick }: RowProps) {
  const { t } = useTranslation();
  const local = useLocal();
  const sample = usePointValue(point.key);
  const age = sample && ageOf(now - sample[3]);
  return (
    <tr data-picked={picked || undefined}>
      <td>
        <button type="button" className="row-button" aria-pressed={picked} onClick={() => onPick(point)}>
          {local(point.title)}
        </button>
      </td>
      <td className="number">
        <PointValue point={point} />
      </td>
      <td>{t(`quality.${qualityLevel(sample)}`)}</td>
      <td className="number secondary">{age && t(`age.${age.unit}`, { n: age.n })}</td>
      <td className="number">
        <Link
          className="link"
          to={linkTo(assetId, point.name)}
          aria-label={t("trend.openOf", { point: local(point.title) })}
        >
          {t("nav.trend")}
        </Link>
      </td>
    </tr>
  );
});
