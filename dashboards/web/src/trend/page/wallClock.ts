/** Write an instant as the site's clock shows it, in the form that the browser's own field takes. */
export function toClock(atMs: number, offsetMs: (at: number) => number): string {
  return new Date(atMs + offsetMs(atMs)).toISOString().slice(0, 19);
}

/** Read an instant from the site's clock; NaN when it is none. */
export function fromClock(text: string, offsetMs: (at: number) => number): number {
  const local = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  return Number.isNaN(local) ? Number.NaN : local - offsetMs(local - offsetMs(local));
}
