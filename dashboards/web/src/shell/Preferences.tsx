import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, data } from "../api/client";
import { queryClient, SESSION_KEY, sessionQuery } from "../api/queries";
import { switchLanguage, useLanguage } from "../i18n";
import { tellProblem } from "./problems";

export function LanguageSwitch() {
  const { t } = useTranslation();
  const language = useLanguage();
  const other = language === "en" ? "zh" : "en";
  return (
    <button
      type="button"
      className="button plain"
      lang={other === "zh" ? "zh-Hans" : "en"}
      title={t("app.languageLabel")}
      onClick={() => switchLanguage(other)}
    >
      {t("app.language")}
    </button>
  );
}

export function ThemeSwitch() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const words = scheme === "dark" ? t("theme.toLight") : t("theme.toDark");
  return (
    <button
      type="button"
      className="button plain"
      aria-label={words}
      title={words}
      onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.500" />
        <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
      </svg>
    </button>
  );
}

export function WhoAmI() {
  const { t } = useTranslation();
  const { data: session } = useQuery(sessionQuery);
  const leave = useMutation({
    mutationFn: () => data(api.DELETE("/api/session")),
    onSuccess: () => {
      queryClient.clear();
      queryClient.setQueryData(SESSION_KEY, null);
    },
    onError: (error) => tellProblem(error, t),
  });
  if (!session) return null;
  return (
    <>
      <div className="who ellipsis">
        {session.account.name}
        <span className="secondary">{t(`role.${session.account.role}`)}</span>
      </div>
      <button type="button" className="button plain" onClick={() => leave.mutate()}>
        {t("session.logOut")}
      </button>
    </>
  );
}
