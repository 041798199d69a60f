"""From a facility to the kernel's columns: rules and maintenance plans become rows, ordered by point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from facility.clock import NS_PER_S
from facility.conditions import BadQuality, Condition, Delays, ForbiddenState, LimitSide, NoData, State, Threshold
from facility.errors import ConfigurationError, Mistake
from facility.model import Facility, Point
from facility.priority import Priority
from facility.quality import REASONS, Quality
from rules import fingerprint, kernel
from rules.columns import allocate
from rules.events import Reason
from rules.layout import Columns, Rows

_SIDES = tuple(LimitSide)
_RECORDS = 8192


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The rule or maintenance plan that rows belong to."""

    key: str
    """``rule:12`` or ``plan:pump-1/bearing_service``; its name in saved state."""
    fingerprint: str
    rule_id: int | None = None
    """``None`` for a plan."""
    priority: Priority = Priority.LOW
    """The rule's own; says nothing for a plan."""
    asset_id: str = ""
    plan: str = ""
    """Name of the plan; empty for a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
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


@dataclass(frozen=True, slots=True)
class Program:
    """A facility's rules, ready to run."""

    columns: Columns
    rows: tuple[Row, ...]
    """What each row of the columns means."""
    slots: dict[int, int]
    """Point key to position in the points' columns."""


def compile_facility(facility: Facility) -> Program:
    """Turn all rules and maintenance plans into columns.

    Raises:
        ConfigurationError: A rule or plan names a point or state that the facility does not have.
    """
    mistakes: list[Mistake] = []
    rows = sorted([*_rule_rows(facility, mistakes), *_plan_rows(facility, mistakes)], key=lambda row: row.point)
    if mistakes:
        raise ConfigurationError(mistakes)
    return _lay_out(rows)


def _rule_rows(facility: Facility, mistakes: list[Mistake]) -> Iterator[Row]:
    for rule in facility.rules.values():
        point = facility.points.get(rule.point_key)
        where = f"rule {rule.definition.name} of {rule.asset_id}"
        if point is None:
            mistakes.append(Mistake(where, 0, f"watches point {rule.point_key}, which the facility does not have"))
            continue
        unknown = _unknown_states(rule.definition.condition, point)
        if unknown:
            known = ", ".join(point.definition.states) or "none"
            mistakes.append(Mistake(where, 0, f"{point.address} has no state {unknown}; write one of: {known}"))
            continue
        owner = Owner(
            key=f"rule:{rule.id}",
            fingerprint=fingerprint.of_rule(rule, point),
            rule_id=rule.id,
            priority=rule.definition.priority,
            asset_id=rule.asset_id,
        )
        yield from rows_of(rule.definition.condition, owner, point)


def _unknown_states(condition: Condition, point: Point) -> str:
    names = fingerprint.named_states(condition)
    return ", ".join(name for name in names if name not in point.definition.states)


def rows_of(condition: Condition, owner: Owner, point: Point) -> list[Row]:
    """Return a condition's rows."""
    match condition:
        case Threshold():
            return [_limit_row(condition, side, owner, point) for side in condition.limits]
        case State():
            return [_state_row(condition, owner, point)]
        case ForbiddenState():
            return [_forbidden_row(condition, owner, point)]
        case NoData():
            return [_silence_row(condition.timeout_s, 0, owner, point)]
        case BadQuality():
            timeouts = [] if condition.timeout_s is None else [condition.timeout_s]
            silence = [_silence_row(timeout_s, 1, owner, point) for timeout_s in timeouts]
            return [_quality_row(condition, owner, point), *silence]
    raise NotImplementedError(condition.type)


def _silence_row(timeout_s: float, ordinal: int, owner: Owner, point: Point) -> Row:
    return Row(
        owner=owner,
        ordinal=ordinal,
        point=point.key,
        shape=Shape(kernel.NO_DATA, on_delay_ns=_ns(timeout_s)),
        reason=Reason.NO_DATA,
        priority=owner.priority,
        limit=timeout_s,
    )


def _quality_row(condition: BadQuality, owner: Owner, point: Point) -> Row:
    codes = sorted({REASONS[reason] for reason in condition.reasons})
    return Row(
        owner=owner,
        ordinal=0,
        point=point.key,
        shape=Shape(
            kernel.QUALITY,
            tuple(_codes(first, last) for first, last in codes),
            _ns(condition.on_delay_s),
            _ns(condition.off_delay_s),
        ),
        reason=Reason.BAD_QUALITY,
        priority=owner.priority,
        limit=float(codes[0][0]),
    )


def _limit_row(condition: Threshold, side: LimitSide, owner: Owner, point: Point) -> Row:
    limit = condition.limits[side]
    return Row(
        owner=owner,
        ordinal=_SIDES.index(side),
        point=point.key,
        shape=_value_shape(condition, (_beyond(side, limit.value, condition.deadband),)),
        reason=Reason(side.value),
        priority=limit.priority or owner.priority,
        limit=limit.value,
        side=side,
    )


def _value_shape(delays: Delays, ranges: tuple[Range, ...]) -> Shape:
    return Shape(kernel.VALUE, ranges, _ns(delays.on_delay_s), _ns(delays.off_delay_s))


def _beyond(side: LimitSide, limit: float, deadband: float) -> Range:
    """Return the values strictly beyond a limit; the condition ends when the value has come back by the deadband."""
    if side in (LimitSide.HIGH, LimitSide.HIGH_HIGH):
        return Range(enter=(math.nextafter(limit, math.inf), math.inf), stay=(limit - deadband, math.inf))
    return Range(enter=(-math.inf, math.nextafter(limit, -math.inf)), stay=(-math.inf, limit + deadband))


def _state_row(condition: State, owner: Owner, point: Point) -> Row:
    codes = sorted({point.definition.states[name] for name in condition.states})
    return Row(
        owner=owner,
        ordinal=0,
        point=point.key,
        shape=_value_shape(condition, tuple(_codes(first, last) for first, last in _runs(codes))),
        reason=Reason.STATE,
        priority=owner.priority,
        limit=float(codes[0]),
    )


def _forbidden_row(condition: ForbiddenState, owner: Owner, point: Point) -> Row:
    codes = sorted({point.definition.states[name] for name in condition.allowed})
    return Row(
        owner=owner,
        ordinal=0,
        point=point.key,
        shape=_value_shape(condition, tuple(_between(list(_runs(codes))))),
        reason=Reason.FORBIDDEN_STATE,
        priority=owner.priority,
        limit=float(codes[0]),
    )


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


def _plan_rows(facility: Facility, mistakes: list[Mistake]) -> Iterator[Row]:
    points = {(point.asset_id, point.name): point for point in facility.points.values()}
    for asset in facility.assets.values():
        for name, plan in asset.equipment_class.maintenance.items():
            meter = points.get((asset.id, plan.meter))
            if meter is None:
                mistakes.append(Mistake(f"plan {name} of {asset.id}", 0, f"{asset.id} has no meter {plan.meter}"))
                continue
            owner = Owner(
                key=f"plan:{asset.id}/{name}",
                fingerprint=fingerprint.of_plan(plan, meter),
                asset_id=asset.id,
                plan=name,
            )
            yield Row(
                owner=owner,
                ordinal=0,
                point=meter.key,
                shape=Shape(kernel.METER, (Range(enter=(plan.every, math.inf), stay=(-math.inf, math.inf)),)),
                reason=Reason.NORMAL,
                priority=owner.priority,
                limit=plan.every,
            )


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _lay_out(rows: list[Row]) -> Program:
    keys = sorted({row.point for row in rows})
    slots = {key: slot for slot, key in enumerate(keys)}
    row_slots = np.array([slots[row.point] for row in rows], np.int64)
    per_point = np.bincount(row_slots, minlength=len(keys)) if rows else np.zeros(0, np.int64)
    shapes = dict.fromkeys(row.shape for row in rows)
    numbers = {shape: number for number, shape in enumerate(shapes)}
    columns = allocate(
        keys=keys[-1] + 1 if keys else 0,
        points=len(keys),
        rows=len(rows),
        shapes=len(shapes),
        ranges=sum(len(shape.ranges) for shape in shapes),
        records=max(_RECORDS, 2 * int(per_point.max(initial=0))),
    )
    columns.points.slot[keys] = range(len(keys))
    columns.points.first_row[1:] = np.cumsum(per_point)
    columns.points.grade[[slots[row.point] for row in rows if row.shape.kind == kernel.QUALITY]] = Quality.GOOD
    columns.rows.live[:, kernel.SHAPE] = [numbers[row.shape] for row in rows]
    _lay_out_shapes(list(shapes), columns.rows)
    return Program(columns, tuple(rows), slots)


def _lay_out_shapes(shapes: Sequence[Shape], rows: Rows) -> None:
    rows.setup[:-1, kernel.KIND] = [shape.kind for shape in shapes]
    rows.setup[:-1, kernel.ON_DELAY] = [shape.on_delay_ns for shape in shapes]
    rows.setup[:-1, kernel.OFF_DELAY] = [shape.off_delay_ns for shape in shapes]
    rows.setup[1:, kernel.FIRST_RANGE] = np.cumsum([len(shape.ranges) for shape in shapes])
    edges = [(*part.enter, *part.stay) for shape in shapes for part in shape.ranges]
    rows.edge[:] = np.array(edges).reshape(-1, 4)
