import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useNavigate } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import type { Rule } from "../api/types";
import { useLocal } from "../i18n";
import { useIsolated } from "./isolated";

const COLUMNS = ["priority", "asset", "title", "condition", "name"] as const;

/** There is no room for them on a phone. */
const WIDE_ONLY: ReadonlySet<string> = new Set(["condition", "name"]);

interface Props {
  rules: readonly Rule[];
  /** Id of the rule beside the list; NaN: none. */
  picked: number;
}

export function RuleTable({ rules, picked }: Props) {
  const { t } = useTranslation();
  const isolated = useIsolated();
  return (
    <table className="table">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <th key={column} scope="col" className={WIDE_ONLY.has(column) ? "wide-only" : undefined}>
              {t(`rule.column.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => (
          <RuleRow
            key={rule.id}
            rule={rule}
            picked={rule.id === picked}
            isolated={isolated.some((one) => one.rule_id === rule.id)}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  rule: Rule;
  picked: boolean;
  /** Whether it failed and is watched no more. */
  isolated: boolean;
}

const RuleRow = memo(function RuleRow({ rule, picked, isolated }: RowProps) {
  const { t } = useTranslation();
  const local = useLocal();
  const navigate = useNavigate();
  const { search } = useLocation();
  const to = `/rules/${rule.id}${search}`;
  return (
    <tr data-picked={picked || undefined} onClick={() => void navigate(to)}>
      <td>
        <PriorityMark priority={rule.priority} look="acknowledged" />
        <span className="visually-hidden">{t("priority.label", { priority: rule.priority })}</span>
      </td>
      <td>{local(rule.asset_name)}</td>
      <td className="wide">
        <Link className="link" to={to} aria-current={picked || undefined}>
          {local(rule.title)}
        </Link>
        {isolated && <span className="unwatched after">{t("rule.isolated.mark")}</span>}
      </td>
      <td className="wide-only">{t(`rule.type.${rule.condition}`, { defaultValue: rule.condition })}</td>
      <td className="secondary wide-only">{rule.name}</td>
    </tr>
  );
});
