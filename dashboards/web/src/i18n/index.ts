import i18next from "i18next";
import { useCallback } from "react";
import { initReactI18next, useTranslation } from "react-i18next";
import type { LocalText } from "../api/types";
import { en } from "./en";
import { zh } from "./zh";

export type Language = "en" | "zh";

const STORED = "watchkeeper.language";

function firstLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === "en" || stored === "zh") return stored;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

export function switchLanguage(language: Language): void {
  localStorage.setItem(STORED, language);
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  void i18next.changeLanguage(language);
}

export function startTranslation(): void {
  void i18next.use(initReactI18next).init({
    resources: { en: { translation: en }, zh: { translation: zh } },
    lng: firstLanguage(),
    fallbackLng: "en",
    interpolation: { escapeValue: false },
  });
  switchLanguage(i18next.language as Language);
}

export function useLanguage(): Language {
  const { i18n } = useTranslation();
  return i18n.language === "zh" ? "zh" : "en";
}

/** Return a function that picks the reader's language of a text from the server. */
export function useLocal(): (text: LocalText) => string {
  const language = useLanguage();
  return useCallback((text: LocalText) => text[language], [language]);
}

/** Return a function that names a code from the server, in plain words when the console has no text for it. */
export function useNamed(): (prefix: "reason" | "transition", code: string) => string {
  const { t } = useTranslation();
  return useCallback(
    (prefix, code) => t(`${prefix}.${code}`, { defaultValue: code.replaceAll("_", " ") }),
    [t],
  );
}
