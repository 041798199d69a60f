import { useTranslation } from "react-i18next";
import type { Asset, ConditionContent, LimitSide, RuleContent } from "../api/types";
import { useLocal } from "../i18n";
import { fieldUnit, LIMIT_SIDES, limitUnit, withCondition } from "../rules/content";
import { type Field, fieldsFor, namesFrom } from "./fields";
import { ChoiceInput, NumberInput, TextInput } from "./inputs";

interface Props {
  draft: RuleContent;
  asset: Asset;
  /** Of the rule's point. */
  unit: string;
  disabled: boolean;
  onChange: (draft: RuleContent) => void;
}

/** Everything of a draft that can be changed, field by field. */
export function DraftForm(props: Props) {
  const { draft, disabled, onChange } = props;
  const { t } = useTranslation();
  const { condition } = draft;
  const change = (changes: Partial<ConditionContent>) => onChange(withCondition(draft, changes));
  return (
    <div className="tuning-fields">
      <p className="secondary">{t(`rule.type.${condition.type}`, { defaultValue: condition.type })}</p>
      <Limits {...props} onCondition={change} />
      {fieldsFor(condition).map((field) => (
        <FieldInput key={field.key} {...props} field={field} onCondition={change} />
      ))}
      <details>
        <summary>{t("tuning.urgency")}</summary>
        <ChoiceInput
          label={t("tuning.consequenceClass")}
          value={draft.consequence_class}
          disabled={disabled}
          choices={CLASSES.map((one) => [one, t(`detail.consequenceClass.${one}`)])}
          onChange={(grave) => onChange({ ...draft, consequence_class: grave })}
        />
        <NumberInput
          label={t("tuning.timeToRespond")}
          unit="min"
          field={{ key: "time_to_respond_min", kind: "number", above: 0 }}
          value={draft.time_to_respond_min}
          disabled={disabled}
          onChange={(minutes) => minutes !== null && onChange({ ...draft, time_to_respond_min: minutes })}
        />
        <TextInput
          label={t("rule.field.only_when")}
          value={draft.only_when ?? ""}
          disabled={disabled}
          onChange={(text) => onChange({ ...draft, only_when: text.trim() || null })}
        />
      </details>
    </div>
  );
}

const CLASSES = ["minor", "moderate", "major", "severe"] as const;

interface PartProps extends Props {
  onCondition: (changes: Partial<ConditionContent>) => void;
}

/** Limits as numbers, also those that stand in the trend: to be written exactly. */
function Limits({ draft, unit, disabled, onCondition }: PartProps) {
  const { t } = useTranslation();
  const { condition } = draft;
  const { limits = {} } = condition;
  const put = (side: LimitSide, changes: { value?: number; offset?: number }) =>
    onCondition({ limits: { ...limits, [side]: { ...limits[side], ...changes } } });
  return LIMIT_SIDES.map((side) => {
    const limit = limits[side];
    if (limit === undefined) return null;
    const name = t(`rule.side.${side}`);
    const moving = limit.point !== undefined;
    return (
      <NumberInput
        key={side}
        label={moving ? t("tuning.offset", { side: name, point: limit.point }) : name}
        unit={limitUnit(condition, unit)}
        field={{ key: side, kind: "number" }}
        value={(moving ? limit.offset : limit.value) ?? 0}
        disabled={disabled}
        onChange={(value) => value !== null && put(side, moving ? { offset: value } : { value })}
      />
    );
  });
}

function FieldInput({ draft, asset, unit, disabled, field, onCondition }: PartProps & { field: Field }) {
  const { t } = useTranslation();
  const local = useLocal();
  const { condition } = draft;
  const { key } = field;
  const value = condition[key];
  const common = { label: t(`rule.field.${key}`), disabled };
  switch (field.kind) {
    case "number":
      return (
        <NumberInput
          {...common}
          unit={fieldUnit(key, condition, unit)}
          field={field}
          value={typeof value === "number" ? value : field.optional ? null : 0}
          onChange={(next) => onCondition({ [key]: next })}
        />
      );
    case "text":
      return (
        <TextInput {...common} value={String(value)} onChange={(text) => onCondition({ [key]: text })} />
      );
    case "names":
      return (
        <TextInput
          {...common}
          hint={t("tuning.namesHint")}
          value={(value as string[]).join(", ")}
          onChange={(text) => onCondition({ [key]: namesFrom(text) })}
        />
      );
    case "choice":
      return (
        <ChoiceInput
          {...common}
          value={String(value)}
          choices={field.choices.map((one) => [one, t(`rule.choice.${key}.${one}`)])}
          onChange={(one) => onCondition({ [key]: one })}
        />
      );
    case "point":
      return (
        <ChoiceInput
          {...common}
          value={String(value)}
          choices={asset.points.map((point) => [point.name, local(point.title)])}
          onChange={(one) => onCondition({ [key]: one })}
        />
      );
  }
}
