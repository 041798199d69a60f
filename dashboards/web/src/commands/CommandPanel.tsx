import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { sessionQuery } from "../api/queries";
import type { Asset, Command, Point } from "../api/types";
import { useLanguage, useLocal } from "../i18n";
import { useLiveView } from "../live/live";
import { PointValue } from "../overview/PointValue";
import { Dialog } from "../shell/Dialog";
import { useTimes } from "../text/format";
import { wordsOf } from "../text/quality";
import { RecentCommands } from "./RecentCommands";
import { SetForm } from "./SetForm";
import { mayCommand } from "./sending";
import { TakeBackForm } from "./TakeBackForm";

/** What may be commanded of an asset: who holds it, and the way to set it and to take it back. */
export function CommandPanel({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const points = asset.points.filter((point) => point.commandable !== null);
  if (points.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="commands">
      <header>
        <h2 id="commands">{t("command.title")}</h2>
      </header>
      <div className="body commands">
        {points.map((point) => (
          <CommandedPoint key={point.key} point={point} />
        ))}
        <RecentCommands asset={asset} />
      </div>
    </section>
  );
}

function CommandedPoint({ point }: { point: Point }) {
  const { t } = useTranslation();
  const local = useLocal();
  const { commands } = useLiveView();
  const mine = commands.filter((command) => command.point_key === point.key);
  return (
    <div className="commanded">
      <div className="commanded-head">
        <b>{local(point.title)}</b>
        <span className="commanded-value">
          <PointValue point={point} />
        </span>
        <CommandButtons point={point} commands={mine} />
      </div>
      {mine.length === 0 && <p className="secondary">{t("command.nobody")}</p>}
      {mine.map((command) => (
        <Holding key={command.id} point={point} command={command} />
      ))}
    </div>
  );
}

type Asking = "set" | "takeBack" | null;

function CommandButtons({ point, commands }: { point: Point; commands: readonly Command[] }) {
  const { t } = useTranslation();
  const local = useLocal();
  const { data: session } = useQuery(sessionQuery);
  const [asking, setAsking] = useState<Asking>(null);
  const holder = commands.find((command) => command.state === "confirmed");
  const underWay = commands.some((command) => command.state !== "confirmed");
  const close = () => setAsking(null);
  const title = local(point.title);
  if (!mayCommand(session, point)) {
    const roles = point.commandable?.roles.map((role) => t(`role.${role}`)).join(", ");
    return <span className="secondary">{t("command.notYours", { roles })}</span>;
  }
  return (
    <>
      {holder && (
        <button type="button" className="button" disabled={underWay} onClick={() => setAsking("takeBack")}>
          {t("command.takeBack")}
        </button>
      )}
      <button type="button" className="button" disabled={underWay} onClick={() => setAsking("set")}>
        {t("command.set")}
      </button>
      <Dialog opened={asking === "set"} onClose={close} title={t("command.setTitle", { point: title })}>
        {asking === "set" && <SetForm point={point} holder={holder} onClose={close} />}
      </Dialog>
      <Dialog
        opened={asking === "takeBack" && holder !== undefined}
        onClose={close}
        title={t("command.takeBackTitle", { point: title })}
      >
        {asking === "takeBack" && holder && <TakeBackForm command={holder} onClose={close} />}
      </Dialog>
    </>
  );
}

function Holding({ point, command }: { point: Point; command: Command }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const { moment } = useTimes();
  const value = wordsOf(point, command.value, language);
  return (
    <>
      <p>
        <span className="command-state" data-state={command.state}>
          {t(`command.state.${command.state}`)}
        </span>{" "}
        {t("command.holds", { value, name: command.author, until: moment(command.expires_at) })}{" "}
        <q className="secondary">{command.reason}</q>
      </p>
      {command.detail !== null && <p className="refusal">{command.detail}</p>}
    </>
  );
}
