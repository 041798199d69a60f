export interface Age {
  n: number;
  unit: "seconds" | "minutes" | "hours" | "days";
}

/** Return how old something is in its largest whole unit; clocks that disagree a little give 0. */
export function ageOf(ms: number): Age {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return { n: seconds, unit: "seconds" };
  if (seconds < 7_200) return { n: Math.floor(seconds / 60), unit: "minutes" };
  if (seconds < 172_800) return { n: Math.floor(seconds / 3_600), unit: "hours" };
  return { n: Math.floor(seconds / 86_400), unit: "days" };
}
