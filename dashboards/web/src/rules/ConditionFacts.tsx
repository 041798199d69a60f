import { useTranslation } from "react-i18next";
import type { RuleContent } from "../api/types";
import { useLocal } from "../i18n";
import { exactQuantity } from "../text/format";
import { limitsOf, limitUnit, movingLimitsOf } from "./content";
import { fieldName, fieldsOf, valueWords } from "./words";

interface Props {
  definition: RuleContent;
  /** Of the rule's point. */
  unit: string;
}

/** What a rule holds its point against, field by field. */
export function ConditionFacts({ definition, unit }: Props) {
  const { t } = useTranslation();
  const wording = { t, local: useLocal() };
  const { condition } = definition;
  const limits = limitsOf(condition).map(
    ({ side, value }) => [side, exactQuantity(value, limitUnit(condition, unit))] as const,
  );
  const gates = ["only_when", "schedule"].filter((key) => definition[key]);
  const fields = [
    ...fieldsOf(condition, unit, wording),
    ...gates.map((key) => [key, valueWords(key, definition[key], unit, wording)] as const),
  ];
  return (
    <dl className="facts">
      <div className="fact">
        <dt>{t("rule.column.condition")}</dt>
        <dd>{t(`rule.type.${condition.type}`, { defaultValue: condition.type })}</dd>
      </div>
      {[...limits, ...movingLimitsOf(condition)].map(([side, words]) => (
        <div key={side} className="fact">
          <dt>{t(`rule.side.${side}`)}</dt>
          <dd>{words}</dd>
        </div>
      ))}
      {fields.map(([key, words]) => (
        <div key={key} className="fact">
          <dt>{fieldName(key, t)}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}
