import { useTranslation } from "react-i18next";
import { Link } from "react-router";

export function LostPage() {
  const { t } = useTranslation();
  return (
    <div className="empty">
      <h1>{t("error.notFound")}</h1>
      <Link className="link" to="/alarms">
        {t("nav.alarms")}
      </Link>
    </div>
  );
}
