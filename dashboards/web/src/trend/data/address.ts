import type { Asset, Point } from "../../api/types";
import { lastOf, stretch, type View } from "./view";

export const MOST_POINTS = 8;
export const DEFAULT_SPAN_MS = 3_600_000;

/** A point with the asset it belongs to. */
export interface ShownPoint {
  asset: Asset;
  point: Point;
}

/** `pump-1/flow`: stays the same when a site is imported anew, and people can read it. */
export const addressOf = ({ asset, point }: ShownPoint): string => `${asset.id}/${point.name}`;

/** What the address of the page says. */
export interface TrendAddress {
  points: readonly string[];
  /** A span that ends now, or two instants. */
  range: { lastMs: number } | { fromMs: number; toMs: number };
  /** Whose detail is open beside the chart; null: none. */
  alarm: number | null;
  /** Where the guide line lies, in the unit of the first quantity; null: there is none. */
  guide: number | null;
}

function guideFrom(text: string | null): number | null {
  const value = Number(text);
  return text && Number.isFinite(value) ? value : null;
}

const LAST = /^now-(\d+(?:\.\d+)?)$/;

/** Read the page's address; what cannot be read is left out, never refused. */
export function addressFrom(search: string): TrendAddress {
  const query = new URLSearchParams(search);
  const points = (query.get("points") ?? "").split(",").filter(Boolean);
  return {
    points: [...new Set(points)].slice(0, MOST_POINTS),
    range: rangeFrom(query),
    alarm: Number(query.get("alarm")) || null,
    guide: guideFrom(query.get("guide")),
  };
}

function rangeFrom(query: URLSearchParams): TrendAddress["range"] {
  const from = query.get("from") ?? "";
  const seconds = Number(LAST.exec(from)?.[1]);
  if (seconds > 0) return { lastMs: seconds * 1_000 };
  const [fromMs, toMs] = [Date.parse(from), Date.parse(query.get("to") ?? "")];
  return fromMs < toMs ? { fromMs, toMs } : { lastMs: DEFAULT_SPAN_MS };
}

/** Write the address, readable: neither a slash nor a comma needs an escape in a query. */
export function searchOf({ points, range, alarm, guide }: TrendAddress): string {
  const shown = points.map((one) => one.split("/").map(encodeURIComponent).join("/")).join(",");
  const time =
    "lastMs" in range
      ? `from=now-${seconds(range.lastMs)}&to=now`
      : `from=${instant(range.fromMs)}&to=${instant(range.toMs)}`;
  const parts = [
    shown ? `points=${shown}` : null,
    time,
    alarm === null ? null : `alarm=${alarm}`,
    guide === null ? null : `guide=${guide}`,
  ];
  return `?${parts.filter((part) => part !== null).join("&")}`;
}

const seconds = (ms: number) => Number((ms / 1_000).toFixed(3));
const instant = (ms: number) => new Date(Math.round(ms)).toISOString();

/** Return the way to the page with one point, live. */
export function linkTo(assetId: string, pointName: string): string {
  const range = { lastMs: DEFAULT_SPAN_MS };
  return `/trend${searchOf({ points: [`${assetId}/${pointName}`], range, alarm: null, guide: null })}`;
}

/** Around an alarm so much is shown at least, on both sides. */
const AROUND_MS = 900_000;
const AROUND_SHARE = 0.25;

/** Return the way to the page with an alarm's point around its time, its detail open. */
export function linkToAlarm(
  assetId: string,
  pointName: string,
  alarm: number,
  raisedMs: number,
  clearedMs: number,
): string {
  const room = Math.max(AROUND_MS, (clearedMs - raisedMs) * AROUND_SHARE);
  const range = { fromMs: raisedMs - room, toMs: clearedMs + room };
  return `/trend${searchOf({ points: [`${assetId}/${pointName}`], range, alarm, guide: null })}`;
}

export function viewFrom(range: TrendAddress["range"], nowMs: number): View {
  return "lastMs" in range ? lastOf(range.lastMs, nowMs) : stretch(range.fromMs, range.toMs, nowMs);
}

export function rangeOf(view: View): TrendAddress["range"] {
  const { fromMs, toMs, live } = view;
  return live ? { lastMs: toMs - fromMs } : { fromMs, toMs };
}

/** Return the points that the address names, in its order; those that the site does not have are told apart. */
export function resolve(
  addresses: readonly string[],
  assets: readonly Asset[],
): { shown: ShownPoint[]; unknown: string[] } {
  const shown: ShownPoint[] = [];
  const unknown: string[] = [];
  for (const address of addresses) {
    const [assetId, name] = address.split("/");
    const asset = assets.find((one) => one.id === assetId);
    const point = asset?.points.find((one) => one.name === name);
    if (asset && point) shown.push({ asset, point });
    else unknown.push(address);
  }
  return { shown, unknown };
}
