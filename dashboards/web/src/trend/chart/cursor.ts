/** The instant under the pointer, outside React: it follows every move of the hand. */
export class Cursor {
  /** Milliseconds UTC; null while the pointer is elsewhere. */
  atMs: number | null = null;
  #listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  put(atMs: number | null): void {
    if (atMs === this.atMs) return;
    this.atMs = atMs;
    for (const listener of this.#listeners) listener();
  }
}
