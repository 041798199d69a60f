import { useTranslation } from "react-i18next";

interface Props {
  failed: boolean;
  retry: () => void;
}

export function LoadState({ failed, retry }: Props) {
  const { t } = useTranslation();
  if (!failed) return <p className="empty">{t("error.loading")}</p>;
  return (
    <div className="empty" role="alert">
      <p>{t("error.failed")}</p>
      <button type="button" className="button" onClick={retry}>
        {t("error.retry")}
      </button>
    </div>
  );
}
