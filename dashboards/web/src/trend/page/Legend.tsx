import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useLanguage, useLocal } from "../../i18n";
import { formatNumber, useTimes } from "../../text/format";
import { wordsOf } from "../../text/quality";
import { isStates } from "../chart/axes";
import type { Cursor } from "../chart/cursor";
import { type Look, lookOf } from "../chart/look";
import { addressOf, type ShownPoint } from "../data/address";
import { type Reading, readingAt } from "../data/track";
import type { TrackLoader } from "../data/trackLoader";
import type { ViewKeeper } from "../data/viewKeeper";

interface Props {
  shown: readonly ShownPoint[];
  loader: TrackLoader;
  keeper: ViewKeeper;
  cursor: Cursor;
  onRemove: (address: string) => void;
}

/** What each line is, and what it was under the pointer; without one, at the right edge. */
export function Legend({ shown, loader, keeper, cursor, onRemove }: Props) {
  const { t } = useTranslation();
  const times = useTimes();
  const pointed = useSyncExternalStore(cursor.subscribe, () => cursor.atMs);
  const edge = useSyncExternalStore(keeper.subscribe, () => keeper.view.toMs);
  useSyncExternalStore(loader.subscribe, () => loader.version);
  // The server's clock, newly heard, may stand a little before the edge: nothing is known of what is yet to come.
  const at = pointed ?? Math.min(edge, loader.now());
  return (
    <table className="table trend-legend">
      <thead>
        <tr>
          <th scope="col">{t("trend.line")}</th>
          <th scope="col">{t("asset.point")}</th>
          <th scope="col" className="number trend-at">
            {pointed === null && keeper.view.live ? t("trend.now") : times.moment(at)}
          </th>
          <th scope="col">{t("trend.unit")}</th>
          <th scope="col" className="number wide-only">
            {t("trend.leastGreatest")}
          </th>
          <th scope="col">{t("asset.quality")}</th>
          <th scope="col">
            <span className="visually-hidden">{t("trend.remove")}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {shown.map((one, index) => {
          const track = loader.track(one.point.key);
          const reading = track ? readingAt(track, at, loader.now()) : null;
          return (
            <Row
              key={one.point.key}
              one={one}
              look={lookOf(index)}
              lettered={shown.length > 1}
              reading={reading}
              onRemove={() => onRemove(addressOf(one))}
            />
          );
        })}
      </tbody>
    </table>
  );
}

interface RowProps {
  one: ShownPoint;
  look: Look;
  lettered: boolean;
  reading: Reading | null;
  onRemove: () => void;
}

function Row({ one, look, lettered, reading, onRemove }: RowProps) {
  const { t } = useTranslation();
  const local = useLocal();
  const language = useLanguage();
  const { asset, point } = one;
  const value = reading?.value ?? null;
  const words = isStates(point)
    ? wordsOf(point, value ?? Number.NaN, language)
    : formatNumber(value ?? Number.NaN);
  const range = reading?.range?.map(formatNumber).join(" … ");
  const name = `${local(asset.name)} ${local(point.title)}`;
  return (
    <tr>
      <td className="trend-sign">
        <Sign look={look} lettered={lettered} />
      </td>
      <td>
        <Link className="trend-name" to={`/equipment/${asset.id}`}>
          {local(asset.name)}
        </Link>{" "}
        {local(point.title)}
      </td>
      <td className="number">{value === null ? "—" : <Value words={words} reading={reading} />}</td>
      <td className="secondary">{point.unit}</td>
      <td className="number secondary wide-only">{range}</td>
      <td>{reading === null ? t("quality.none") : t(`trend.doubt.${reading.doubt ?? "good"}`)}</td>
      <td className="number">
        <button
          type="button"
          className="button plain"
          aria-label={t("trend.removePoint", { point: name })}
          title={t("trend.remove")}
          onClick={onRemove}
        >
          ✕
        </button>
      </td>
    </tr>
  );
}

function Value({ words, reading }: { words: string; reading: Reading | null }) {
  if (!reading?.doubt) return <span className="value">{words}</span>;
  return <span className="value untrusted hatched">{words}</span>;
}

/** The line as it is drawn, with its letter. */
function Sign({ look, lettered }: { look: Look; lettered: boolean }) {
  return (
    <svg width="44" height="16" viewBox="0 0 44 16" role="img" aria-label={look.letter}>
      <line
        x1={lettered ? 14 : 2}
        x2="42"
        y1="8"
        y2="8"
        stroke={`var(${look.ink})`}
        strokeWidth={look.width}
        strokeDasharray={look.dash.join(" ")}
      />
      {lettered && (
        <text x="1" y="12" fill={`var(${look.ink})`}>
          {look.letter}
        </text>
      )}
    </svg>
  );
}
