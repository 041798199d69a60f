import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, useLocation } from "react-router";
import { PriorityMark } from "../alarms/PriorityMark";
import { facilityQuery } from "../api/queries";
import { PRIORITIES } from "../api/types";
import { useLocal } from "../i18n";
import { useLiveStatus, useLiveView } from "../live/live";
import { millis } from "../live/sorting";
import { SoundControl } from "../sound/SoundControl";
import { useTimes } from "../text/format";
import { LanguageSwitch, ThemeSwitch, WhoAmI } from "./Preferences";

export function Header() {
  return (
    <header className="top">
      <Site />
      <Tabs />
      <span className="space" />
      <FloodHint />
      <AlarmCounts />
      <LiveState />
      <Clock />
      <div className="controls">
        <SoundControl />
        <ThemeSwitch />
        <LanguageSwitch />
        <WhoAmI />
      </div>
    </header>
  );
}

function Site() {
  const { t } = useTranslation();
  const local = useLocal();
  const { data: facility } = useQuery(facilityQuery);
  const name = facility ? local(facility.name) : t("app.name");
  useEffect(() => {
    document.title = `${name} · ${t("app.name")}`;
  }, [name, t]);
  return (
    <div className="site" title={name}>
      <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.3" aria-hidden="true">
        <path d="M1 8S3.500 3.500 8 3.500 15 8 15 8 12.500 12.500 8 12.500 1 8 1 8z" />
        <circle cx="8" cy="8" r="2" fill="currentColor" />
      </svg>
      <span>{name}</span>
    </div>
  );
}

/** Pages that are reached by way of the rules. */
const ABOUT_RULES = /^\/rule(s|-changes)(\/|$)/;

function Tabs() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  return (
    <nav className="tabs" aria-label={t("nav.label")}>
      <NavLink to="/alarms">{t("nav.alarms")}</NavLink>
      <NavLink to="/overview">{t("nav.overview")}</NavLink>
      <NavLink to="/work-orders">{t("nav.orders")}</NavLink>
      <NavLink to="/trend">{t("nav.trend")}</NavLink>
      <Link to="/rules" aria-current={ABOUT_RULES.test(pathname) ? "page" : undefined}>
        {t("nav.rules")}
      </Link>
      <NavLink to="/gateway">{t("nav.gateway")}</NavLink>
    </nav>
  );
}

function AlarmCounts() {
  const { t } = useTranslation();
  const { counts } = useLiveView();
  return (
    <nav className="counts" aria-label={t("alarm.counts")}>
      {PRIORITIES.map((priority) => {
        const { open, unacknowledged } = counts[priority];
        const words = `${t("priority.label", { priority })}: ${t("alarm.count", { open, unacknowledged })}`;
        return (
          <Link
            key={priority}
            className="count"
            to={`/alarms?priority=${priority}`}
            title={words}
            aria-label={words}
          >
            <PriorityMark priority={priority} look={look(open, unacknowledged)} />
            <b>{open}</b>
            <span className="secondary">{unacknowledged > 0 ? `${unacknowledged}!` : ""}</span>
          </Link>
        );
      })}
    </nav>
  );
}

const look = (open: number, unacknowledged: number) => {
  if (open === 0) return "none";
  return unacknowledged > 0 ? "unacknowledged" : "acknowledged";
};

/** More than one person can answer, after ISA-18.2: ten alarms in ten minutes. */
const FLOOD_ALARMS = 10;
const FLOOD_MS = 600_000;

function FloodHint() {
  const { t } = useTranslation();
  const { alarms } = useLiveView();
  const { clockOffsetMs } = useLiveStatus();
  const since = Date.now() + clockOffsetMs - FLOOD_MS;
  const count = alarms.reduce((sum, alarm) => sum + Number(millis(alarm.raised_at) >= since), 0);
  return count > FLOOD_ALARMS ? <span className="flood">{t("alarm.flood", { count })}</span> : null;
}

function LiveState() {
  const { t } = useTranslation();
  const { state } = useLiveStatus();
  return (
    <span className="live" data-state={state} title={t("live.hint")}>
      {t(`live.${state}`)}
    </span>
  );
}

function Clock() {
  const times = useTimes();
  const { clockOffsetMs } = useLiveStatus();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="clock">
      <b>{times.time(now + clockOffsetMs)}</b>
      <span>{times.day(now + clockOffsetMs)}</span>
    </div>
  );
}
