import { following, lastOf, panned, stretch, type View, zoomed } from "./view";

const KEPT_VIEWS = 50;
/** Moves of one gesture follow each other so fast; they are one step back. */
const GESTURE_MS = 600;

type Gesture = "pan" | "zoom" | "choice";

/** Holds what is looked at, outside React, since it moves ten times a second; and the way back. */
export class ViewKeeper {
  #view: View;
  #now: () => number;
  #home: View;
  #past: View[] = [];
  #last: { gesture: Gesture; atMs: number } | null = null;
  #listeners = new Set<() => void>();

  constructor(view: View, now: () => number) {
    this.#view = view;
    this.#home = view;
    this.#now = now;
  }

  get view(): View {
    return this.#view;
  }

  get canGoBack(): boolean {
    return this.#past.length > 0;
  }

  now(): number {
    return this.#now();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Follow now, if live. */
  tick(): void {
    if (this.#view.live) this.#set(following(this.#view, this.now()));
  }

  /** Show a range that was chosen; `reset` returns to it. */
  choose(view: View): void {
    this.#step(view, "choice");
    this.#home = view;
  }

  show(fromMs: number, toMs: number): void {
    this.#step(stretch(fromMs, toMs, this.now()), "choice");
  }

  pan(share: number): void {
    this.#step(panned(this.#view, share, this.now()), "pan");
  }

  zoom(factor: number, anchor: number): void {
    this.#step(zoomed(this.#view, factor, anchor, this.now()), "zoom");
  }

  goLive(): void {
    this.#step(lastOf(this.#view.toMs - this.#view.fromMs, this.now()), "choice");
  }

  /** Return to what was shown before the last gesture. */
  back(): void {
    const before = this.#past.pop();
    this.#last = null;
    if (before) this.#set(following(before, this.now()));
  }

  reset(): void {
    this.#step(following(this.#home, this.now()), "choice");
  }

  #step(view: View, gesture: Gesture): void {
    const atMs = performance.now();
    const last = this.#last;
    const goesOn = gesture !== "choice" && last?.gesture === gesture && atMs - last.atMs < GESTURE_MS;
    if (!goesOn) this.#past = [...this.#past.slice(1 - KEPT_VIEWS), this.#view];
    this.#last = { gesture, atMs };
    this.#set(view);
  }

  #set(view: View): void {
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}
