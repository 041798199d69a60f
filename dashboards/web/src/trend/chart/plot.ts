import uPlot from "uplot";
import type { TimeFormats } from "../../text/format";
import { extentOf } from "../data/track";
import { spanOf } from "../data/view";
import { type AxisPlan, scaleOf, stateScaleOf } from "./axes";
import { drawTracks, headOf } from "./drawTracks";
import { type Geometry, sameGeometry } from "./geometry";
import type { PlotParts } from "./plotParts";
import { TIME_STEPS, timeLabels, timeSplits } from "./timeAxis";

const TOP_PX = 20;
const SIDE_PX = 22;
/** On a narrow screen the outer axes leave no room for what they measure; the legend still has the values. */
const NARROW_PX = 560;
const NARROW_AXES = 2;
/** A picture that moved less than this looks the same. */
const LEAST_MOVE_PX = 0.5;

/** The canvas: uPlot keeps axes and scales, and the lines are drawn from columns of their own, each with its times. */
export class Plot {
  geometry: Geometry = { box: { left: 0, top: 0, width: 0, height: 0 }, scales: {} };
  #parts: PlotParts;
  #chart: uPlot;
  #frame = 0;
  /** While somebody drags a limit: a scale that made room for it would move under their hand. */
  #frozen = false;
  #drawn = { version: -1, fromMs: 0, toMs: 0 };
  #listeners = new Set<() => void>();

  constructor(parts: PlotParts) {
    this.#parts = parts;
    const { fromMs, toMs } = parts.keeper.view;
    this.#chart = new uPlot(this.#options(), [[fromMs, toMs]], parts.element);
    this.draw();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Draw at the next frame, once however often it is asked for, and only if something looks different. */
  requestDraw(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#looksDifferent()) this.draw();
    });
  }

  /** Draw now, whatever changed: a limit, a size, the theme. */
  draw(): void {
    const { keeper, loader } = this.#parts;
    const { fromMs, toMs } = keeper.view;
    this.#drawn = { version: loader.version, fromMs, toMs };
    this.#chart.batch(() => this.#chart.setScale("x", { min: fromMs, max: toMs }));
    this.#publish();
  }

  freezeScales(frozen: boolean): void {
    this.#frozen = frozen;
    if (!frozen) this.draw();
  }

  /** Take the size that the element has now. */
  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#parts.element;
    if (width === this.#chart.width && height === this.#chart.height) return;
    this.#chart.batch(() => this.#chart.setSize({ width, height }));
    this.draw();
  }

  /** Return where the plotting area's top lies on the screen, in CSS pixels. */
  top(): number {
    return this.#chart.over.getBoundingClientRect().top;
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    this.#chart.destroy();
  }

  #looksDifferent(): boolean {
    const { keeper, loader } = this.#parts;
    if (loader.version !== this.#drawn.version) return true;
    const perPixel = spanOf(keeper.view) / Math.max(1, this.geometry.box.width);
    const moved = Math.abs(keeper.view.toMs - this.#drawn.toMs);
    const stretched = Math.abs(keeper.view.fromMs - this.#drawn.fromMs);
    return Math.max(moved, stretched) >= perPixel * LEAST_MOVE_PX;
  }

  /** Tell the layers above where things are, if they are elsewhere than before. */
  #publish(): void {
    const { bbox, scales } = this.#chart;
    const ratio = devicePixelRatio;
    const geometry: Geometry = {
      box: {
        left: bbox.left / ratio,
        top: bbox.top / ratio,
        width: bbox.width / ratio,
        height: bbox.height / ratio,
      },
      scales: Object.fromEntries(
        this.#parts.axes.map(({ id }) => [id, [scales[id]?.min ?? 0, scales[id]?.max ?? 1] as const]),
      ),
    };
    if (sameGeometry(geometry, this.geometry)) return;
    this.geometry = geometry;
    for (const listener of this.#listeners) listener();
  }

  #options(): uPlot.Options {
    const { element, axes } = this.#parts;
    const { clientWidth: width, clientHeight: height } = element;
    const shown = width < NARROW_PX ? axes.slice(0, NARROW_AXES) : axes;
    const style = getComputedStyle(element);
    return {
      width,
      height,
      ms: 1,
      padding: [TOP_PX, hasSide(shown, "right") ? 0 : SIDE_PX, 0, hasSide(shown, "left") ? 0 : SIDE_PX],
      cursor: { show: false },
      legend: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false, range: (_chart, from, to) => [from, to] },
        ...Object.fromEntries(axes.map((axis) => [axis.id, { range: () => this.#scaleOf(axis) }])),
      },
      axes: [
        timeAxis(style, this.#parts.times),
        ...shown.map((axis, turn) => this.#valueAxis(axis, turn, style)),
      ],
      series: [{}],
      hooks: { draw: [(chart) => drawTracks(chart, shown, this.#parts)] },
    };
  }

  #scaleOf(axis: AxisPlan): [number, number] {
    const frozen = this.#frozen ? this.geometry.scales[axis.id] : undefined;
    if (frozen) return [...frozen];
    if (axis.states) return stateScaleOf(Object.keys(axis.states).map(Number));
    const { lines, loader, keeper, held } = this.#parts;
    const extents = axis.members.map((index) => {
      const track = loader.track(lines[index]?.point.key ?? 0);
      return track ? extentOf(track, keeper.view) : null;
    });
    return scaleOf(extents, held(axis.id));
  }

  #valueAxis(axis: AxisPlan, turn: number, style: CSSStyleDeclaration): uPlot.Axis {
    const look = axisLook(style);
    const grid = turn === 0 ? look.grid : { show: false };
    const side = axis.side === "left" ? 3 : 1;
    const head = headOf(axis, this.#parts.lines);
    const size = (_chart: uPlot, labels: string[] | null) => sizeOf([...(labels ?? []), head]);
    const common: uPlot.Axis = { ...look, grid, scale: axis.id, side, size };
    if (axis.states === null) return { ...common, space: 32 };
    const states = axis.states;
    return {
      ...common,
      splits: () => Object.keys(states).map(Number),
      values: (_chart, splits) =>
        splits.map((code) => states[String(code)]?.[this.#parts.language] ?? String(code)),
    };
  }
}

const hasSide = (axes: readonly AxisPlan[], side: AxisPlan["side"]) =>
  axes.some((axis) => axis.side === side);

function axisLook(style: CSSStyleDeclaration) {
  const token = (name: string) => style.getPropertyValue(name).trim();
  const grid = { stroke: token("--line"), width: 0.25 };
  return {
    stroke: token("--secondary"),
    font: `11px ${style.fontFamily}`,
    grid,
    ticks: { ...grid, size: 4 },
  };
}

const LETTER_PX = 6.5;
/** Chinese characters are as wide as they are high. */
const CHARACTER_PX = 12;
const MOST_LABEL_PX = 110;

/** An axis is as wide as its longest label. */
function sizeOf(labels: readonly string[]): number {
  const widths = labels.map((label) =>
    [...label].reduce((sum, letter) => sum + (letter.charCodeAt(0) > 0x2e80 ? CHARACTER_PX : LETTER_PX), 0),
  );
  return Math.min(MOST_LABEL_PX, Math.max(30, ...widths.map((width) => width + 14)));
}

function timeAxis(style: CSSStyleDeclaration, times: TimeFormats): uPlot.Axis {
  return {
    ...axisLook(style),
    space: 76,
    size: 38,
    incrs: [...TIME_STEPS],
    splits: (_chart, _axis, from, to, step) => timeSplits(from, to, step, times.offsetMs),
    values: (_chart, splits, _axis, _space, step) => timeLabels(splits, step, times),
  };
}
