import { useCallback } from "react";
import { useTranslation } from "react-i18next";
import { ageOf } from "../text/age";

/** Return a function that says how long something lasted, in its largest unit. */
export function useDuration(): (ms: number) => string {
  const { t } = useTranslation();
  return useCallback(
    (ms) => {
      const { n, unit } = ageOf(ms);
      return t(`age.${unit}`, { n });
    },
    [t],
  );
}
