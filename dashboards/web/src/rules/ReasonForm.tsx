import { Textarea } from "@mantine/core";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { problemWords } from "../shell/problems";

interface Props {
  /** On the button that does it. */
  words: string;
  label: string;
  /** What the server refused; null: nothing yet. */
  error: Error | null;
  pending: boolean;
  onClose: () => void;
  onSubmit: (reason: string) => void;
  optional?: boolean;
}

/** Asks for the words that everybody reads later: why. */
export function ReasonForm({ words, label, error, pending, onClose, onSubmit, optional = false }: Props) {
  const { t } = useTranslation();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSubmit(String(new FormData(event.currentTarget).get("reason") ?? "").trim());
  };
  return (
    <form className="form" onSubmit={submit}>
      <Textarea name="reason" label={label} required={!optional} maxLength={2000} rows={3} data-autofocus />
      {error && (
        <p className="refusal" role="alert">
          {problemWords(error, t)}
        </p>
      )}
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          {t("order.keep")}
        </button>
        <button type="submit" className="button primary" disabled={pending}>
          {words}
        </button>
      </div>
    </form>
  );
}
