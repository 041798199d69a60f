import type uPlot from "uplot";
import type { Columns } from "../data/columns";
import { holdingAt } from "../data/columns";
import { type DoubtfulSpan, isSilentAfter, nextOf, type Stretches } from "../data/stretches";
import { knownUntil, stretchesOfTrack, type Track } from "../data/track";
import { type AxisPlan, isStates } from "./axes";
import {
  type Canvas,
  drawBuckets,
  drawDoubtfulGround,
  drawDoubtWords,
  drawLane,
  drawLetter,
  drawSamples,
  drawUncertain,
  type Pen,
} from "./drawing";
import type { Line, PlotParts } from "./plotParts";

/** Letters stand so far apart on their line, in CSS pixels. */
const LETTER_EVERY_PX = 240;

interface Drawn {
  line: Line;
  track: Track;
  stretches: { buckets: Stretches; samples: Stretches };
  doubts: readonly DoubtfulSpan[];
  pen: Pen;
}

/** Draw all lines of a chart, from the ground up: doubts, bands and lines, letters, lanes of quality. */
export function drawTracks(chart: uPlot, shownAxes: readonly AxisPlan[], parts: PlotParts): void {
  const canvas = canvasOf(chart, parts);
  const drawn = parts.lines.flatMap((line, index) => drawnOf(chart, canvas, line, index, parts) ?? []);
  const { ctx } = canvas;
  ctx.save();
  ctx.beginPath();
  ctx.rect(canvas.left, canvas.top, canvas.width, canvas.height);
  ctx.clip();
  drawDoubtfulGround(
    canvas,
    drawn.flatMap(({ doubts }) => doubts),
  );
  const until = parts.loader.now();
  for (const one of drawn) drawOne(canvas, one, until);
  if (drawn.length === 1) drawDoubtWords(canvas, drawn[0]?.doubts ?? [], parts.doubtWords);
  if (parts.lines.length > 1) {
    for (const [index, one] of drawn.entries()) drawLetters(canvas, one, index / drawn.length);
    const doubtful = drawn.filter(({ doubts }) => doubts.length > 0);
    for (const [lane, { line, doubts }] of doubtful.entries())
      drawLane(canvas, lane, line.look.letter, doubts);
  }
  ctx.restore();
  drawUnits(chart, canvas, shownAxes, parts);
}

function canvasOf(chart: uPlot, { element, keeper }: PlotParts): Canvas {
  const { left, top, width, height } = chart.bbox;
  const style = getComputedStyle(element);
  const { fromMs, toMs } = keeper.view;
  return {
    ctx: chart.ctx,
    ...{ left, top, width, height },
    ratio: devicePixelRatio,
    fromMs,
    msPerPixel: (toMs - fromMs) / Math.max(1, width),
    token: (name) => style.getPropertyValue(name).trim(),
  };
}

function drawnOf(
  chart: uPlot,
  canvas: Canvas,
  line: Line,
  index: number,
  { loader, keeper, axes }: PlotParts,
): Drawn | null {
  const track = loader.track(line.point.key);
  const axis = axes.find((one) => one.members.includes(index));
  if (!track || !axis) return null;
  const stretches = stretchesOfTrack(track, keeper.view, loader.now());
  const pen: Pen = {
    ...penScale(chart, axis.id),
    ink: canvas.token(line.look.ink),
    dash: line.look.dash,
    width: line.look.width,
    stepped: isStates(line.point),
  };
  return { line, track, stretches, doubts: [...stretches.buckets.doubts, ...stretches.samples.doubts], pen };
}

/** Scaling by hand: uPlot's own function looks its scale up for each of a hundred thousand samples. */
function penScale(chart: uPlot, axisId: string): Pick<Pen, "y"> {
  const { top, height } = chart.bbox;
  const { min = 0, max = 1 } = chart.scales[axisId] ?? {};
  const perUnit = height / (max - min);
  return { y: (value) => top + (max - value) * perUnit };
}

function drawOne(canvas: Canvas, { track, stretches, pen }: Drawn, nowMs: number): void {
  const { buckets, samples } = track;
  if (buckets) for (const range of stretches.buckets.lines) drawBuckets(canvas, buckets, range, pen);
  const until = knownUntil(track, nowMs);
  for (const range of stretches.samples.lines) {
    drawSamples(canvas, samples, range, pen, holdsUntil(samples, range[1] - 1, until));
    drawUncertain(canvas, samples, range, pen);
  }
  if (buckets) for (const range of stretches.buckets.lines) drawUncertain(canvas, buckets, range, pen);
}

/** The last sample of a stretch holds until the next comes, unless the point fell silent. */
function holdsUntil(samples: Columns, index: number, until: number): number {
  return isSilentAfter(samples, index, until)
    ? (samples.time[index] as number)
    : nextOf(samples, index, until);
}

function drawLetters(canvas: Canvas, { line, track, pen }: Drawn, shift: number): void {
  const every = LETTER_EVERY_PX * canvas.ratio * canvas.msPerPixel;
  const toMs = canvas.fromMs + canvas.width * canvas.msPerPixel;
  let at = (Math.ceil(canvas.fromMs / every) + shift) * every;
  for (; at < toMs; at += every) {
    const columns: Columns =
      !track.buckets || holdingAt(track.samples, at) >= 0 ? track.samples : track.buckets;
    const index = holdingAt(columns, at);
    if (index < 0 || (columns.quality[index] as number) >= 128) continue;
    const time = pen.stepped ? at : (columns.time[index] as number);
    if (at - time > every / 2) continue;
    const px = canvas.left + (time - canvas.fromMs) / canvas.msPerPixel;
    drawLetter(canvas, line.look.letter, px, pen.y(columns.value[index] as number), pen.ink);
  }
}

/** Return what stands above an axis: its unit, and which lines it is of. */
export function headOf(axis: AxisPlan, lines: readonly Line[]): string {
  const letters = lines.length > 1 ? axis.members.map((index) => lines[index]?.look.letter) : [];
  return [axis.unit, letters.join(" ")].filter(Boolean).join("  ");
}

/** Above each axis stand its unit and the letters of its lines. */
function drawUnits(chart: uPlot, canvas: Canvas, axes: readonly AxisPlan[], parts: PlotParts): void {
  const { ctx, ratio, token } = canvas;
  ctx.save();
  ctx.font = `${11 * ratio}px ${token("--font")}`;
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = token("--secondary");
  axes.forEach((axis, turn) => {
    // Where an axis lies is known to uPlot only, which does not tell its types.
    const place = chart.axes[turn + 1] as { _pos?: number; _size?: number } | undefined;
    const letters =
      parts.lines.length > 1 ? axis.members.map((index) => parts.lines[index]?.look.letter) : [];
    const words = [axis.unit, letters.join(" ")].filter(Boolean).join("  ");
    ctx.textAlign = "left";
    const edge = (place?._pos ?? 0) - (axis.side === "left" ? (place?._size ?? 0) : 0);
    ctx.fillText(words, (edge + 6) * ratio, canvas.top - 7 * ratio);
  });
  ctx.restore();
}
