import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { GatewayDevice } from "../api/types";
import { useLocal } from "../i18n";
import { LastGood, StateMark } from "./marks";

interface Props {
  connection: string;
  devices: readonly GatewayDevice[];
  now: string;
}

/** The devices on one connection; latencies are of the last minute, counts since the start. */
export function DeviceTable({ connection, devices, now }: Props) {
  const { t } = useTranslation();
  if (devices.length === 0) return null;
  return (
    <table className="table" aria-label={t("gateway.devicesOf", { connection })}>
      <thead>
        <tr>
          <th scope="col">{t("gateway.device")}</th>
          <th scope="col">{t("gateway.state")}</th>
          <th scope="col">{t("gateway.detail")}</th>
          <th scope="col" className="number">
            {t("gateway.lastGood")}
          </th>
          <th scope="col" className="number">
            {t("gateway.requests")}
          </th>
          <th scope="col" className="number">
            {t("gateway.timeouts")}
          </th>
          <th scope="col" className="number">
            {t("gateway.refusals")}
          </th>
          <th scope="col" className="number">
            {t("gateway.overruns")}
          </th>
          <th scope="col" className="number">
            {t("gateway.openings")}
          </th>
          <th scope="col" className="number">
            {t("gateway.p50")}
          </th>
          <th scope="col" className="number">
            {t("gateway.p99")}
          </th>
        </tr>
      </thead>
      <tbody>
        {devices.map((device) => (
          <DeviceRow key={device.asset_id} device={device} now={now} />
        ))}
      </tbody>
    </table>
  );
}

function DeviceRow({ device, now }: { device: GatewayDevice; now: string }) {
  const { t } = useTranslation();
  const local = useLocal();
  const milliseconds = (n: number | null) =>
    n === null ? "–" : t("gateway.ms", { n: n.toLocaleString("en") });
  const counts = [device.requests, device.timeouts, device.refusals, device.overruns, device.openings];
  return (
    <tr>
      <th scope="row">
        <Link to={`/equipment/${device.asset_id}`}>{local(device.name)}</Link>
      </th>
      <td>
        <StateMark state={device.state} />
      </td>
      <td>{device.detail}</td>
      <td className="number">
        <LastGood at={device.last_good_at} now={now} />
      </td>
      {counts.map((count, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a place in this row is a column
        <td key={place} className="number">
          {count.toLocaleString("en")}
        </td>
      ))}
      <td className="number">{milliseconds(device.latency_p50_ms)}</td>
      <td className="number">{milliseconds(device.latency_p99_ms)}</td>
    </tr>
  );
}
