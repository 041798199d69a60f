import type { Buckets } from "../data/buckets";
import { BAD_FROM, type Columns, UNCERTAIN_FROM } from "../data/columns";
import type { DoubtfulSpan } from "../data/stretches";
import { pixelColumns } from "./pixelColumns";

/** Where things go on the canvas, in device pixels. */
export interface Canvas {
  ctx: CanvasRenderingContext2D;
  left: number;
  top: number;
  width: number;
  height: number;
  /** Device pixels in a CSS pixel. */
  ratio: number;
  /** Milliseconds at the left edge, and in one device pixel. */
  fromMs: number;
  msPerPixel: number;
  /** Resolve a token of the present theme. */
  token: (name: string) => string;
}

const x = (canvas: Canvas, timeMs: number) => canvas.left + (timeMs - canvas.fromMs) / canvas.msPerPixel;

/** A line's place and pen. */
export interface Pen {
  y: (value: number) => number;
  ink: string;
  dash: readonly number[];
  width: number;
  /** A state holds until the next; a quantity is on its way to it. */
  stepped: boolean;
}

/** More samples than this in a pixel are a cloud, not a line. */
const MOST_PER_PIXEL = 2;
const BAND_ALPHA = 0.38;

/** Draw samples `[from, to)`: one by one where they can be told apart, else as a band with their mean. */
export function drawSamples(
  canvas: Canvas,
  columns: Columns,
  [from, to]: readonly [number, number],
  pen: Pen,
  holdUntilMs: number,
): void {
  const [first, last] = [columns.time[from] as number, columns.time[to - 1] as number];
  const pixels = Math.max(1, (last - first) / canvas.msPerPixel);
  if ((to - from) / pixels <= MOST_PER_PIXEL) drawLine(canvas, columns, from, to, pen, holdUntilMs);
  else {
    const values = {
      time: columns.time,
      value: columns.value,
      minimum: columns.value,
      maximum: columns.value,
    };
    drawColumns(canvas, values, from, to, pen);
  }
}

export function drawBuckets(
  canvas: Canvas,
  buckets: Buckets,
  [from, to]: readonly [number, number],
  pen: Pen,
): void {
  drawColumns(canvas, buckets, from, to, pen, buckets.widthMs);
}

function takePen({ ctx, ratio }: Canvas, pen: Pen): void {
  ctx.strokeStyle = pen.ink;
  ctx.fillStyle = pen.ink;
  ctx.lineWidth = pen.width * ratio;
  ctx.lineJoin = "round";
  ctx.setLineDash(pen.dash.map((length) => length * ratio));
}

function drawLine(
  canvas: Canvas,
  { time, value }: Columns,
  from: number,
  to: number,
  pen: Pen,
  holdUntilMs: number,
): void {
  const { ctx } = canvas;
  takePen(canvas, pen);
  ctx.beginPath();
  let lastY = 0;
  for (let index = from; index < to; index += 1) {
    const [px, py] = [x(canvas, time[index] as number), pen.y(value[index] as number)];
    if (index === from) ctx.moveTo(px, py);
    else if (pen.stepped) ctx.lineTo(px, lastY);
    ctx.lineTo(px, py);
    lastY = py;
  }
  if (pen.stepped) ctx.lineTo(x(canvas, holdUntilMs), lastY);
  ctx.stroke();
  if (to - from === 1 && !pen.stepped) drawDot(canvas, x(canvas, time[from] as number), lastY, pen);
}

/** A sample between two gaps has no line, and yet it was there. */
function drawDot({ ctx, ratio }: Canvas, px: number, py: number, pen: Pen): void {
  ctx.beginPath();
  ctx.arc(px, py, (pen.width + 0.75) * ratio, 0, 2 * Math.PI);
  ctx.fill();
}

interface Values {
  time: Float64Array;
  value: Float64Array;
  minimum: Float64Array;
  maximum: Float64Array;
}

/** A band from least to greatest, and the mean as a line: of states only the band, for their mean is no state. */
function drawColumns(
  canvas: Canvas,
  values: Values,
  from: number,
  to: number,
  pen: Pen,
  widthMs: number = 0,
): void {
  const { ctx, ratio } = canvas;
  const columnMs = Math.max(widthMs, canvas.msPerPixel * ratio);
  const columns = pixelColumns(values, from, to, columnMs);
  const half = columnMs / 2;
  takePen(canvas, pen);
  ctx.globalAlpha = pen.stepped ? 1 : BAND_ALPHA;
  for (const [index, at] of columns.time.entries()) {
    // On whole pixels: rectangles that neither overlap nor leave a seam, and that cost no smoothing.
    const [left, right] = [Math.round(x(canvas, at - half)), Math.round(x(canvas, at + half))];
    const [top, bottom] = [pen.y(columns.maximum[index] as number), pen.y(columns.minimum[index] as number)];
    const height = Math.max(pen.stepped ? pen.width * ratio : 0, bottom - top);
    ctx.fillRect(left, (top + bottom - height) / 2, right - left, height);
  }
  ctx.globalAlpha = 1;
  if (pen.stepped) return;
  ctx.beginPath();
  columns.time.forEach((at, index) => {
    ctx.lineTo(x(canvas, at), pen.y(columns.mean[index] as number));
  });
  ctx.stroke();
  if (columns.time.length === 1)
    drawDot(canvas, x(canvas, columns.time[0] as number), pen.y(columns.mean[0] as number), pen);
}

const HATCH_PX = 7;

function hatch({ ctx, ratio, token }: Canvas): CanvasPattern | string {
  const size = HATCH_PX * ratio;
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(size);
  const pen = tile.getContext("2d");
  if (!pen) return token("--stale");
  pen.strokeStyle = token("--stale");
  pen.lineWidth = 1.25 * ratio;
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, tile.height);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat") ?? token("--stale");
}

/** Hatch the whole height where nothing can be known, so that nobody takes an empty stretch for a quiet one. */
export function drawDoubtfulGround(canvas: Canvas, spans: readonly DoubtfulSpan[]): void {
  const { ctx, ratio, token } = canvas;
  const blind = spans.filter((span) => span.doubt !== "uncertain");
  if (blind.length === 0) return;
  ctx.beginPath();
  for (const [left, right] of merged(canvas, blind))
    ctx.rect(left, canvas.top, Math.max(ratio, right - left), canvas.height);
  ctx.globalAlpha = 0.12;
  ctx.fillStyle = token("--stale");
  ctx.fill();
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = hatch(canvas);
  ctx.fill();
  ctx.globalAlpha = 1;
}

const LEAST_WORD_PX = 4;

/** Say in the middle of a blind stretch why it is blind, where there is room to. */
export function drawDoubtWords(
  canvas: Canvas,
  spans: readonly DoubtfulSpan[],
  words: Readonly<Record<DoubtfulSpan["doubt"], string>>,
): void {
  const { ctx, ratio, token } = canvas;
  ctx.font = `${11 * ratio}px ${token("--font")}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const span of spans) {
    if (span.doubt === "uncertain") continue;
    const left = Math.max(canvas.left, x(canvas, span.fromMs));
    const right = Math.min(canvas.left + canvas.width, x(canvas, span.toMs));
    const needed = ctx.measureText(words[span.doubt]).width + LEAST_WORD_PX * 2 * ratio;
    if (right - left < needed) continue;
    const [middle, y] = [(left + right) / 2, canvas.top + 14 * ratio];
    ctx.fillStyle = token("--panel");
    ctx.fillRect(middle - needed / 2, y - 8 * ratio, needed, 16 * ratio);
    ctx.fillStyle = token("--stale");
    ctx.fillText(words[span.doubt], middle, y);
  }
}

/** Return the spans as pixels, those that touch as one: hatching twice would be darker without meaning more. */
function merged(canvas: Canvas, spans: readonly DoubtfulSpan[]): [number, number][] {
  const ends: [number, number][] = [];
  for (const span of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const [left, right] = [x(canvas, span.fromMs), x(canvas, span.toMs)];
    const last = ends.at(-1);
    if (last && left <= last[1] + 1) last[1] = Math.max(last[1], right);
    else ends.push([left, right]);
  }
  return ends;
}

/** Height of one point's lane of quality, in CSS pixels. */
export const LANE_PX = 8;

/** One point's lane at the bottom: solid where it was bad, framed where it was silent, dotted where uncertain. */
export function drawLane(canvas: Canvas, lane: number, letter: string, spans: readonly DoubtfulSpan[]): void {
  if (spans.length === 0) return;
  const { ctx, ratio, token } = canvas;
  const height = (LANE_PX - 2) * ratio;
  const top = canvas.top + canvas.height - (lane + 1) * LANE_PX * ratio;
  ctx.fillStyle = ctx.strokeStyle = token("--stale");
  ctx.lineWidth = ratio;
  for (const span of spans) {
    const left = Math.max(canvas.left, x(canvas, span.fromMs));
    const width = Math.max(ratio, Math.min(canvas.left + canvas.width, x(canvas, span.toMs)) - left);
    ctx.setLineDash(span.doubt === "uncertain" ? [2 * ratio, 2 * ratio] : []);
    if (span.doubt === "bad") ctx.fillRect(left, top, width, height);
    else if (span.doubt === "silent") ctx.strokeRect(left, top + ratio / 2, width, height - ratio);
    else strokeAlong(ctx, left, width, top + height / 2);
  }
  ctx.setLineDash([]);
  const first = Math.max(canvas.left, x(canvas, spans[0]?.fromMs ?? 0));
  drawLetter(
    canvas,
    letter,
    Math.max(first - 7 * ratio, canvas.left + 6 * ratio),
    top + height / 2,
    token("--stale"),
    9,
  );
}

function strokeAlong(ctx: CanvasRenderingContext2D, left: number, width: number, y: number): void {
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + width, y);
  ctx.stroke();
}

/** Mark uncertain samples on their own line: dotted, in the colour of doubt. */
export function drawUncertain(
  canvas: Canvas,
  columns: Columns,
  [from, to]: readonly [number, number],
  pen: Pen,
): void {
  const { ctx, ratio, token } = canvas;
  ctx.fillStyle = token("--stale");
  let lastX = Number.NEGATIVE_INFINITY;
  for (let index = from; index < to; index += 1) {
    const quality = columns.quality[index] as number;
    if (quality < UNCERTAIN_FROM || quality >= BAD_FROM) continue;
    const px = x(canvas, columns.time[index] as number);
    if (px - lastX < 5 * ratio) continue;
    lastX = px;
    ctx.beginPath();
    ctx.arc(px, pen.y(columns.value[index] as number), 2.25 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  }
}

/** A letter on a line, cut out of whatever lies behind it. */
export function drawLetter(
  { ctx, ratio, token }: Canvas,
  letter: string,
  px: number,
  py: number,
  ink: string,
  size: number = 11,
): void {
  ctx.setLineDash([]);
  ctx.font = `700 ${size * ratio}px ${token("--font")}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * ratio;
  ctx.strokeStyle = token("--panel");
  ctx.strokeText(letter, px, py);
  ctx.fillStyle = ink;
  ctx.fillText(letter, px, py);
}
