import { useQuery } from "@tanstack/react-query";
import { facilityQuery } from "../api/queries";
import { type Language, useLanguage } from "../i18n";
import { millis } from "../live/sorting";

export interface TimeFormats {
  /** `14:03:09` */
  time: (at: string | number) => string;
  /** `14:03:09` today, `21 Nov 14:03` on another day. */
  moment: (at: string | number) => string;
  /** `Sun 22 Nov` */
  day: (at: string | number) => string;
  /** `22 Nov` */
  date: (at: string | number) => string;
  /** How far the site's clock stands before UTC at an instant, in milliseconds. */
  offsetMs: (at: number) => number;
}

const toMillis = (at: string | number) => (typeof at === "number" ? at : millis(at));

/** Return formats in the site's own time zone, wherever the browser stands. */
export function timeFormats(language: Language, timeZone: string): TimeFormats {
  const locale = language === "zh" ? "zh-CN" : "en-GB";
  const clock = {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZone,
  } as const;
  const time = new Intl.DateTimeFormat(locale, clock);
  const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", timeZone });
  const other = new Intl.DateTimeFormat(locale, {
    ...{ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    timeZone,
  } as Intl.DateTimeFormatOptions);
  const date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
  return {
    time: (at) => time.format(toMillis(at)),
    moment: (at) =>
      day.format(toMillis(at)) === day.format(Date.now())
        ? time.format(toMillis(at))
        : other.format(toMillis(at)),
    day: (at) => day.format(toMillis(at)),
    date: (at) => date.format(toMillis(at)),
    offsetMs: offsetIn(timeZone),
  };
}

/** Clocks are put forward and back at a quarter of an hour, wherever they are. */
const QUARTER_MS = 900_000;

function offsetIn(timeZone: string): (at: number) => number {
  const parts = new Intl.DateTimeFormat("en-US", {
    ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" },
    hourCycle: "h23",
    timeZone,
  } as Intl.DateTimeFormatOptions);
  const known = new Map<number, number>();
  return (at) => {
    const quarter = Math.floor(at / QUARTER_MS) * QUARTER_MS;
    let offset = known.get(quarter);
    if (offset === undefined) {
      const part = Object.fromEntries(
        parts.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]),
      );
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
      offset = Date.UTC(year, month - 1, day, hour, minute) - quarter;
      known.set(quarter, offset);
    }
    return offset;
  };
}

/** By language and time zone: to make formats takes longer than to draw the row that they are for. */
const made = new Map<string, TimeFormats>();

export function useTimes(): TimeFormats {
  const language = useLanguage();
  const { data: facility } = useQuery(facilityQuery);
  const zone = facility?.time_zone ?? "UTC";
  const key = `${language} ${zone}`;
  const times = made.get(key) ?? timeFormats(language, zone);
  made.set(key, times);
  return times;
}

/** Return how many decimals mean something to an operator for a value of this size. */
function decimalsOf(value: number): number {
  const size = Math.abs(value);
  if (size >= 1_000) return 0;
  if (size >= 10) return 1;
  return size >= 1 ? 2 : 3;
}

/** Return a live number with a steady number of decimals, so that its digits do not jump. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(decimalsOf(value));
}

/** Return a value with its unit, `92.4 °C`. */
export function formatQuantity(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return "";
  return unit ? `${formatNumber(value)}\u202f${unit}` : formatNumber(value);
}

/** Return a number as somebody wrote it, without what floating point adds. */
export const exactNumber = (value: number): string => String(Number(value.toPrecision(12)));

/** Return a value that somebody wrote with its unit, `80.25 °C`. */
export const exactQuantity = (value: number, unit: string): string =>
  unit ? `${exactNumber(value)}\u202f${unit}` : exactNumber(value);
