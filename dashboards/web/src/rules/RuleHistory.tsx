import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { sessionQuery } from "../api/queries";
import type { RuleChange, RuleDetail, RuleHistoryEntry } from "../api/types";
import { Dialog } from "../shell/Dialog";
import { useTimes } from "../text/format";
import { useRollBack } from "./commands";
import { Differences } from "./Differences";
import { ReasonForm } from "./ReasonForm";

/** Every definition that the rule ever had, the newest first; an earlier one can be made live again. */
export function RuleHistory({ rule }: { rule: RuleDetail }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<number | null>(null);
  const { data: session } = useQuery(sessionQuery);
  const rollBack = useRollBack(rule);
  const may = session?.permissions.includes("approve_rules") ?? false;
  const close = () => {
    setChosen(null);
    rollBack.reset();
  };
  const wayBackTo = (number: number) =>
    may && number !== rule.revision ? () => setChosen(number) : undefined;
  return (
    <>
      <ol className="journal">
        {rule.history.toReversed().map((entry) => (
          <Entry
            key={entry.revision.number}
            entry={entry}
            onRollBack={entry.revision.number === null ? undefined : wayBackTo(entry.revision.number)}
          />
        ))}
      </ol>
      <Dialog opened={chosen !== null} onClose={close} title={t("rule.rollBackTo", { number: chosen })}>
        <p className="secondary">{t("rule.atOnce")}</p>
        <ReasonForm
          words={t("rule.rollBack")}
          label={t("rule.reason")}
          error={rollBack.error}
          pending={rollBack.isPending}
          onClose={close}
          onSubmit={(reason) =>
            chosen !== null && rollBack.mutate({ to: chosen, reason }, { onSuccess: close })
          }
        />
      </Dialog>
    </>
  );
}

interface EntryProps {
  entry: RuleHistoryEntry;
  onRollBack: (() => void) | undefined;
}

function Entry({ entry, onRollBack }: EntryProps) {
  const times = useTimes();
  const { change, imported } = entry;
  const at = change?.decided_at ?? change?.proposed_at ?? imported?.at;
  return (
    <li>
      {at === undefined ? (
        <span />
      ) : (
        <time dateTime={at} className="secondary">
          {times.moment(at)}
        </time>
      )}
      <div>
        {change ? <Changed entry={entry} change={change} /> : <First entry={entry} />}
        <RollBackButton onRollBack={onRollBack} />
      </div>
    </li>
  );
}

function Changed({ entry, change }: Pick<EntryProps, "entry"> & { change: RuleChange }) {
  const { t } = useTranslation();
  return (
    <>
      <Link className="link" to={`/rule-changes/${change.id}`}>
        {t("rule.revision", { number: entry.revision.number })}
      </Link>
      {" · "}
      {t(`rule.source.${change.source}`)} · {change.author}
      {change.reviewer && ` · ${t("rule.reviewedBy", { name: change.reviewer })}`}
      <q>{change.reason}</q>
      <Differences revision={entry.revision} />
    </>
  );
}

/** What the rule was before any change, and who imported it as far as anybody knows. */
function First({ entry }: Pick<EntryProps, "entry">) {
  const { t } = useTranslation();
  const { imported } = entry;
  return (
    <>
      {t("rule.revision", { number: entry.revision.number })}
      {imported && ` · ${t("rule.source.site_file")} · ${imported.author}`}
      {imported?.reason && <q>{imported.reason}</q>}
      <p className="secondary">{t("rule.first")}</p>
    </>
  );
}

function RollBackButton({ onRollBack }: { onRollBack: (() => void) | undefined }) {
  const { t } = useTranslation();
  if (!onRollBack) return null;
  return (
    <button type="button" className="button" onClick={onRollBack}>
      {t("rule.rollBack")}
    </button>
  );
}
