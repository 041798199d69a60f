import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { sessionQuery } from "../api/queries";
import type { RuleDetail, RuleHistoryEntry } from "../api/types";
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
  const first = firstOf(rule);
  return (
    <>
      <ol className="journal">
        {rule.history.toReversed().map((entry) => (
          <Entry
            key={`${entry.change.id} ${entry.revision.number}`}
            entry={entry}
            onRollBack={entry.revision.number === null ? undefined : wayBackTo(entry.revision.number)}
          />
        ))}
        {first !== undefined && (
          <li>
            <span />
            <div>
              {t("rule.revision", { number: first })} · {t("rule.first")}
              <RollBackButton onRollBack={wayBackTo(first)} />
            </div>
          </li>
        )}
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

function Entry({ entry, onRollBack }: { entry: RuleHistoryEntry; onRollBack: (() => void) | undefined }) {
  const { t } = useTranslation();
  const times = useTimes();
  const { change, revision } = entry;
  const at = change.decided_at ?? change.proposed_at;
  return (
    <li>
      <time dateTime={at} className="secondary">
        {times.moment(at)}
      </time>
      <div>
        <Link className="link" to={`/rule-changes/${change.id}`}>
          {t("rule.revision", { number: revision.number })}
        </Link>
        {" · "}
        {t(`rule.source.${change.source}`)} · {change.author}
        {change.reviewer && ` · ${t("rule.reviewedBy", { name: change.reviewer })}`}
        <q>{change.reason}</q>
        <Differences revision={revision} />
        <RollBackButton onRollBack={onRollBack} />
      </div>
    </li>
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

/** Return the number of the rule's first definition, which no change made; undefined where a change added the rule. */
function firstOf(rule: RuleDetail): number | undefined {
  const oldest = rule.history[0]?.revision.number ?? rule.revision + 1;
  return oldest > 1 ? oldest - 1 : undefined;
}
