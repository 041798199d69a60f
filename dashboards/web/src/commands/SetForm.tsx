import { NativeSelect, Textarea, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Command, Point } from "../api/types";
import { useLocal } from "../i18n";
import { liveStore } from "../live/live";
import { ageOf } from "../text/age";
import { formatQuantity } from "../text/format";
import { CommandActions } from "./CommandActions";
import { holdsFor, RequestIdentity, useSetPoint } from "./sending";

interface Props {
  point: Point;
  /** Who holds the point; undefined: nobody. */
  holder: Command | undefined;
  onClose: () => void;
}

/** Which value, for how long and why; stays open until the device shows it, or says why it does not. */
export function SetForm({ point, holder, onClose }: Props) {
  const { t } = useTranslation();
  const [identity] = useState(() => new RequestIdentity());
  const [seen] = useState(holder?.id ?? null);
  const setPoint = useSetPoint(point, identity);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const asked = {
      value: Number(form.get("value")),
      hold_s: Number(form.get("hold")),
      reason: String(form.get("reason") ?? "").trim(),
      holder: seen,
    };
    setPoint.mutate(asked, { onSuccess: onClose });
  };
  const isNumber = point.commandable?.codes.length === 0;
  return (
    <form className="form" onSubmit={submit}>
      {isNumber ? <NumberChoice point={point} /> : <StateChoice point={point} />}
      <HoldChoice longest_s={point.commandable?.longest_s ?? 0} />
      <Textarea
        name="reason"
        label={t("command.reason")}
        description={t("command.reasonHint")}
        required
        maxLength={2000}
        rows={2}
      />
      <CommandActions
        words={t("command.submit")}
        pending={setPoint.isPending}
        error={setPoint.error}
        onClose={onClose}
      />
    </form>
  );
}

function NumberChoice({ point }: { point: Point }) {
  const { t } = useTranslation();
  const limits = point.commandable;
  const [low, high] = [formatQuantity(limits?.low, point.unit), formatQuantity(limits?.high, point.unit)];
  return (
    <TextInput
      name="value"
      type="number"
      label={point.unit ? `${t("command.value")} (${point.unit})` : t("command.value")}
      description={t("command.limits", { low, high })}
      min={limits?.low ?? undefined}
      max={limits?.high ?? undefined}
      step="any"
      required
      data-autofocus
    />
  );
}

function StateChoice({ point }: { point: Point }) {
  const { t } = useTranslation();
  const local = useLocal();
  const codes = point.commandable?.codes ?? [];
  const [now] = useState(() => liveStore.value(point.key)?.[1]);
  const choices = codes.map((code) => {
    const words = point.states[String(code)];
    return { value: String(code), label: words ? local(words) : String(code) };
  });
  const other = codes.find((code) => code !== now) ?? codes[0];
  return (
    <NativeSelect
      name="value"
      label={t("command.to")}
      data={choices}
      defaultValue={String(other)}
      data-autofocus
    />
  );
}

function HoldChoice({ longest_s }: { longest_s: number }) {
  const { t } = useTranslation();
  const choices = holdsFor(longest_s).map((seconds) => {
    const { n, unit } = ageOf(seconds * 1_000);
    return { value: String(seconds), label: t(`age.${unit}`, { n }) };
  });
  return <NativeSelect name="hold" label={t("command.hold")} data={choices} />;
}
