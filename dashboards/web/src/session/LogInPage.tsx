import { PasswordInput, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api, data, ProblemError } from "../api/client";
import { queryClient, SESSION_KEY } from "../api/queries";
import { LanguageSwitch, ThemeSwitch } from "../shell/Preferences";
import { problemWords } from "../shell/problems";

export function LogInPage() {
  const { t } = useTranslation();
  const enter = useMutation({
    mutationFn: (body: { login: string; password: string }) => data(api.POST("/api/session", { body })),
    onSuccess: (session) => queryClient.setQueryData(SESSION_KEY, session),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    enter.mutate({ login: String(form.get("login")), password: String(form.get("password")) });
  };
  const refused = enter.error instanceof ProblemError && enter.error.status === 401;
  return (
    <main className="entry">
      <div className="corner controls">
        <ThemeSwitch />
        <LanguageSwitch />
      </div>
      <form className="panel form" onSubmit={submit}>
        <h1 className="site">
          <img src="/watchkeeper.svg" width="24" height="24" alt="" />
          {t("app.name")}
        </h1>
        <TextInput name="login" label={t("session.login")} autoComplete="username" required autoFocus />
        <PasswordInput
          name="password"
          label={t("session.password")}
          autoComplete="current-password"
          required
          visibilityToggleButtonProps={{ "aria-hidden": true }}
        />
        {enter.isError && (
          <p className="refusal" role="alert">
            {refused ? t("session.wrong") : problemWords(enter.error, t)}
          </p>
        )}
        <button type="submit" className="button primary" disabled={enter.isPending}>
          {t("session.submit")}
        </button>
      </form>
    </main>
  );
}
