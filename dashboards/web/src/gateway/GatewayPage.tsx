import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { gatewayQuery, statusQuery } from "../api/queries";
import type { GatewayView } from "../api/types";
import { LoadState } from "../shell/LoadState";
import { useTimes } from "../text/format";
import { ConnectionTable } from "./ConnectionTable";
import { LastGood, StateMark } from "./marks";
import { troubleOf } from "./trouble";

/** How the gateway is: what is down first, and in words. */
export function GatewayPage() {
  const { t } = useTranslation();
  const gateway = useQuery(gatewayQuery);
  if (!gateway.data) return <LoadState failed={gateway.isError} retry={() => void gateway.refetch()} />;
  const { connections } = gateway.data;
  return (
    <div className="gateway">
      <section className="panel scrolls">
        <header>
          <h1>{t("gateway.title")}</h1>
          <Summary gateway={gateway.data} />
        </header>
        {connections.length > 0 ? (
          <ConnectionTable connections={connections} now={gateway.data.now} />
        ) : (
          <p className="empty">{t("gateway.none")}</p>
        )}
      </section>
      <div className="stack">
        {gateway.data.gateways.length > 0 && <RemoteGateways gateway={gateway.data} />}
        <Queues gateway={gateway.data} />
        <Facts />
      </div>
    </div>
  );
}

function Summary({ gateway }: { gateway: GatewayView }) {
  const { t } = useTranslation();
  const trouble = troubleOf(gateway.connections);
  if (trouble.connections === 0) return null;
  const words =
    trouble.down + trouble.silent > 0
      ? t("gateway.trouble", { ...trouble })
      : t("gateway.well", { ...trouble });
  return (
    <p
      className="gateway-summary"
      data-trouble={trouble.down + trouble.silent > 0 || undefined}
      role="status"
    >
      {words}
    </p>
  );
}

/** Gateways that run apart, the absent ones first. */
function RemoteGateways({ gateway }: { gateway: GatewayView }) {
  const { t } = useTranslation();
  return (
    <section className="panel">
      <header>
        <h2>{t("gateway.elsewhere")}</h2>
      </header>
      <dl className="facts body">
        {gateway.gateways.map((remote) => (
          <div key={remote.id} className="fact">
            <dt>{remote.id}</dt>
            <dd>
              <StateMark state={remote.present ? "up" : "down"} />
              {remote.detail && <p>{remote.detail}</p>}
              <p className="secondary">
                {t("gateway.reported")} <LastGood at={remote.reported_at} now={gateway.now} />
              </p>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Where samples wait, and how late the event loop is. */
function Queues({ gateway }: { gateway: GatewayView }) {
  const { t } = useTranslation();
  const milliseconds = (n: number) => t("gateway.ms", { n: n.toFixed(n < 10 ? 1 : 0) });
  return (
    <section className="panel">
      <header>
        <h2>{t("gateway.flow")}</h2>
      </header>
      <dl className="facts body">
        {gateway.queues.map((queue) => (
          <div key={queue.name} className="fact">
            <dt>{t(`gateway.queue.${queue.name}`, { defaultValue: queue.name })}</dt>
            <dd className="number">
              {t("gateway.waiting", {
                waiting: queue.waiting.toLocaleString("en"),
                dropped: queue.dropped.toLocaleString("en"),
              })}
            </dd>
          </div>
        ))}
        <dt>{t("gateway.lag")}</dt>
        <dd className="number">{milliseconds(gateway.loop_lag_p99_ms)}</dd>
        <dt>{t("gateway.worstLag")}</dt>
        <dd className="number">{milliseconds(gateway.loop_lag_worst_ms)}</dd>
      </dl>
    </section>
  );
}

function Facts() {
  const { t } = useTranslation();
  const times = useTimes();
  const { data: status } = useQuery(statusQuery);
  if (!status) return null;
  return (
    <section className="panel">
      <header>
        <h2>{t("gateway.facts")}</h2>
      </header>
      <dl className="facts body">
        <dt>{t("gateway.points")}</dt>
        <dd className="number">{status.points.toLocaleString("en")}</dd>
        <dt>{t("gateway.rules")}</dt>
        <dd className="number">{status.rules.toLocaleString("en")}</dd>
        <dt>{t("gateway.samples")}</dt>
        <dd className="number">{status.samples.toLocaleString("en")}</dd>
        <dt>{t("gateway.started")}</dt>
        <dd className="number">{times.moment(status.started_at)}</dd>
      </dl>
    </section>
  );
}
