import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { sessionQuery } from "../api/queries";
import type { RuleDetail } from "../api/types";
import { Dialog } from "../shell/Dialog";
import { useProposal } from "./commands";
import { contentOf } from "./content";
import { ReasonForm } from "./ReasonForm";

/** What can be proposed about a rule by this person; a proposal changes nothing before somebody else agrees. */
export function RuleActions({ rule }: { rule: RuleDetail }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const { data: session } = useQuery(sessionQuery);
  const proposal = useProposal(rule);
  const may = session?.permissions.includes("change_rules") ?? false;
  const close = () => {
    setAsking(false);
    proposal.reset();
  };
  const words = rule.on ? t("rule.switchOff") : t("rule.switchOn");
  return (
    <>
      <div className="actions">
        <Link className="button primary" to={`/rules/${rule.id}/tune`}>
          {may ? t("rule.tune") : t("rule.look")}
        </Link>
        {may && (
          <button type="button" className="button" onClick={() => setAsking(true)}>
            {words}
          </button>
        )}
      </div>
      <Dialog opened={asking} onClose={close} title={words}>
        <p className="secondary">{t("rule.secondReview")}</p>
        <ReasonForm
          words={t("rule.sendToReview")}
          label={t("rule.reason")}
          error={proposal.error}
          pending={proposal.isPending}
          onClose={close}
          onSubmit={(reason) =>
            proposal.mutate(
              { definition: rule.on ? null : contentOf(rule.definition), reason },
              { onSuccess: (change) => void navigate(`/rule-changes/${change.id}`) },
            )
          }
        />
      </Dialog>
    </>
  );
}
