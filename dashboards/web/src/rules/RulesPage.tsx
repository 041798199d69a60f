import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";
import { LoadState } from "../shell/LoadState";
import { useIsolated } from "./isolated";
import { PAGE, ruleListQuery } from "./queries";
import { RuleDetail } from "./RuleDetail";
import { RuleTable } from "./RuleTable";
import { RuleTabs } from "./RuleTabs";

/** All rules that are on, a page at a time; beside them the one that was picked. */
export function RulesPage() {
  const { t } = useTranslation();
  const { ruleId } = useParams();
  const [text, setText] = useState("");
  const [page, setPage] = useState(0);
  const [search, setSearch] = useSearchParams();
  const onlyIsolated = search.has("isolated");
  const isolated = useIsolated();
  const list = useQuery(ruleListQuery(text.trim(), onlyIsolated, page));
  const total = list.data?.total ?? 0;
  return (
    <div className="orders rules" data-picked={ruleId}>
      <div className="page-head">
        <RuleTabs />
        <TextInput
          size="xs"
          w={260}
          type="search"
          aria-label={t("rule.search")}
          placeholder={t("rule.search")}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setPage(0);
          }}
        />
        {(onlyIsolated || isolated.length > 0) && (
          <button
            type="button"
            className="button"
            aria-pressed={onlyIsolated}
            onClick={() => {
              setSearch(onlyIsolated ? {} : { isolated: "" });
              setPage(0);
            }}
          >
            {t("rule.isolated.only", { count: isolated.length })}
          </button>
        )}
        <Pages page={page} total={total} onPage={setPage} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <section className="panel scrolls" tabIndex={0} aria-label={t("rule.list")}>
        {!list.data && <LoadState failed={list.isError} retry={() => void list.refetch()} />}
        {list.data && total === 0 && <p className="empty">{t("rule.none")}</p>}
        {list.data && total > 0 && <RuleTable rules={list.data.rules} picked={Number(ruleId)} />}
      </section>
      {ruleId === undefined ? (
        <section className="panel">
          <p className="empty">{t("rule.pick")}</p>
        </section>
      ) : (
        <RuleDetail key={ruleId} id={Number(ruleId)} />
      )}
    </div>
  );
}

interface PagesProps {
  page: number;
  total: number;
  onPage: (page: number) => void;
}

function Pages({ page, total, onPage }: PagesProps) {
  const { t } = useTranslation();
  const last = Math.max(0, Math.ceil(total / PAGE) - 1);
  const first = Math.min(total, page * PAGE + 1);
  return (
    <>
      <output className="secondary">
        {t("rule.shown", { first, last: Math.min(total, (page + 1) * PAGE), total })}
      </output>
      {last > 0 && (
        <fieldset className="toggles" aria-label={t("rule.pages")}>
          <button
            type="button"
            className="button"
            disabled={page === 0}
            aria-label={t("rule.before")}
            onClick={() => onPage(page - 1)}
          >
            ‹
          </button>
          <button
            type="button"
            className="button"
            disabled={page >= last}
            aria-label={t("rule.after")}
            onClick={() => onPage(page + 1)}
          >
            ›
          </button>
        </fieldset>
      )}
    </>
  );
}
