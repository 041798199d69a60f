import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { RuleContent, RuleDetail } from "../api/types";
import { useProposal } from "../rules/commands";
import { ReasonForm } from "../rules/ReasonForm";
import { Dialog } from "../shell/Dialog";

interface Props {
  /** As it was when the draft was begun. */
  rule: RuleDetail;
  draft: RuleContent;
  /** Whether the draft says anything else than the live rule. */
  changed: boolean;
}

/** Proposes the draft with a reason, and leads to the change that waits for a review. */
export function SendToReview({ rule, draft, changed }: Props) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const proposal = useProposal(rule);
  const close = () => {
    setAsking(false);
    proposal.reset();
  };
  return (
    <>
      <button
        type="button"
        className="button primary"
        disabled={!changed}
        title={changed ? undefined : t("tuning.unchanged")}
        onClick={() => setAsking(true)}
      >
        {t("tuning.send")}
      </button>
      <Dialog opened={asking} onClose={close} title={t("tuning.sendTitle")}>
        <p className="secondary">{t("rule.secondReview")}</p>
        <ReasonForm
          words={t("rule.sendToReview")}
          label={t("rule.reason")}
          error={proposal.error}
          pending={proposal.isPending}
          onClose={close}
          onSubmit={(reason) =>
            proposal.mutate(
              { definition: draft, reason },
              { onSuccess: (change) => void navigate(`/rule-changes/${change.id}`) },
            )
          }
        />
      </Dialog>
    </>
  );
}
