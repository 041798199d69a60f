import { Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { sessionQuery } from "../api/queries";
import type { Alarm } from "../api/types";
import { useLocal } from "../i18n";
import { liveStore } from "../live/live";
import { Dialog } from "../shell/Dialog";
import { tellProblem } from "../shell/problems";
import { acknowledge } from "./acknowledge";
import { lookOf, PriorityMark } from "./PriorityMark";

const LISTED_MAX = 6;

interface Props {
  /** As the person saw them when they asked; empty: closed. */
  alarms: readonly Alarm[];
  onClose: () => void;
  onDone: () => void;
}

export function AcknowledgeDialog({ alarms, onClose, onDone }: Props) {
  const { t } = useTranslation();
  return (
    <Dialog
      opened={alarms.length > 0}
      onClose={onClose}
      title={t("acknowledge.title", { count: alarms.length })}
    >
      {alarms.length > 0 && <AcknowledgeForm alarms={alarms} onClose={onClose} onDone={onDone} />}
    </Dialog>
  );
}

function AcknowledgeForm({ alarms, onClose, onDone }: Props) {
  const { t } = useTranslation();
  const local = useLocal();
  const { data: session } = useQuery(sessionQuery);
  const [comment, setComment] = useState("");
  const required = alarms.some((alarm) => alarm.priority === 1);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const name = session?.account.name ?? "";
    for (const alarm of alarms) {
      acknowledge(liveStore, alarm, name, comment.trim()).catch((error: unknown) =>
        tellProblem(error, t, t("acknowledge.failed", { title: local(alarm.title) })),
      );
    }
    onDone();
  };
  const submitOnEnter = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <form className="form" onSubmit={submit}>
      <ul className="brief-alarms">
        {alarms.slice(0, LISTED_MAX).map((alarm) => (
          <li key={alarm.id}>
            <PriorityMark priority={alarm.priority} look={lookOf(alarm)} />
            <span className="ellipsis">
              {local(alarm.asset_name)} · {local(alarm.title)}
            </span>
          </li>
        ))}
        {alarms.length > LISTED_MAX && (
          <li className="secondary">{t("acknowledge.more", { count: alarms.length - LISTED_MAX })}</li>
        )}
      </ul>
      <Textarea
        label={t("acknowledge.comment")}
        description={required ? t("acknowledge.required") : t("acknowledge.optional")}
        required={required}
        maxLength={2000}
        minRows={2}
        data-autofocus
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
        onKeyDown={submitOnEnter}
      />
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          {t("acknowledge.cancel")}
        </button>
        <button type="submit" className="button primary">
          {t("acknowledge.submit")}
        </button>
      </div>
    </form>
  );
}
