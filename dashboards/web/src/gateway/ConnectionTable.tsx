import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { GatewayConnection } from "../api/types";
import { DeviceTable } from "./DeviceTable";
import { LastGood, StateMark } from "./marks";
import { isMixed } from "./trouble";

interface Props {
  connections: readonly GatewayConnection[];
  /** The server's time, by which ages are counted. */
  now: string;
}

/** A row for each connection, which opens to its devices; one with devices that do not answer is open by itself. */
export function ConnectionTable({ connections, now }: Props) {
  const { t } = useTranslation();
  const [turned, setTurned] = useState<ReadonlyMap<string, boolean>>(new Map());
  const turn = (id: string, open: boolean) => setTurned((before) => new Map(before).set(id, open));
  return (
    <table className="table gateway-table">
      <thead>
        <tr>
          <th scope="col">{t("gateway.connection")}</th>
          <th scope="col">{t("gateway.state")}</th>
          <th scope="col">{t("gateway.detail")}</th>
          <th scope="col" className="number">
            {t("gateway.rate")}
          </th>
          <th scope="col" className="number">
            {t("gateway.lastGood")}
          </th>
          <th scope="col" className="number">
            {t("gateway.bad")}
          </th>
          <th scope="col" className="number">
            {t("gateway.duplicates")}
          </th>
          <th scope="col" className="number">
            {t("gateway.openings")}
          </th>
        </tr>
      </thead>
      {connections.map((connection) => (
        <ConnectionRows
          key={connection.id}
          connection={connection}
          now={now}
          open={turned.get(connection.id) ?? isMixed(connection)}
          onTurn={turn}
        />
      ))}
    </table>
  );
}

interface RowsProps {
  connection: GatewayConnection;
  now: string;
  open: boolean;
  onTurn: (id: string, open: boolean) => void;
}

function ConnectionRows({ connection, now, open, onTurn }: RowsProps) {
  const { t } = useTranslation();
  const { id, units } = connection;
  const devices = `devices-of-${id}`;
  const openings = units.reduce((sum, unit) => sum + unit.openings, 0);
  return (
    <tbody>
      <tr>
        <th scope="row">
          <button
            type="button"
            className="row-button gateway-turn"
            aria-expanded={open}
            aria-controls={devices}
            onClick={() => onTurn(id, !open)}
          >
            <span aria-hidden="true">{open ? "▾" : "▸"}</span>
            <span>
              {id}
              <span className="secondary gateway-where">
                {connection.protocol} {connection.endpoint}
              </span>
            </span>
          </button>
        </th>
        <td>
          <StateMark state={connection.state} />
        </td>
        <td>{connection.detail}</td>
        <td className="number">{connection.samples_per_s.toLocaleString("en")}</td>
        <td className="number">
          <LastGood at={connection.last_good_at} now={now} />
        </td>
        <td className="number">{connection.errors.toLocaleString("en")}</td>
        <td className="number">{connection.duplicates.toLocaleString("en")}</td>
        <td className="number">{openings.toLocaleString("en")}</td>
      </tr>
      <tr id={devices} hidden={!open}>
        <td colSpan={8} className="gateway-devices">
          {open && <DeviceTable connection={id} devices={units} now={now} />}
          {open && units.length === 0 && <p className="secondary">{t("gateway.noDevices")}</p>}
        </td>
      </tr>
    </tbody>
  );
}
