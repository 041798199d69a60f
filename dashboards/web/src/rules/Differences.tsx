import { useTranslation } from "react-i18next";
import type { RuleRevision } from "../api/types";
import { useLocal } from "../i18n";
import { differenceWords } from "./words";

/** What a revision changes, value by value. */
export function Differences({ revision }: { revision: RuleRevision }) {
  const { t } = useTranslation();
  const local = useLocal();
  if (revision.differences.length === 0) return <p className="secondary">{t("rule.noDifference")}</p>;
  return (
    <ul className="differences">
      {revision.differences.map((each) => (
        <li key={each.path.join(".")}>{differenceWords(each, revision, { t, local })}</li>
      ))}
    </ul>
  );
}
