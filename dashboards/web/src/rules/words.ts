import type { TFunction } from "i18next";
import type { ConditionContent, LocalText, RuleDifference, RuleRevision } from "../api/types";
import { exactNumber, exactQuantity } from "../text/format";
import { contentOf, LIMIT_SIDES, limitUnit, unitOf } from "./content";

/** What words are made with. */
export interface Wording {
  t: TFunction;
  /** Picks the reader's language. */
  local: (text: LocalText) => string;
}

/** Return the name of a field of a definition, also of one that this console does not know yet. */
export function fieldName(key: string, t: TFunction): string {
  const kind = LIMIT_SIDES.some((side) => side === key) ? "side" : "field";
  return t(`rule.${kind}.${key}`, { defaultValue: key.replaceAll("_", " ") });
}

/** Where the words are of fields that take one of a few. */
const CHOICES: Readonly<Record<string, string>> = {
  type: "rule.type",
  consequence_class: "detail.consequenceClass",
  per: "rule.choice.per",
  within: "rule.choice.within",
  statistic: "rule.choice.statistic",
  direction: "rule.choice.direction",
  days: "rule.choice.days",
  holidays: "rule.choice.holidays",
};

/** Return a value of a definition as people read it; `unit` is that of the rule's point. */
export function valueWords(key: string, value: unknown, unit: string, wording: Wording): string {
  const { t } = wording;
  if (value === null || value === undefined) return t("rule.value.none");
  if (typeof value === "boolean") return t(value ? "rule.value.yes" : "rule.value.no");
  if (typeof value === "number") return exactQuantity(value, unitOf(key, unit));
  if (Array.isArray(value)) {
    return value.map((each) => valueWords(key, each, unit, wording)).join(t("rule.value.between"));
  }
  if (typeof value === "object") return entryWords(value, unit, wording);
  if (key === "en" || key === "zh") return t("rule.value.text", { text: value });
  const choices = CHOICES[key];
  return choices ? t(`${choices}.${value}`, { defaultValue: String(value) }) : String(value);
}

function entryWords(value: object, unit: string, wording: Wording): string {
  if ("en" in value && "zh" in value) return wording.local(value as LocalText);
  return Object.entries(value)
    .filter(([, each]) => each !== null)
    .map(([key, each]) => {
      const words = valueWords(key, each, unit, wording);
      return key === "value" ? words : `${fieldName(key, wording.t)} ${words}`;
    })
    .join(wording.t("rule.value.between"));
}

/** Fields that say nothing, since they hold what nobody wrote. */
const isSilent = (value: unknown) => value === null || value === undefined || value === 0 || value === false;

/** Return the fields of a condition as people read them, without its type and limits. */
export function fieldsOf(
  condition: ConditionContent,
  unit: string,
  wording: Wording,
): [key: string, words: string][] {
  const { type: _type, limits: _limits, ...fields } = condition;
  return Object.entries(fields)
    .filter(([, value]) => !isSilent(value))
    .map(([key, value]) => [
      key,
      valueWords(key, value, key === "deadband" ? limitUnit(condition, unit) : unit, wording),
    ]);
}

/** Steps on the way to a value that say nothing to a person. */
const LEFT_OUT = new Set(["condition", "limits", "value"]);

/** Return one difference as people read it: `High 80 → 85 °C`. */
export function differenceWords(
  { path, before, after }: RuleDifference,
  revision: Pick<RuleRevision, "base" | "definition" | "unit">,
  wording: Wording,
): string {
  const { t } = wording;
  const key = path.at(-1);
  if (key === undefined) return t(`rule.difference.${wholeChange(after, revision.base)}`);
  const told = path.filter((step) => !LEFT_OUT.has(step));
  const name = (told.length > 0 ? told : [key]).map((step) => fieldName(step, t)).join(" · ");
  const unit = unitAt(path, revision);
  const bothNumbers = typeof before === "number" && typeof after === "number";
  const was = bothNumbers ? exactNumber(before) : valueWords(key, before, unit, wording);
  return `${name} ${was} → ${valueWords(key, after, unit, wording)}`;
}

function wholeChange(after: unknown, base: number): "off" | "on" | "added" {
  if (after === null) return "off";
  return base === 0 ? "added" : "on";
}

/** Return the unit of what a path leads to: limits of some conditions are in another one than their point. */
function unitAt(
  path: readonly string[],
  { definition, unit }: Pick<RuleRevision, "definition" | "unit">,
): string {
  const isLimit = path.includes("limits") || path.at(-1) === "deadband";
  return isLimit && definition ? limitUnit(contentOf(definition).condition, unit) : unit;
}
