import { useTranslation } from "react-i18next";
import type { GatewayConnection } from "../api/types";
import { millis } from "../live/sorting";
import { ageOf } from "../text/age";

/** Whether a connection or device is up, in a word; one that is down is framed. */
export function StateMark({ state }: { state: GatewayConnection["state"] }) {
  const { t } = useTranslation();
  return (
    <span className="connection-state" data-state={state}>
      {t(`gateway.${state}`)}
    </span>
  );
}

/** How long ago the last good sample came. */
export function LastGood({ at, now }: { at: string | null; now: string }) {
  const { t } = useTranslation();
  if (!at) return t("gateway.never");
  const { unit, n } = ageOf(millis(now) - millis(at));
  return t("gateway.ago", { age: t(`age.${unit}`, { n }) });
}
