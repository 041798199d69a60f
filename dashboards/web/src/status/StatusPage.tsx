import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { statusQuery } from "../api/queries";
import type { Connection } from "../api/types";
import { LoadState } from "../shell/LoadState";
import { useTimes } from "../text/format";

/** How Watchkeeper itself is: its wires and its counts. */
export function StatusPage() {
  const { t } = useTranslation();
  const times = useTimes();
  const status = useQuery(statusQuery);
  if (!status.data) return <LoadState failed={status.isError} retry={() => void status.refetch()} />;
  const { connections, points, rules, samples, started_at } = status.data;
  return (
    <div className="status">
      <section className="panel">
        <header>
          <h1>{t("status.title")}</h1>
        </header>
        {connections.length > 0 ? (
          <ConnectionTable connections={connections} />
        ) : (
          <p className="empty">{t("status.none")}</p>
        )}
      </section>
      <section className="panel">
        <header>
          <h2>{t("status.facts")}</h2>
        </header>
        <dl className="facts body">
          <dt>{t("status.points")}</dt>
          <dd className="number">{points}</dd>
          <dt>{t("status.rules")}</dt>
          <dd className="number">{rules}</dd>
          <dt>{t("status.samples")}</dt>
          <dd className="number">{samples.toLocaleString("en")}</dd>
          <dt>{t("status.started")}</dt>
          <dd className="number">{times.moment(started_at)}</dd>
        </dl>
      </section>
    </div>
  );
}

function ConnectionTable({ connections }: { connections: readonly Connection[] }) {
  const { t } = useTranslation();
  const times = useTimes();
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col">{t("status.connection")}</th>
          <th scope="col">{t("status.state")}</th>
          <th scope="col">{t("status.detail")}</th>
          <th scope="col" className="number">
            {t("status.samples")}
          </th>
          <th scope="col" className="number">
            {t("status.errors")}
          </th>
          <th scope="col" className="number">
            {t("status.dropped")}
          </th>
          <th scope="col" className="number">
            {t("status.lastGood")}
          </th>
        </tr>
      </thead>
      <tbody>
        {connections.map((connection) => (
          <tr key={connection.id}>
            <th scope="row">{connection.id}</th>
            <td>
              <span className="connection-state" data-state={connection.state}>
                {t(`status.${connection.state}`)}
              </span>
            </td>
            <td>{connection.detail}</td>
            <td className="number">{connection.samples.toLocaleString("en")}</td>
            <td className="number">{connection.errors.toLocaleString("en")}</td>
            <td className="number">{connection.dropped.toLocaleString("en")}</td>
            <td className="number">
              {connection.last_good_at ? times.moment(connection.last_good_at) : t("status.never")}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
