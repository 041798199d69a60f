import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Outlet, useLocation } from "react-router";
import { sessionQuery } from "../api/queries";
import { liveChannel, liveStore, useLiveStatus } from "../live/live";
import { IsolatedBanner } from "../rules/IsolatedBanner";
import { LogInPage } from "../session/LogInPage";
import { SoundBanner } from "../sound/SoundBanner";
import { useTimes } from "../text/format";
import { Header } from "./Header";
import { KeyboardHelp } from "./KeyboardHelp";
import { LoadState } from "./LoadState";

/** Everything inside needs a session; without one there is only the log-in page. */
export function Frame() {
  const session = useQuery(sessionQuery);
  if (session.isPending || session.isError) {
    return <LoadState failed={session.isError} retry={() => void session.refetch()} />;
  }
  return session.data ? <LiveFrame /> : <LogInPage />;
}

/** Pages that scroll in their own parts rather than as a whole. */
const FILLING = ["/alarms", "/work-orders", "/equipment", "/trend", "/rules", "/rule-changes"];

function LiveFrame() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  useEffect(() => {
    liveChannel.start();
    return () => {
      liveChannel.stop();
      liveStore.clear();
    };
  }, []);
  const fills = FILLING.some((path) => pathname.startsWith(path));
  return (
    <div className="frame">
      <a className="skip button" href="#content">
        {t("app.skip")}
      </a>
      <div>
        <Header />
        <SoundBanner />
        <IsolatedBanner />
      </div>
      <main id="content" className={fills ? "content fills" : "content"} tabIndex={-1}>
        <Outlet />
        <Veil />
      </main>
      <KeyboardHelp />
    </div>
  );
}

function Veil() {
  const { t } = useTranslation();
  const times = useTimes();
  const { state, heardAt } = useLiveStatus();
  return (
    <div role="status">
      {state === "stale" && heardAt !== null && (
        <div className="veil hatched">
          <p>{t("live.veil", { time: times.time(heardAt) })}</p>
        </div>
      )}
    </div>
  );
}
