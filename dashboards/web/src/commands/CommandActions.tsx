import { useTranslation } from "react-i18next";
import { problemWords } from "../shell/problems";

interface Props {
  /** Of the button that sends. */
  words: string;
  pending: boolean;
  error: Error | null;
  onClose: () => void;
}

/** The end of a form that commands: what went wrong, and the buttons. */
export function CommandActions({ words, pending, error, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <>
      {error && (
        <p className="refusal" role="alert">
          {problemWords(error, t)}
        </p>
      )}
      <div className="actions">
        {pending && <output>{t("command.waiting")}</output>}
        <button type="button" className="button" onClick={onClose}>
          {t("command.cancel")}
        </button>
        <button type="submit" className="button primary" disabled={pending}>
          {words}
        </button>
      </div>
    </>
  );
}
