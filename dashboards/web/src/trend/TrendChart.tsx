import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import type { History, Limit, Point } from "../api/types";
import { useLanguage } from "../i18n";
import { liveStore } from "../live/live";
import { type TimeFormats, useTimes } from "../text/format";
import { append, forgetBefore, scaleOf, seriesFrom } from "./series";

interface Props {
  point: Point;
  history: History;
  limits: readonly Limit[];
  /** Seconds shown. */
  span: number;
  height: number;
  label: string;
}

/** Samples come faster than an eye sees a line move. */
const REDRAW_MS = 500;

export function TrendChart({ point, history, limits, span, height, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const times = useTimes();
  const language = useLanguage();
  const scheme = useComputedColorScheme("light");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the canvas takes its colours from the theme, so it is drawn anew
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const series = seriesFrom(history);
    const chart = new uPlot(
      options({ element, point, limits, span, height, times, language }),
      columns(series),
      element,
    );
    let changed = false;
    const forget = liveStore.subscribeValue(point.key, () => {
      const sample = liveStore.value(point.key);
      if (sample && append(series, sample)) changed = true;
    });
    const timer = setInterval(() => {
      if (!changed) return;
      changed = false;
      forgetBefore(series, (series.times.at(-1) ?? 0) - span);
      chart.setData(columns(series));
    }, REDRAW_MS);
    const resize = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      forget();
      clearInterval(timer);
      resize.disconnect();
      chart.destroy();
    };
  }, [point, history, limits, span, height, times, language, scheme]);
  return <div ref={place} role="img" aria-label={label} />;
}

const columns = (series: { times: number[]; values: (number | null)[] }): uPlot.AlignedData => [
  series.times,
  series.values,
];

interface Look {
  element: HTMLElement;
  point: Point;
  limits: readonly Limit[];
  span: number;
  height: number;
  times: TimeFormats;
  language: "en" | "zh";
}

function options({ element, point, limits, span, height, times, language }: Look): uPlot.Options {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const grid = { stroke: token("--line"), width: 0.25 };
  const axis: uPlot.Axis = { stroke: token("--secondary"), font, grid, ticks: { ...grid, size: 4 } };
  const levels = limits.map((limit) => limit.value);
  const stepped = point.kind === "binary" || point.kind === "multistate";
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_chart, _from, to) => [to - span, to] },
      y: { range: (_chart, lowest, highest) => scaleOf(lowest, highest, levels) },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 26,
        values: (_chart, splits) => splits.map((second) => times.time(second * 1000).slice(0, 5)),
      },
      { ...axis, size: stepped ? 84 : 52, ...(stepped ? stateAxis(point, language) : {}) },
    ],
    series: [
      {},
      {
        stroke: token("--text"),
        width: 1.25,
        points: { show: false },
        paths: (stepped
          ? uPlot.paths.stepped?.({ align: 1 })
          : uPlot.paths.linear?.()) as uPlot.Series.PathBuilder,
      },
    ],
    hooks: { draw: [(chart) => drawLimits(chart, limits, token, font)] },
  };
}

/** States are named where numbers would mean nothing. */
function stateAxis(point: Point, language: "en" | "zh"): Partial<uPlot.Axis> {
  const codes = Object.keys(point.states).map(Number);
  return {
    splits: () => codes,
    values: (_chart, splits) => splits.map((code) => point.states[String(code)]?.[language] ?? String(code)),
  };
}

function drawLimits(
  chart: uPlot,
  limits: readonly Limit[],
  token: (name: string) => string,
  font: string,
): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = font.replace("11px", `${11 * scale}px`);
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = scale;
  ctx.setLineDash([6 * scale, 4 * scale]);
  for (const limit of limits) {
    const y = Math.round(chart.valToPos(limit.value, "y", true));
    ctx.strokeStyle = ctx.fillStyle = token(`--p${limit.priority}`);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(`P${limit.priority}  ${limit.value}`, bbox.left + bbox.width - 4 * scale, y - 2 * scale);
  }
  ctx.restore();
}
