import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { sessionQuery } from "../api/queries";
import type { RuleChange, Session } from "../api/types";
import { Dialog } from "../shell/Dialog";
import { type Review, useReview } from "./commands";
import { ReasonForm } from "./ReasonForm";

/** Approve, reject or take back; what this person may not do says why. */
export function ReviewActions({ change }: { change: RuleChange }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<Review | null>(null);
  const { data: session } = useQuery(sessionQuery);
  const review = useReview(change);
  if (change.state !== "proposed") return null;
  const close = () => {
    setAsking(null);
    review.reset();
  };
  const own = session?.account.name === change.author;
  const hindrance = hindranceOf(session, own);
  return (
    <>
      <div className="actions">
        <button
          type="button"
          className="button primary"
          disabled={hindrance !== null}
          onClick={() => setAsking("approve")}
        >
          {t("rule.review.approve")}
        </button>
        <button
          type="button"
          className="button"
          disabled={hindrance !== null}
          onClick={() => setAsking("reject")}
        >
          {t("rule.review.reject")}
        </button>
        {own && (
          <button type="button" className="button" onClick={() => setAsking("withdraw")}>
            {t("rule.review.withdraw")}
          </button>
        )}
      </div>
      {hindrance && <p className="secondary">{t(`rule.hindrance.${hindrance}`)}</p>}
      <Dialog
        opened={asking !== null}
        onClose={close}
        title={asking && `${t(`rule.review.${asking}`)} · ${change.id}`}
      >
        {asking && (
          <ReasonForm
            words={t(`rule.review.${asking}`)}
            label={t("rule.change.comment")}
            optional={asking === "withdraw"}
            error={review.error}
            pending={review.isPending}
            onClose={close}
            onSubmit={(comment) => review.mutate({ review: asking, comment }, { onSuccess: close })}
          />
        )}
      </Dialog>
    </>
  );
}

/** Return why this person may not review; null: they may. */
function hindranceOf(session: Session | null | undefined, own: boolean): "own" | "role" | null {
  if (own) return "own";
  return session?.permissions.includes("approve_rules") ? null : "role";
}
