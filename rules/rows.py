"""What the kernel's rows are, and which ones a condition becomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from facility.clock import NS_PER_S
from facility.conditions import (
    BadQuality,
    Baseline,
    Coincidence,
    Composite,
    Condition,
    CounterIncrease,
    Delays,
    Deviation,
    EventCount,
    ForbiddenState,
    Forecast,
    Limited,
    LimitSide,
    MovingThreshold,
    NoData,
    RateOfChange,
    State,
    StuckValue,
    Threshold,
    WindowStatistic,
)
from facility.model import Point
from facility.priority import Priority
from facility.quality import REASONS
from rules import kernel
from rules.events import Reason

_SIDES = tuple(LimitSide)


class Range(NamedTuple):
    """Values at which a row is true."""

    enter: tuple[float, float]
    """Closed: becomes true inside."""
    stay: tuple[float, float]
    """Open: stays true inside."""


class Shape(NamedTuple):
    """What the kernel knows of a row; rows of a class share it."""

    kind: int
    ranges: tuple[Range, ...] = ()
    on_delay_ns: int = 0
    off_delay_ns: int = 0


class Owner(NamedTuple):
    """The rule or maintenance plan that rows belong to."""

    key: str
    """``rule:12`` or ``plan:pump-1/bearing_service``; its name in saved state. ``rule:12/inner`` stands behind a rule
    that has a gate, and is announced to nobody."""
    fingerprint: str
    rule_id: int | None = None
    """``None`` for a plan."""
    priority: Priority = Priority.LOW
    """The rule's own; says nothing for a plan."""
    asset_id: str = ""
    plan: str = ""
    """Name of the plan; empty for a rule."""
    is_inner: bool = False
    """It stands behind a rule that has a gate: only that rule reads it."""


class Row(NamedTuple):
    """One row of the kernel and what its records mean."""

    owner: Owner
    ordinal: int
    """Position within the owner that an edit of other rows does not move: the side of a limit, else 0."""
    point: int
    """Point key."""
    shape: Shape
    reason: Reason
    priority: Priority
    limit: float
    """Shown as evidence: the limit, the state code, the timeout in seconds or the quality's code."""
    side: LimitSide | None = None
    """``None`` for conditions without limits."""

    @property
    def urgency(self) -> tuple[int, bool]:
        """Sort key among the active rows of a rule, most urgent first; an outer limit goes before an inner one."""
        return self.priority, self.side in (LimitSide.LOW, LimitSide.HIGH)

    def of(self, owner: Owner, point: int) -> Row:
        """Return the same row of an owner of the same priority, on its point."""
        return Row(owner, self.ordinal, point, *self[3:])  # three times as fast as _replace()


def rows_of(condition: Condition, owner: Owner, point: Point, key: int | None = None) -> list[Row]:
    """Return the rows of a condition that the kernel decides on samples of one point.

    Args:
        condition: One of :data:`facility.conditions.DIRECT`.
        owner: Whose it is.
        point: The point that it is about.
        key: Of the virtual point that passes the samples on; ``None``: those of the point itself.
    """
    make = _Rows(owner, point.key if key is None else key)
    states = point.definition.states
    match condition:
        case Threshold():
            return [make.limit(condition, side, Reason(side.value)) for side in condition.limits]
        case State():
            codes = sorted({states[name] for name in condition.states})
            ranges = tuple(_codes(first, last) for first, last in _runs(codes))
            return [make.value(condition, ranges, Reason.STATE, float(codes[0]))]
        case ForbiddenState():
            codes = sorted({states[name] for name in condition.allowed})
            ranges = tuple(_between(list(_runs(codes))))
            return [make.value(condition, ranges, Reason.FORBIDDEN_STATE, float(codes[0]))]
        case NoData():
            return [make.silence(condition.timeout_s, 0)]
        case BadQuality():
            timeouts = [] if condition.timeout_s is None else [condition.timeout_s]
            return [make.quality(condition), *(make.silence(timeout_s, 1) for timeout_s in timeouts)]
    raise NotImplementedError(condition.type)


def computed_rows(condition: Condition, owner: Owner, keys: Sequence[int]) -> list[Row]:
    """Return the rows of a condition that is decided on what was computed for it.

    Args:
        condition: None of :data:`facility.conditions.DIRECT`.
        owner: Whose it is.
        keys: Of the virtual points that carry what is computed: one for each limit that moves, otherwise one.
    """
    make = _Rows(owner, keys[0])
    if isinstance(condition, MovingThreshold):
        return [_Rows(owner, key).moving(condition, side) for key, side in zip(keys, condition.limits, strict=True)]
    if isinstance(condition, Limited):
        return [make.limit(condition, side, _LIMITED[type(condition)]) for side in condition.limits]
    delays, values, reason, shown = _decided(condition)
    return [make.value(delays, (values,), reason, shown)]


def _decided(condition: Condition) -> tuple[Delays, Range, Reason, float]:
    """Return the delays of a quantity without limits of its own, when it is true, why, and what it is held against."""
    match condition:
        case StuckValue(for_s=seconds):
            return Delays(), _from(seconds), Reason.STUCK, seconds
        case EventCount(count=count):
            return condition, _from(count), Reason.EVENT_COUNT, float(count)
        case Coincidence(count=count):
            return condition, _from(count), Reason.COINCIDENCE, float(count)
        case Composite():
            return condition, _from(1.0), Reason.COMPOSITE, math.nan
        case Forecast(horizon_h=hours):
            return condition, _beyond(LimitSide.LOW, hours, 0.0), Reason.FORECAST, hours
        case Baseline():
            return condition, _beyond(LimitSide.HIGH, 1.0, 0.0), Reason.BASELINE, 1.0
    raise NotImplementedError(condition.type)


def standing_row(condition: NoData | BadQuality, owner: Owner, key: int) -> Row:
    """Return the row that is true while a condition stands which has rows of its own, given as 1 and 0."""
    make = _Rows(owner, key)
    if isinstance(condition, NoData):
        return make.value(Delays(), (_from(1.0),), Reason.NO_DATA, condition.timeout_s)
    limit = float(min(REASONS[reason] for reason in condition.reasons)[0])
    return make.value(Delays(off_delay_s=condition.off_delay_s), (_from(1.0),), Reason.BAD_QUALITY, limit)


_LIMITED: Final[Mapping[type[Limited], Reason]] = {
    RateOfChange: Reason.RATE_OF_CHANGE,
    Deviation: Reason.DEVIATION,
    WindowStatistic: Reason.WINDOW,
    CounterIncrease: Reason.COUNTER,
}


class _Rows:
    """Makes the rows of one owner on one point."""

    def __init__(self, owner: Owner, key: int) -> None:
        self._owner = owner
        self._key = key

    def value(self, delays: Delays, ranges: tuple[Range, ...], reason: Reason, limit: float) -> Row:
        """Return a row that is true while the value is in one of the ranges."""
        return self._row(_value_shape(delays, ranges), reason, limit)

    def limit(self, condition: Limited, side: LimitSide, reason: Reason) -> Row:
        """Return a row that is true beyond a limit."""
        limit = condition.limits[side]
        shape = _value_shape(condition, (_beyond(side, limit.value, condition.deadband),))
        return self._row(shape, reason, limit.value, side, priority=limit.priority)

    def moving(self, condition: MovingThreshold, side: LimitSide) -> Row:
        """Return a row that is true while the distance to a limit that moves is beyond 0."""
        shape = _value_shape(condition, (_beyond(side, 0.0, condition.deadband),))
        return self._row(shape, Reason(side.value), math.nan, side, priority=condition.limits[side].priority)

    def quality(self, condition: BadQuality) -> Row:
        """Return a row that is true while the point's quality is one of those named."""
        codes = sorted({REASONS[reason] for reason in condition.reasons})
        ranges = tuple(_codes(first, last) for first, last in codes)
        on_delay_ns, off_delay_ns = nanoseconds(condition.on_delay_s), nanoseconds(condition.off_delay_s)
        shape = Shape(kernel.QUALITY, ranges, on_delay_ns, off_delay_ns)
        return self._row(shape, Reason.BAD_QUALITY, float(codes[0][0]))

    def silence(self, timeout_s: float, ordinal: int) -> Row:
        """Return a row that is true when nothing came for a time."""
        shape = Shape(kernel.NO_DATA, on_delay_ns=nanoseconds(timeout_s))
        return self._row(shape, Reason.NO_DATA, timeout_s, ordinal=ordinal)

    def _row(
        self,
        shape: Shape,
        reason: Reason,
        limit: float,
        side: LimitSide | None = None,
        *,
        priority: Priority | None = None,
        ordinal: int = 0,
    ) -> Row:
        return Row(
            owner=self._owner,
            ordinal=ordinal if side is None else _SIDES.index(side),
            point=self._key,
            shape=shape,
            reason=reason,
            priority=priority or self._owner.priority,
            limit=limit,
            side=side,
        )


def _value_shape(delays: Delays, ranges: tuple[Range, ...]) -> Shape:
    return Shape(kernel.VALUE, ranges, nanoseconds(delays.on_delay_s), nanoseconds(delays.off_delay_s))


def _beyond(side: LimitSide, limit: float, deadband: float) -> Range:
    """Return the values strictly beyond a limit; the condition ends when the value has come back by the deadband."""
    if side in (LimitSide.HIGH, LimitSide.HIGH_HIGH):
        return Range(enter=(math.nextafter(limit, math.inf), math.inf), stay=(limit - deadband, math.inf))
    return Range(enter=(-math.inf, math.nextafter(limit, -math.inf)), stay=(-math.inf, limit + deadband))


def _from(least: float) -> Range:
    """Return the values from one on."""
    return Range(enter=(least, math.inf), stay=(math.nextafter(least, -math.inf), math.inf))


def _between(runs: Sequence[tuple[int, int]]) -> Iterator[Range]:
    """Return the values outside the runs: below the first, between neighbours and above the last."""
    below = [-math.inf, *(float(last) for _, last in runs)]
    above = [*(float(first) for first, _ in runs), math.inf]
    for lo, hi in zip(below, above, strict=True):
        yield Range(enter=(math.nextafter(lo, math.inf), math.nextafter(hi, -math.inf)), stay=(lo, hi))


def _runs(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Join neighbouring codes: a change among wanted states is no change of the condition."""
    for _, run in groupby(enumerate(codes), key=lambda place: place[1] - place[0]):
        members = [code for _, code in run]
        yield members[0], members[-1]


def _codes(first: int, last: int) -> Range:
    return Range(enter=(first, last), stay=(math.nextafter(first, -math.inf), math.nextafter(last, math.inf)))


def nanoseconds(seconds: float) -> int:
    """Return a time as the kernel has it."""
    return round(seconds * NS_PER_S)
