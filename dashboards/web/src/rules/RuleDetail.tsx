import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import type { RuleDetail as Detail, RuleChange } from "../api/types";
import { useLocal } from "../i18n";
import { LoadState } from "../shell/LoadState";
import { useTimes } from "../text/format";
import { ConditionFacts } from "./ConditionFacts";
import { contentOf } from "./content";
import { useIsolated } from "./isolated";
import { ruleQuery } from "./queries";
import { RuleActions } from "./RuleActions";
import { RuleHistory } from "./RuleHistory";
import { fieldName } from "./words";

/** One rule: what it says, what it is held against, and who decided so. */
export function RuleDetail({ id }: { id: number }) {
  const { t } = useTranslation();
  const local = useLocal();
  const detail = useQuery(ruleQuery(id));
  const rule = detail.data;
  if (!rule) {
    return (
      <section className="panel">
        <LoadState failed={detail.isError} retry={() => void detail.refetch()} />
      </section>
    );
  }
  return (
    <article className="panel drawer wide" aria-label={t("rule.detail")}>
      <header>
        <PriorityMark priority={rule.priority} look="acknowledged" />
        <h2>{local(rule.title)}</h2>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="body" tabIndex={0} aria-label={local(rule.title)}>
        <p>
          <Link className="link" to={`/equipment/${rule.asset_id}`}>
            {local(rule.asset_name)}
          </Link>
          {" · "}
          {rule.on ? t("rule.revision", { number: rule.revision }) : t("rule.off")}
          {rule.life_safety && <span className="life-safety after">{t("alarm.lifeSafety")}</span>}
        </p>
        <IsolatedNotice id={id} />
        {rule.open_changes.length > 0 && (
          <div className="waiting">
            <h3>{t("rule.open")}</h3>
            <OpenChanges changes={rule.open_changes} />
          </div>
        )}
        <RuleActions rule={rule} />
        <ConditionFacts definition={contentOf(rule.definition)} unit={rule.unit} />
        <Rationale rule={rule} />
        <div>
          <h3>{t("rule.history")}</h3>
          <RuleHistory rule={rule} />
        </div>
      </section>
    </article>
  );
}

/** Says that the rule watches nothing, why, and what to do. */
function IsolatedNotice({ id }: { id: number }) {
  const { t } = useTranslation();
  const mistake = useIsolated().find((rule) => rule.rule_id === id)?.mistake;
  if (mistake === undefined) return null;
  return (
    <div className="waiting isolated">
      <h3>
        <span className="unwatched">{t("rule.isolated.mark")}</span>
      </h3>
      <p>{t("rule.isolated.why")}</p>
      <code>{mistake}</code>
      <p>{t("rule.isolated.engineer")}</p>
    </div>
  );
}

function OpenChanges({ changes }: { changes: readonly RuleChange[] }) {
  const times = useTimes();
  return (
    <ul>
      {changes.map((change) => (
        <li key={change.id}>
          <Link className="link" to={`/rule-changes/${change.id}`}>
            {change.reason}
          </Link>
          <span className="secondary">
            {" "}
            {change.author}, {times.moment(change.proposed_at)}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Why the rule exists and what to do, after ISA-18.2, and how its priority follows. */
function Rationale({ rule }: { rule: Detail }) {
  const { t } = useTranslation();
  const local = useLocal();
  const definition = contentOf(rule.definition);
  const grave = definition.consequence_class;
  const texts = ["cause", "consequence", "corrective_action"] as const;
  return (
    <dl className="facts">
      <div className="fact">
        <dt>{t("rule.column.priority")}</dt>
        <dd>
          {t("rule.priorityFrom", {
            priority: rule.priority,
            grave: t(`detail.consequenceClass.${grave}`, { defaultValue: grave }),
            minutes: definition.time_to_respond_min,
          })}
        </dd>
      </div>
      {texts.map((key) => (
        <div key={key} className="fact">
          <dt>{fieldName(key, t)}</dt>
          <dd>{local(definition[key])}</dd>
        </div>
      ))}
    </dl>
  );
}
