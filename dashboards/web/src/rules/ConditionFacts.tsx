import { useTranslation } from "react-i18next";
import type { RuleContent } from "../api/types";
import { formatQuantity } from "../text/format";
import { fieldsOf, fieldWords, limitsOf, movingLimitsOf } from "./content";

interface Props {
  definition: RuleContent;
  /** Of the rule's point. */
  unit: string;
}

/** What a rule holds its point against, field by field. */
export function ConditionFacts({ definition, unit }: Props) {
  const { t } = useTranslation();
  const { condition } = definition;
  const limits = limitsOf(condition).map(({ side, value }) => [side, formatQuantity(value, unit)] as const);
  const gates = ["only_when", "schedule"].filter((key) => definition[key]);
  const fields = [
    ...fieldsOf(condition, unit),
    ...gates.map((key) => [key, fieldWords(key, definition[key], unit)] as const),
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
          <dt>{t(`rule.field.${key}`, { defaultValue: key.replaceAll("_", " ") })}</dt>
          <dd>{words}</dd>
        </div>
      ))}
    </dl>
  );
}
