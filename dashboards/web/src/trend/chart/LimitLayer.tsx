import { type KeyboardEvent, type PointerEvent, useRef, useSyncExternalStore } from "react";
import { valueAtY, yOf } from "./geometry";
import { type LabelPlace, type LimitLine, labelPlaces, movedByKey, settled } from "./limits";
import type { Plot } from "./plot";

interface Props {
  plot: Plot;
  limits: readonly LimitLine[];
  axisOf: (point: number) => string;
  /** While it moves. */
  onChange?: ((id: string, value: number) => void) | undefined;
  /** When it was let go, or after each key. */
  onCommit?: ((id: string, value: number) => void) | undefined;
}

/** The limits above the canvas: lines with their labels, some of which can be moved by pointer and by keyboard. */
export function LimitLayer({ plot, limits, axisOf, onChange, onCommit }: Props) {
  const { box, scales } = useSyncExternalStore(plot.subscribe, () => plot.geometry);
  const placed = limits.flatMap((limit) => {
    const scale = scales[axisOf(limit.point)];
    return scale ? [{ limit, scale, y: yOf(limit.value, scale, box.height) }] : [];
  });
  const places = labelPlaces(
    placed.map(({ limit, y }) => ({ y, movable: limit.drag !== null })),
    box.height,
  );
  return (
    <div className="limit-layer" style={box}>
      {placed.map(({ limit, scale, y }, index) => {
        const common = { limit, y, place: places[index] ?? FIRST };
        if (y < -1 || y > box.height + 1) return null;
        return limit.drag ? (
          <MovableLimit
            key={limit.id}
            {...common}
            valueAt={(clientY) => valueAtY(within(clientY - plot.top(), box.height), scale, box.height)}
            onHold={(held) => plot.freezeScales(held)}
            onChange={onChange}
            onCommit={onCommit}
          />
        ) : (
          <FixedLimit key={limit.id} {...common} />
        );
      })}
    </div>
  );
}

const FIRST: LabelPlace = { column: 0, below: false };

interface LimitProps {
  limit: LimitLine;
  /** CSS pixels from the top of the plotting area. */
  y: number;
  /** Of its label. */
  place: LabelPlace;
}

function FixedLimit({ limit, y, place }: LimitProps) {
  return (
    <div
      className="limit"
      data-priority={limit.priority ?? undefined}
      style={{ transform: `translateY(${y}px)` }}
    >
      <span
        className="limit-label"
        data-below={place.below || undefined}
        style={{ right: labelRight(place.column) }}
      >
        {limit.label}
      </span>
    </div>
  );
}

/** A chart whose labels are wider sets the pitch of their columns. */
const labelRight = (column: number) => `calc(var(--label-column, 92px) * ${column} + 4px)`;

const within = (y: number, height: number) => Math.min(height, Math.max(0, y));

interface MovableProps extends LimitProps {
  /** Return the value at a height of the window, in CSS pixels. */
  valueAt: (clientY: number) => number;
  /** It was taken, or let go. */
  onHold: (held: boolean) => void;
  onChange: ((id: string, value: number) => void) | undefined;
  onCommit: ((id: string, value: number) => void) | undefined;
}

function MovableLimit({ limit, y, place, valueAt, onHold, onChange, onCommit }: MovableProps) {
  // How far below the line it was taken, so that it does not jump; null while nobody drags.
  const grip = useRef<number | null>(null);
  const rules = limit.drag;
  if (rules === null) return null;
  const valueUnder = (event: PointerEvent) => settled(valueAt(event.clientY - (grip.current ?? 0)), rules);
  const begin = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    grip.current = event.clientY - event.currentTarget.getBoundingClientRect().top;
    onHold(true);
  };
  const move = (event: PointerEvent) => {
    if (grip.current === null) return;
    const value = valueUnder(event);
    if (value !== limit.value) onChange?.(limit.id, value);
  };
  const end = (event: PointerEvent) => {
    if (grip.current === null) return;
    const value = valueUnder(event);
    grip.current = null;
    onCommit?.(limit.id, value);
    onHold(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const value = movedByKey(event.key, limit.value, rules);
    if (value === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (value === limit.value) return;
    onChange?.(limit.id, value);
    onCommit?.(limit.id, value);
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      className="limit movable"
      data-priority={limit.priority ?? undefined}
      aria-orientation="vertical"
      aria-label={rules.name}
      aria-valuemin={rules.minimum}
      aria-valuemax={rules.maximum}
      aria-valuenow={limit.value}
      aria-valuetext={rules.words(limit.value)}
      style={{ transform: `translateY(${y}px)` }}
      onPointerDown={begin}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={onKeyDown}
    >
      <span className="limit-label" style={{ right: labelRight(place.column) }}>
        {limit.label} {rules.words(limit.value)}
        <span className="limit-grip" aria-hidden="true">
          ↕
        </span>
      </span>
    </div>
  );
}
