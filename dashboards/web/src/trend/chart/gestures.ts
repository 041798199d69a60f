import { spanOf } from "../data/view";
import type { ViewKeeper } from "../data/viewKeeper";
import type { Cursor } from "./cursor";

export interface GestureParts {
  keeper: ViewKeeper;
  cursor: Cursor;
  /** The mark of a stretch that is being selected, inside the surface. */
  selection: HTMLElement;
  /** Whether the wheel is the chart's; a small chart in a page that scrolls leaves it to the page. */
  wheel: boolean;
}

/** A pointer that moved less did not mean to. */
const LEAST_MOVE_PX = 4;
const ZOOM_PER_WHEEL_PX = 0.0018;
/** A wheel that counts in lines rather than pixels. */
const PIXELS_PER_LINE = 30;
/** Near the right edge of a live view a zoom keeps it live. */
const LIVE_EDGE = 0.92;

/**
 * Let a surface be dragged (pan), dragged with Shift (select), pinched and turned at (zoom).
 *
 * @returns how to stop.
 */
export function attachGestures(surface: HTMLElement, parts: GestureParts): () => void {
  const hand = new Hand(surface, parts);
  const stop = new AbortController();
  const { signal } = stop;
  surface.addEventListener("pointerdown", (event) => hand.down(event), { signal });
  surface.addEventListener("pointermove", (event) => hand.move(event), { signal });
  surface.addEventListener("pointerup", (event) => hand.up(event), { signal });
  surface.addEventListener("pointercancel", (event) => hand.up(event), { signal });
  surface.addEventListener("pointerleave", () => parts.cursor.put(null), { signal });
  surface.addEventListener("dblclick", () => parts.keeper.reset(), { signal });
  if (parts.wheel) surface.addEventListener("wheel", (event) => hand.turn(event), { signal, passive: false });
  return () => stop.abort();
}

class Hand {
  #surface: HTMLElement;
  #parts: GestureParts;
  /** Where each finger is, from the surface's left edge. */
  #fingers = new Map<number, number>();
  #downX = 0;
  #moved = false;
  #selecting = false;

  constructor(surface: HTMLElement, parts: GestureParts) {
    this.#surface = surface;
    this.#parts = parts;
  }

  down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#surface.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, this.#x(event));
    this.#downX = this.#x(event);
    this.#moved = false;
    this.#selecting = event.shiftKey && this.#fingers.size === 1;
  }

  move(event: PointerEvent): void {
    const x = this.#x(event);
    this.#parts.cursor.put(this.#timeAt(x));
    const before = this.#fingers.get(event.pointerId);
    if (before === undefined) return;
    if (!this.#moved && Math.abs(x - this.#downX) < LEAST_MOVE_PX) return;
    this.#moved = true;
    if (this.#selecting) this.#showSelection(x);
    else if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, x);
    else if (this.#fingers.size === 1) this.#parts.keeper.pan((before - x) / this.#width);
    this.#fingers.set(event.pointerId, x);
  }

  up(event: PointerEvent): void {
    const x = this.#x(event);
    if (this.#selecting && this.#moved && event.type === "pointerup") {
      const [from, to] = [this.#timeAt(Math.min(x, this.#downX)), this.#timeAt(Math.max(x, this.#downX))];
      this.#parts.keeper.show(from, to);
    }
    this.#selecting = false;
    this.#parts.selection.hidden = true;
    this.#fingers.delete(event.pointerId);
    if (event.pointerType === "touch" && this.#moved) this.#parts.cursor.put(null);
  }

  turn(event: WheelEvent): void {
    event.preventDefault();
    const scale = event.deltaMode === 0 ? 1 : PIXELS_PER_LINE;
    const { keeper } = this.#parts;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      keeper.pan((sideways * scale) / this.#width);
      return;
    }
    const share = this.#x(event) / this.#width;
    const anchor = keeper.view.live && share > LIVE_EDGE ? 1 : share;
    keeper.zoom(Math.exp(event.deltaY * scale * ZOOM_PER_WHEEL_PX), anchor);
  }

  get #width(): number {
    return Math.max(1, this.#surface.clientWidth);
  }

  #x(event: MouseEvent): number {
    return event.clientX - this.#surface.getBoundingClientRect().left;
  }

  #timeAt(x: number): number {
    const { view } = this.#parts.keeper;
    return view.fromMs + (Math.min(this.#width, Math.max(0, x)) / this.#width) * spanOf(view);
  }

  /** The fingers' distance sets the span; what lies between them stays there. */
  #pinch(moving: number, before: number, x: number): void {
    const resting = [...this.#fingers].find(([finger]) => finger !== moving)?.[1];
    if (resting === undefined) return;
    const [was, is] = [Math.abs(before - resting), Math.abs(x - resting)];
    if (was < LEAST_MOVE_PX || is < LEAST_MOVE_PX) return;
    this.#parts.keeper.zoom(was / is, resting / this.#width);
  }

  #showSelection(x: number): void {
    const { style } = this.#parts.selection;
    this.#parts.selection.hidden = false;
    style.left = `${Math.min(x, this.#downX)}px`;
    style.width = `${Math.abs(x - this.#downX)}px`;
  }
}

const PAN_SHARE = 0.1;
const PAN_FAR_SHARE = 0.5;
const KEY_ZOOM = 1.5;
const CURSOR_SHARE = 0.01;

/** Do what a key means on a chart; tells whether it meant something. */
export function actOnKey(key: string, shift: boolean, keeper: ViewKeeper, cursor: Cursor): boolean {
  const far = shift ? PAN_FAR_SHARE : PAN_SHARE;
  const anchor = keeper.view.live ? 1 : 0.5;
  const actions: Record<string, () => void> = {
    ArrowLeft: () => keeper.pan(-far),
    ArrowRight: () => keeper.pan(far),
    "+": () => keeper.zoom(1 / KEY_ZOOM, anchor),
    "=": () => keeper.zoom(1 / KEY_ZOOM, anchor),
    "-": () => keeper.zoom(KEY_ZOOM, anchor),
    End: () => keeper.goLive(),
    Backspace: () => keeper.back(),
    "0": () => keeper.reset(),
    ",": () => moveCursor(keeper, cursor, -CURSOR_SHARE),
    ".": () => moveCursor(keeper, cursor, CURSOR_SHARE),
    Escape: () => cursor.put(null),
  };
  const act = actions[key];
  act?.();
  return act !== undefined;
}

function moveCursor({ view }: ViewKeeper, cursor: Cursor, share: number): void {
  const start = cursor.atMs ?? (view.fromMs + view.toMs) / 2;
  cursor.put(Math.min(view.toMs, Math.max(view.fromMs, start + spanOf(view) * share)));
}
