import { notifications } from "@mantine/notifications";
import type { TFunction } from "i18next";
import { ProblemError } from "../api/client";

/** Return what went wrong in words: the server's own where it gave any. */
export function problemWords(error: unknown, t: TFunction): string {
  return error instanceof ProblemError ? error.message : t("error.unreachable");
}

/** Say that a command was not done, and why. */
export function tellProblem(error: unknown, t: TFunction, title: string = t("error.title")): void {
  notifications.show({
    title,
    message: problemWords(error, t),
    autoClose: 15_000,
    color: "var(--p2)",
    role: "alert",
    closeButtonProps: { "aria-label": t("detail.close") },
  });
}
