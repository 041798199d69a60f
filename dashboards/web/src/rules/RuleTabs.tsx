import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { NavLink } from "react-router";
import { changeListQuery } from "./queries";

/** The two pages about rules, with how many changes wait for a review. */
export function RuleTabs() {
  const { t } = useTranslation();
  const { data: waiting } = useQuery(changeListQuery("proposed"));
  return (
    <>
      <h1>{t("nav.rules")}</h1>
      <nav className="tabs" aria-label={t("nav.rules")}>
        <NavLink to="/rules">{t("rule.list")}</NavLink>
        <NavLink to="/rule-changes">
          {t("rule.changes")}
          {waiting !== undefined && waiting.total > 0 && <span className="badge">{waiting.total}</span>}
        </NavLink>
      </nav>
    </>
  );
}
