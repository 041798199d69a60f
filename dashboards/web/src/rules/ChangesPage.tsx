import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";
import { LoadState } from "../shell/LoadState";
import { ChangeDetail } from "./ChangeDetail";
import { ChangeTable } from "./ChangeTable";
import { changeListQuery } from "./queries";
import { RuleTabs } from "./RuleTabs";

const SCOPES = ["proposed", "all"] as const;

/** Changes of rules: what waits for a review, and what was decided. */
export function ChangesPage() {
  const { t } = useTranslation();
  const { changeId } = useParams();
  const [scope, setScope] = useState<(typeof SCOPES)[number]>("proposed");
  const list = useQuery(changeListQuery(scope === "all" ? undefined : scope));
  return (
    <div className="orders rules" data-picked={changeId}>
      <div className="page-head">
        <RuleTabs />
        <fieldset className="toggles" aria-label={t("rule.scope")}>
          {SCOPES.map((one) => (
            <button
              key={one}
              type="button"
              className="button"
              aria-pressed={scope === one}
              onClick={() => setScope(one)}
            >
              {t(`rule.scopes.${one}`)}
            </button>
          ))}
        </fieldset>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="panel scrolls" tabIndex={0} aria-label={t("rule.changes")}>
        {!list.data && <LoadState failed={list.isError} retry={() => void list.refetch()} />}
        {list.data && list.data.changes.length === 0 && (
          <p className="empty">{t(scope === "all" ? "rule.noChangesAtAll" : "rule.noChanges")}</p>
        )}
        {list.data && list.data.changes.length > 0 && (
          <ChangeTable changes={list.data.changes} picked={Number(changeId)} />
        )}
      </section>
      {changeId === undefined ? (
        <section className="panel">
          <p className="empty">{t("rule.pickChange")}</p>
        </section>
      ) : (
        <ChangeDetail key={changeId} id={Number(changeId)} />
      )}
    </div>
  );
}
