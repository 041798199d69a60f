import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { BriefAlarms } from "../alarms/BriefAlarms";
import { assetAlarmsQuery, assetOrdersQuery, facilityQuery } from "../api/queries";
import type { Alarm, Asset, Facility, Point, WorkOrder } from "../api/types";
import { CommandPanel } from "../commands/CommandPanel";
import { useLocal } from "../i18n";
import { useLiveView } from "../live/live";
import { BriefOrders } from "../orders/BriefOrders";
import { LoadState } from "../shell/LoadState";
import { linkTo } from "../trend/data/address";
import { PointTrend } from "../trend/PointTrend";
import { PointTable } from "./PointTable";

/** One asset: all its points live, their past, its alarms and its orders. */
export function AssetPage() {
  const { t } = useTranslation();
  const { assetId } = useParams();
  const facility = useQuery(facilityQuery);
  if (!facility.data) return <LoadState failed={facility.isError} retry={() => void facility.refetch()} />;
  const asset = facility.data.assets.find((one) => one.id === assetId);
  if (!asset) return <h1 className="empty">{t("asset.unknown")}</h1>;
  return <KnownAsset key={asset.id} asset={asset} facility={facility.data} />;
}

function KnownAsset({ asset, facility }: { asset: Asset; facility: Facility }) {
  const { t } = useTranslation();
  const local = useLocal();
  const [pickedKey, setPickedKey] = useState<number>();
  const picked = asset.points.find((point) => point.key === pickedKey) ?? firstShown(asset);
  const space = facility.spaces.find((one) => one.id === asset.space_id);
  return (
    <div className="asset">
      <div className="page-head">
        <Link className="link" to="/overview">
          ‹ {t("asset.back")}
        </Link>
        <h1>{local(asset.name)}</h1>
        <span className="secondary">
          {local(asset.class_title)} · {space ? local(space.name) : asset.space_id} · {t("asset.connection")}{" "}
          {asset.connection_id}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="panel scrolls" tabIndex={0} aria-label={t("asset.points")}>
        <PointTable asset={asset} picked={picked} onPick={(point) => setPickedKey(point.key)} />
      </section>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="stack scrolls" tabIndex={0} aria-label={t("detail.trend")}>
        <CommandPanel asset={asset} />
        {picked && (
          <section className="panel">
            <header>
              <h2 className="grow">{local(picked.title)}</h2>
              <Link className="link" to={linkTo(asset.id, picked.name)}>
                {t("trend.open")}
              </Link>
            </header>
            <div className="body">
              <PointTrend point={picked} height={200} />
            </div>
          </section>
        )}
        <AssetAlarms assetId={asset.id} />
        <AssetOrders assetId={asset.id} />
      </section>
    </div>
  );
}

function firstShown(asset: Asset): Point | undefined {
  return asset.points.find((point) => point.overview && point.kind === "analog") ?? asset.points[0];
}

/** Return the live things first, then those of the archive that are not live. */
function merged<Thing extends { id: number }>(live: readonly Thing[], archive: readonly Thing[]): Thing[] {
  const known = new Set(live.map((thing) => thing.id));
  return [...live, ...archive.filter((thing) => !known.has(thing.id))];
}

function AssetAlarms({ assetId }: { assetId: string }) {
  const { t } = useTranslation();
  const { alarms } = useLiveView();
  const open = useMemo(() => alarms.filter((alarm) => alarm.asset_id === assetId), [alarms, assetId]);
  const ids = open.map((alarm) => alarm.id).join();
  const archive = useQuery({
    ...assetAlarmsQuery(assetId),
    queryKey: [...assetAlarmsQuery(assetId).queryKey, ids],
  });
  const past = archive.data?.alarms.filter((alarm) => alarm.state === "A") ?? [];
  const shown: Alarm[] = merged(open, past);
  return (
    <section className="panel">
      <header>
        <h2>{t("asset.alarms")}</h2>
      </header>
      <div className="body">
        {shown.length === 0 ? (
          <p className="secondary">{t("asset.noAlarms")}</p>
        ) : (
          <BriefAlarms alarms={shown} />
        )}
      </div>
    </section>
  );
}

function AssetOrders({ assetId }: { assetId: string }) {
  const { t } = useTranslation();
  const { orders } = useLiveView();
  const open = useMemo(() => orders.filter((order) => order.asset_id === assetId), [orders, assetId]);
  const ids = open.map((order) => order.id).join();
  const archive = useQuery({
    ...assetOrdersQuery(assetId),
    queryKey: [...assetOrdersQuery(assetId).queryKey, ids],
  });
  const past = archive.data?.work_orders.filter((order) => order.completed_at !== null) ?? [];
  const shown: WorkOrder[] = merged(open, past);
  return (
    <section className="panel">
      <header>
        <h2>{t("asset.orders")}</h2>
      </header>
      <div className="body">
        {shown.length === 0 ? (
          <p className="secondary">{t("asset.noOrders")}</p>
        ) : (
          <BriefOrders orders={shown} />
        )}
      </div>
    </section>
  );
}
