import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import type { Rule } from "../api/types";
import { useLocal } from "../i18n";

const COLUMNS = ["priority", "asset", "title", "condition", "name"] as const;

interface Props {
  rules: readonly Rule[];
  /** Id of the rule beside the list; NaN: none. */
  picked: number;
}

export function RuleTable({ rules, picked }: Props) {
  const { t } = useTranslation();
  return (
    <table className="table">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <th key={column} scope="col" className={column === "name" ? "wide-only" : undefined}>
              {t(`rule.column.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rules.map((rule) => (
          <RuleRow key={rule.id} rule={rule} picked={rule.id === picked} />
        ))}
      </tbody>
    </table>
  );
}

const RuleRow = memo(function RuleRow({ rule, picked }: { rule: Rule; picked: boolean }) {
  const { t } = useTranslation();
  const local = useLocal();
  const navigate = useNavigate();
  const to = `/rules/${rule.id}`;
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
      </td>
      <td>{t(`rule.type.${rule.condition}`, { defaultValue: rule.condition })}</td>
      <td className="secondary wide-only">{rule.name}</td>
    </tr>
  );
});
