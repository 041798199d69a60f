import type { Alarm, Priority } from "../api/types";

/** What a mark says besides the priority; `none`: no alarm of this priority. */
export type MarkLook = "unacknowledged" | "acknowledged" | "returned" | "none";

const SHAPES: Record<Priority, { outer: string; inner: string; digitY: number }> = {
  1: { outer: "M2 2h16v16H2z", inner: "M5 5h10v10H5z", digitY: 14 },
  2: { outer: "M10 1.500 19 18H1z", inner: "M10 6.500 14.900 15.500H5.100z", digitY: 16 },
  3: { outer: "M10 1 19 10 10 19 1 10z", inner: "M10 5 15 10 10 15 5 10z", digitY: 14 },
  4: { outer: "M10 1.500a8.500 8.500 0 1 0 .01 0z", inner: "M10 4.500a5.500 5.500 0 1 0 .01 0z", digitY: 14 },
};

export function lookOf(alarm: Alarm): MarkLook {
  if (alarm.state === "B") return "unacknowledged";
  return alarm.state === "D" ? "returned" : "acknowledged";
}

interface Props {
  priority: Priority;
  look: MarkLook;
}

/** Shape and digit tell the priority without colour; fill and blinking tell whether someone has seen it. */
export function PriorityMark({ priority, look }: Props) {
  const shape = SHAPES[priority];
  return (
    <svg
      className="mark"
      viewBox="0 0 20 20"
      aria-hidden="true"
      data-priority={priority}
      data-filled={look === "unacknowledged" || undefined}
      data-blink={look === "unacknowledged" || look === "returned" || undefined}
      data-none={look === "none" || undefined}
    >
      <path className="shape" d={shape.outer} />
      <path className="inner" d={shape.inner} />
      <text x="10" y={shape.digitY}>
        {priority}
      </text>
    </svg>
  );
}
