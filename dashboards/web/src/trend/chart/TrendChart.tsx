import { useComputedColorScheme } from "@mantine/core";
import { useReducedMotion } from "@mantine/hooks";
import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { useTranslation } from "react-i18next";
import type { Point } from "../../api/types";
import { useLanguage } from "../../i18n";
import { FLUSH_MS } from "../../live/store";
import { useTimes } from "../../text/format";
import type { TrackLoader } from "../data/trackLoader";
import type { ViewKeeper } from "../data/viewKeeper";
import { type AxisPlan, planAxes } from "./axes";
import type { Cursor } from "./cursor";
import { xOf } from "./geometry";
import { actOnKey, attachGestures } from "./gestures";
import { LimitLayer } from "./LimitLayer";
import type { LimitLine } from "./limits";
import { lookOf } from "./look";
import { MarkLayer, type Marks } from "./MarkLayer";
import { Plot } from "./plot";

interface Props {
  /** What the chart shows, for those who do not see it. */
  label: string;
  points: readonly Point[];
  loader: TrackLoader;
  keeper: ViewKeeper;
  cursor: Cursor;
  limits: readonly LimitLine[];
  onLimitChange?: (id: string, value: number) => void;
  onLimitCommit?: (id: string, value: number) => void;
  /** Something else above the plot, in step with it; undefined: nothing. */
  above?: ((plot: Plot) => ReactNode) | undefined;
  /** Undefined: no strip of marks above the plot. */
  marks?: Marks | undefined;
  onAlarm?: (id: number) => void;
  onOrder?: (id: number) => void;
  /** CSS pixels; undefined: all the room there is. */
  height?: number;
  /** Whether the wheel zooms; a small chart leaves it to the page. */
  wheel: boolean;
}

/** Who asked for less motion sees the picture move once a second. */
const CALM_MS = 1_000;

/**
 * A chart of several points over time, live, with layers above it: limits and marks.
 *
 * What moves often stays outside React: the view in its keeper, samples in the loader, the pointer in the cursor.
 */
export function TrendChart(props: Props) {
  const { label, points, loader, keeper, cursor, limits, marks } = props;
  const { t } = useTranslation();
  const axes = useMemo(() => planAxes(points), [points]);
  const axisOf = (point: number) => axisOfPoint(axes, points, point);
  const { place, plot } = usePlot(props, axes);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    if (actOnKey(event.key, event.shiftKey, keeper, cursor)) event.preventDefault();
  };
  return (
    <section
      className="trend-chart"
      aria-label={label}
      aria-description={t("trend.keys")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the chart is moved by keyboard; its description says how
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      {plot && props.above?.(plot)}
      {marks && plot && (
        <MarkLayer
          plot={plot}
          keeper={keeper}
          marks={marks}
          onAlarm={(id) => props.onAlarm?.(id)}
          onOrder={(id) => props.onOrder?.(id)}
        />
      )}
      <div
        ref={place}
        className="trend-place"
        style={props.height === undefined ? undefined : { height: props.height, flex: "none" }}
      >
        {plot && (
          <>
            <Surface plot={plot} loader={loader} keeper={keeper} cursor={cursor} wheel={props.wheel} />
            <LimitLayer
              plot={plot}
              limits={limits}
              axisOf={axisOf}
              onChange={props.onLimitChange}
              onCommit={props.onLimitCommit}
            />
          </>
        )}
      </div>
    </section>
  );
}

function axisOfPoint(axes: readonly AxisPlan[], points: readonly Point[], key: number): string {
  const index = points.findIndex((point) => point.key === key);
  return axes.find((axis) => axis.members.includes(index))?.id ?? "";
}

/** Build the plot when what it is made of changes, and let it follow what moves. */
function usePlot({ points, loader, keeper, limits }: Props, axes: readonly AxisPlan[]) {
  const { t } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  const [plot, setPlot] = useState<Plot | null>(null);
  const times = useTimes();
  const language = useLanguage();
  const scheme = useComputedColorScheme("light");
  const calm = useReducedMotion();
  const newest = useRef(limits);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the canvas takes its colours from the theme, so it is drawn anew
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const held = (axis: string) =>
      newest.current
        .filter((limit) => axisOfPoint(axes, points, limit.point) === axis)
        .map(({ value }) => value);
    const lines = points.map((point, index) => ({ point, look: lookOf(index) }));
    const doubtWords = {
      uncertain: t("trend.doubt.uncertain"),
      bad: t("trend.doubt.bad"),
      silent: t("trend.doubt.silent"),
    };
    const built = new Plot({ element, lines, axes, loader, keeper, times, language, doubtWords, held });
    setPlot(built);
    const look = () => {
      loader.want(keeper.view, built.geometry.box.width);
      built.requestDraw();
    };
    const stops = [keeper.subscribe(look), loader.subscribe(() => built.requestDraw())];
    const timer = setInterval(() => document.hidden || keeper.tick(), calm ? CALM_MS : FLUSH_MS);
    const resize = new ResizeObserver(() => {
      built.resize();
      look();
    });
    resize.observe(element);
    return () => {
      for (const stop of stops) stop();
      clearInterval(timer);
      resize.disconnect();
      built.destroy();
      setPlot(null);
    };
  }, [points, axes, loader, keeper, times, language, scheme, calm, t]);
  useEffect(() => {
    newest.current = limits;
    plot?.draw();
  }, [plot, limits]);
  return { place, plot };
}

interface SurfaceProps {
  plot: Plot;
  loader: TrackLoader;
  keeper: ViewKeeper;
  cursor: Cursor;
  wheel: boolean;
}

/** What hands touch: above the canvas, below limits and marks. */
function Surface({ plot, keeper, cursor, wheel }: SurfaceProps) {
  const { box } = useSyncExternalStore(plot.subscribe, () => plot.geometry);
  const surface = useRef<HTMLDivElement>(null);
  const selection = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!surface.current || !selection.current) return;
    return attachGestures(surface.current, { keeper, cursor, selection: selection.current, wheel });
  }, [keeper, cursor, wheel]);
  return (
    <div ref={surface} className="trend-surface" style={box}>
      <div ref={selection} className="trend-selection" hidden />
      <CursorLine keeper={keeper} cursor={cursor} width={box.width} />
    </div>
  );
}

function CursorLine({ keeper, cursor, width }: Pick<SurfaceProps, "keeper" | "cursor"> & { width: number }) {
  const at = useSyncExternalStore(cursor.subscribe, () => cursor.atMs);
  const view = useSyncExternalStore(keeper.subscribe, () => keeper.view);
  if (at === null || at < view.fromMs || at > view.toMs) return null;
  return <div className="trend-cursor" style={{ transform: `translateX(${xOf(at, view, width)}px)` }} />;
}
