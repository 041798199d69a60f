import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Journal } from "../alarms/Journal";
import { facilityQuery } from "../api/queries";
import type { RuleChangeDetail, RuleRevision } from "../api/types";
import { useLocal } from "../i18n";
import { LoadState } from "../shell/LoadState";
import { useTimes } from "../text/format";
import { titleOf } from "./content";
import { Differences } from "./Differences";
import { changeQuery } from "./queries";
import { ReviewActions } from "./ReviewActions";

/** One change: why, what is different, and who decided. */
export function ChangeDetail({ id }: { id: number }) {
  const { t } = useTranslation();
  const detail = useQuery(changeQuery(id));
  const change = detail.data;
  if (!change) {
    return (
      <section className="panel">
        <LoadState failed={detail.isError} retry={() => void detail.refetch()} />
      </section>
    );
  }
  const title = t("rule.changeTitle", { id: change.id, state: t(`rule.state.${change.state}`) });
  return (
    <article className="panel drawer wide" aria-label={t("rule.changeDetail")}>
      <header>
        <h2>{title}</h2>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="body" tabIndex={0} aria-label={title}>
        <p className="order-title">{change.reason}</p>
        <Facts change={change} />
        <ReviewActions change={change} />
        <div>
          <h3>{t("rule.differences")}</h3>
          {change.revisions.map((revision) => (
            <Revision key={`${revision.asset_id}/${revision.name}`} revision={revision} />
          ))}
          {change.size > change.revisions.length && (
            <p className="secondary">
              {t("rule.moreRevisions", { count: change.size - change.revisions.length })}
            </p>
          )}
        </div>
        <div>
          <h3>{t("order.journal")}</h3>
          <Journal entries={change.journal} />
        </div>
      </section>
    </article>
  );
}

function Facts({ change }: { change: RuleChangeDetail }) {
  const { t } = useTranslation();
  const times = useTimes();
  const rows: [string, string | null][] = [
    [t("rule.change.author"), `${change.author}, ${times.moment(change.proposed_at)}`],
    [
      t("rule.change.reviewer"),
      change.reviewer && change.decided_at && `${change.reviewer}, ${times.moment(change.decided_at)}`,
    ],
    [t("rule.change.comment"), change.comment],
  ];
  return (
    <dl className="facts">
      {rows.map(
        ([name, words]) =>
          words && (
            <div key={name} className="fact">
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function Revision({ revision }: { revision: RuleRevision }) {
  const local = useLocal();
  const { data: facility } = useQuery(facilityQuery);
  const address = `${revision.asset_id}/${revision.name}`;
  const asset = facility?.assets.find((one) => one.id === revision.asset_id);
  const title = titleOf(revision);
  const name = asset && title ? `${local(asset.name)}: ${local(title)}` : address;
  return (
    <div className="revision">
      {revision.rule_id === null ? (
        <b>{name}</b>
      ) : (
        <Link className="link" to={`/rules/${revision.rule_id}`}>
          {name}
        </Link>
      )}
      {name !== address && <span className="secondary"> {address}</span>}
      {revision.note && <p className="secondary">{revision.note}</p>}
      <Differences revision={revision} />
    </div>
  );
}
