import { Textarea } from "@mantine/core";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Command } from "../api/types";
import { CommandActions } from "./CommandActions";
import { useTakeBack } from "./sending";

/** Why a command ends before its time. */
export function TakeBackForm({ command, onClose }: { command: Command; onClose: () => void }) {
  const { t } = useTranslation();
  const takeBack = useTakeBack(command);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    takeBack.mutate(reason, { onSuccess: onClose });
  };
  return (
    <form className="form" onSubmit={submit}>
      <Textarea
        name="reason"
        label={t("command.reason")}
        description={t("command.reasonHint")}
        required
        maxLength={2000}
        rows={2}
        data-autofocus
      />
      <CommandActions
        words={t("command.takeBackSubmit")}
        pending={takeBack.isPending}
        error={takeBack.error}
        onClose={onClose}
      />
    </form>
  );
}
