import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useLocal } from "../i18n";
import { useIsolated } from "./isolated";

/** More names would push the page away; the list of rules has them all. */
const MOST_NAMES = 3;

/** Says on every page which rules watch nothing any more, for as long as that is so. */
export function IsolatedBanner() {
  const { t } = useTranslation();
  const local = useLocal();
  const isolated = useIsolated();
  if (isolated.length === 0) return null;
  const more = isolated.length - MOST_NAMES;
  return (
    <div className="banner isolated" role="status">
      <span className="unwatched">{t("rule.isolated.mark")}</span>
      <p>
        {isolated.slice(0, MOST_NAMES).map((rule, index) => (
          <Fragment key={rule.rule_id}>
            {index > 0 && t("rule.value.between")}
            <Link className="link" to={`/rules/${rule.rule_id}`}>
              {local(rule.asset_name)}: {local(rule.title)}
            </Link>
          </Fragment>
        ))}
        {more > 0 && (
          <>
            {" "}
            <Link className="link" to={ALL_ISOLATED}>
              {t("rule.isolated.more", { count: more })}
            </Link>
          </>
        )}
        {t("rule.isolated.stop")}
        {t("rule.isolated.doThis", { count: isolated.length })}
      </p>
    </div>
  );
}

const ALL_ISOLATED = "/rules?isolated";
