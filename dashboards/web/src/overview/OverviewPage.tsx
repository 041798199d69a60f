import { useQuery } from "@tanstack/react-query";
import { memo, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { lookOf, type MarkLook, PriorityMark } from "../alarms/PriorityMark";
import { facilityQuery } from "../api/queries";
import { type Alarm, type Asset, PRIORITIES, type Priority, type System } from "../api/types";
import { useLocal } from "../i18n";
import { useLiveView } from "../live/live";
import { LoadState } from "../shell/LoadState";
import { PointValue } from "./PointValue";
import { worstByAsset } from "./worst";

/** Two columns of about the same height: detectors are many, doors and lifts are fewer. */
const COLUMNS: readonly (readonly System[])[] = [
  ["lift", "access"],
  ["pump", "fire"],
];

/** The four systems at a glance: grey when all is well. */
export function OverviewPage() {
  const { t } = useTranslation();
  const facility = useQuery(facilityQuery);
  const { alarms } = useLiveView();
  const worst = useMemo(() => worstByAsset(alarms), [alarms]);
  if (!facility.data) return <LoadState failed={facility.isError} retry={() => void facility.refetch()} />;
  const assets = facility.data.assets;
  return (
    <div className="overview">
      <h1 className="visually-hidden">{t("nav.overview")}</h1>
      {COLUMNS.map((systems) => (
        <div key={systems.join()} className="stack">
          {systems.map((system) => (
            <SystemPanel
              key={system}
              system={system}
              assets={assets.filter((asset) => asset.system === system)}
              alarms={alarms.filter((alarm) => alarm.system === system)}
              worst={worst}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

interface PanelProps {
  system: System;
  assets: readonly Asset[];
  alarms: readonly Alarm[];
  worst: ReadonlyMap<string, Alarm>;
}

function SystemPanel({ system, assets, alarms, worst }: PanelProps) {
  const { t } = useTranslation();
  return (
    <section className="panel" aria-labelledby={`system-${system}`}>
      <header>
        <h2 id={`system-${system}`}>
          <Link to={`/alarms?system=${system}`}>{t(`system.${system}`)}</Link>
        </h2>
        <span className="secondary">{t("asset.assets", { count: assets.length })}</span>
        <span className="space" />
        <PanelCounts alarms={alarms} />
      </header>
      <div className="tiles">
        {assets.map((asset) => {
          const alarm = worst.get(asset.id);
          return (
            <AssetTile
              key={asset.id}
              asset={asset}
              priority={alarm?.priority}
              look={alarm && lookOf(alarm)}
            />
          );
        })}
      </div>
    </section>
  );
}

function PanelCounts({ alarms }: { alarms: readonly Alarm[] }) {
  const { t } = useTranslation();
  return PRIORITIES.map((priority) => {
    const open = alarms.filter((alarm) => alarm.priority === priority);
    if (open.length === 0) return null;
    const unacknowledged = open.filter((alarm) => !alarm.acknowledged).length;
    const words = `${t("priority.label", { priority })}: ${t("alarm.count", { open: open.length, unacknowledged })}`;
    return (
      <span key={priority} className="panel-count" title={words}>
        <PriorityMark priority={priority} look={unacknowledged > 0 ? "unacknowledged" : "acknowledged"} />
        {open.length}
        <span className="visually-hidden">{words}</span>
      </span>
    );
  });
}

interface TileProps {
  asset: Asset;
  /** Of the worst open alarm; undefined: none. */
  priority: Priority | undefined;
  look: MarkLook | undefined;
}

const AssetTile = memo(function AssetTile({ asset, priority, look }: TileProps) {
  const { t } = useTranslation();
  const local = useLocal();
  return (
    <Link className="tile" to={`/equipment/${asset.id}`} data-priority={priority}>
      <div className="tile-head">
        <b className="ellipsis">{local(asset.name)}</b>
        {priority && look && (
          <>
            <PriorityMark priority={priority} look={look} />
            <span className="visually-hidden">{t("priority.label", { priority })}</span>
          </>
        )}
      </div>
      {asset.points
        .filter((point) => point.overview)
        .map((point) => (
          <div key={point.key} className="tile-point">
            <span className="secondary ellipsis">{local(point.title)}</span>
            <PointValue point={point} />
          </div>
        ))}
    </Link>
  );
});
