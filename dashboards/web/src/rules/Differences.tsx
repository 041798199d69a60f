import { useTranslation } from "react-i18next";
import type { RuleRevision } from "../api/types";

/** What a revision changes, value by value. */
export function Differences({ revision }: { revision: RuleRevision }) {
  const { t } = useTranslation();
  if (revision.differences.length === 0) return <p className="secondary">{t("rule.noDifference")}</p>;
  return (
    <ul className="differences">
      {revision.differences.map((each) => (
        <li key={each.path.join(".")}>{each.text}</li>
      ))}
    </ul>
  );
}
