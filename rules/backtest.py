"""Rules on a stretch of history, through the engine that runs live: streaming, with no database and no clock.

Several sets of rules (those that are live, and drafts beside them) run in one reading of the history. How it is read
follows from the rules. What a rule that looks at one point says does not depend on other points, so such rules take
each day as it lies on disk, by point and time; rules that join points, or watch the time of day, take everything in the
order of arrival. The kernel lets no sweep change a transition, so one at the very end is enough.

Rules begin to watch before the period, for as long as their windows and delays look back, and then say what they would
have said by its first instant. Where the history has nothing from before, nobody watched: they begin with the period.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from facility.clock import NS_PER_S
from facility.conditions import DIRECT, Coincidence, Composite, Condition
from facility.history.days import NS_PER_DAY
from facility.model import Facility, Rule
from facility.samples import SampleBatch
from rules.engine import RuleEngine
from rules.events import RuleTransition
from rules.layout import Kernel

LEAST_WARM_UP_S: Final = 3_600.0
"""Rules watch for at least so long before the period: a value inside a deadband says nothing by itself."""

_LOOKS_BACK_S: Final = ("on_delay_s", "off_delay_s", "timeout_s", "window_s", "for_s")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


class Order(StrEnum):
    """How a day of history is read."""

    POINT = "point"
    """By point and source time, as it lies on disk."""
    ARRIVAL = "arrival"


Read = Callable[[Collection[int], int, int, Order], Iterable[SampleBatch]]
"""Gives the samples of points with source time from one nanosecond to before another, day by day in an order; no batch
is empty, and what one point has of a day is in one batch unless that would be too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The stretch of history that counts."""

    start_ns: int
    end_ns: int
    """Not part of it any more."""

    @property
    def days(self) -> float:
        """Return how many days of 24 hours it has."""
        return (self.end_ns - self.start_ns) / NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch added."""

    share: float
    """How much of the history is behind, 0 to 1."""
    samples: int
    """How many the batch had."""
    transitions: tuple[tuple[RuleTransition, ...], ...]
    """By set of rules. Each rule's are in order; those before the period's start only tell how things stood then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Rules that share one reading of the history."""

    order: Order
    sets: tuple[Facility, ...]
    """Each cut to the rules of this reading."""
    tested: tuple[frozenset[int], ...]
    """By set; other rules are there since tested ones ask for their truth."""
    points: frozenset[int]


def backtest(
    sets: Sequence[Facility], tested: Collection[int], period: Period, read: Read, *, fast: Kernel
) -> Iterator[Step]:
    """Run the rules ``tested`` of every set over a period; whoever has enough stops asking for the next step.

    Args:
        sets: The same facility with different rules.
        tested: Ids of the rules whose transitions are wanted; a set need not have all of them.
        period: What counts.
        read: Gives the samples.
        fast: Kernel for batches that are not small.

    Raises:
        ConfigurationError: A rule names a point or state that the facility does not have.
    """
    readings = _readings(sets, frozenset(tested))
    for number, reading in enumerate(readings):
        for step in _run(reading, period, read, fast):
            yield replace(step, share=(number + step.share) / len(readings))


def with_rules(facility: Facility, drafts: Mapping[int, Rule | None]) -> Facility:
    """Return the facility with other rules in the place of some; ``None``: without that rule."""
    rules = {**facility.rules, **drafts}
    return replace(facility, rules={key: rule for key, rule in rules.items() if rule is not None})


def cut(facility: Facility, wanted: Collection[int]) -> Facility:
    """Return the facility with some of its rules and what those look at: small enough to be sent elsewhere."""
    rules = {key: facility.rules[key] for key in sorted(wanted) if key in facility.rules}
    assets = _assets_of(facility, rules.values())
    return replace(
        facility,
        connections={},
        assets={
            key: replace(asset, equipment_class=asset.equipment_class.model_copy(update={"maintenance": {}}))
            for key, asset in facility.assets.items()
            if key in assets
        },
        points={key: point for key, point in facility.points.items() if point.asset_id in assets},
        rules=rules,
        archive=None,
    )


def needed(facility: Facility, tested: Collection[int]) -> frozenset[int]:
    """Return the ids of rules that have to run so that the tested ones can: those, and what their expressions name."""
    by_name = {(rule.asset_id, rule.definition.name): rule.id for rule in facility.rules.values()}
    found: set[int] = set()
    waiting = [key for key in tested if key in facility.rules]
    while waiting:
        rule = facility.rules[waiting.pop()]
        if rule.id not in found:
            found.add(rule.id)
            condition = rule.definition.condition
            names = _NAME.findall(condition.expression) if isinstance(condition, Composite) else []
            waiting += [by_name[rule.asset_id, name] for name in names if (rule.asset_id, name) in by_name]
    return frozenset(found)


def points_read(facility: Facility, tested: Collection[int]) -> frozenset[int]:
    """Return the keys of the points whose samples a back-test of these rules asks for."""
    return frozenset().union(*(reading.points for reading in _readings([facility], frozenset(tested))))


def warm_up_ns(facility: Facility) -> int:
    """Return for how long before the period a facility's rules have to watch."""
    longest_s = max((_looks_back_s(rule.definition.condition) for rule in facility.rules.values()), default=0.0)
    return round(max(longest_s, LEAST_WARM_UP_S) * NS_PER_S)


def looks_at_one_point(rule: Rule) -> bool:
    """Tell whether a rule's transitions follow from the samples of its own point alone."""
    definition = rule.definition
    return isinstance(definition.condition, DIRECT) and definition.only_when is None and definition.schedule is None


def _looks_back_s(condition: Condition) -> float:
    hours = getattr(condition, "window_h", None) or 0.0
    return 3_600.0 * hours + sum(getattr(condition, name, None) or 0.0 for name in _LOOKS_BACK_S)


def _assets_of(facility: Facility, rules: Iterable[Rule]) -> set[str]:
    """Return the assets whose points the rules may look at."""
    found = set()
    parents = set()
    for rule in rules:
        found.add(rule.asset_id)
        if isinstance(rule.definition.condition, Coincidence):
            parents.add(rule.asset_id)
    return found | {asset.id for asset in facility.assets.values() if asset.parent_id in parents}


def _readings(sets: Sequence[Facility], tested: frozenset[int]) -> list[_Reading]:
    alone = [
        frozenset(key for key in tested if key in facility.rules and looks_at_one_point(facility.rules[key]))
        for facility in sets
    ]
    joined = [
        frozenset(key for key in tested if key in facility.rules) - direct
        for facility, direct in zip(sets, alone, strict=True)
    ]
    readings = [_reading(order, sets, wanted) for order, wanted in ((Order.POINT, alone), (Order.ARRIVAL, joined))]
    return [reading for reading in readings if any(reading.tested)]


def _reading(order: Order, sets: Sequence[Facility], tested: Sequence[frozenset[int]]) -> _Reading:
    parts = [cut(facility, needed(facility, wanted)) for facility, wanted in zip(sets, tested, strict=True)]
    if order is Order.POINT:
        points = {rule.point_key for part in parts for rule in part.rules.values()}
    else:
        points = {key for part in parts for key in part.points}
    return _Reading(order=order, sets=tuple(parts), tested=tuple(tested), points=frozenset(points))


def _run(reading: _Reading, period: Period, read: Read, fast: Kernel) -> Iterator[Step]:
    start_ns = period.start_ns - max(map(warm_up_ns, reading.sets))
    engines: list[RuleEngine] = []
    place = _Place(reading, start_ns, period.end_ns)
    for found in read(reading.points, start_ns, period.end_ns, reading.order):
        batch = as_they_arrived(found) if reading.order is Order.POINT else found
        engines = engines or _engines(reading, min(period.start_ns, int(batch.gateway_time_ns.min())), fast)
        said = tuple(
            _tested(engine.evaluate(batch).transitions, tested)
            for engine, tested in zip(engines, reading.tested, strict=True)
        )
        yield Step(place.share(batch), len(batch), said)
    engines = engines or _engines(reading, period.start_ns, fast)
    ends = (engine.sweep(period.end_ns).transitions for engine in engines)
    yield Step(1.0, 0, tuple(_tested(end, tested) for end, tested in zip(ends, reading.tested, strict=True)))


def _engines(reading: _Reading, now_ns: int, fast: Kernel) -> list[RuleEngine]:
    return [RuleEngine(facility, now_ns=now_ns, fast=fast) for facility in reading.sets]


def _tested(transitions: Iterable[RuleTransition], tested: frozenset[int]) -> tuple[RuleTransition, ...]:
    return tuple(transition for transition in transitions if transition.rule_id in tested)


class _Place:
    """Tells from a batch how far a reading is, without counting beforehand what there is to read."""

    def __init__(self, reading: _Reading, start_ns: int, end_ns: int) -> None:
        self._order = reading.order
        self._points = np.array(sorted(reading.points), np.int64)
        self._start_ns, self._end_ns = start_ns, end_ns

    def share(self, batch: SampleBatch) -> float:
        """Return how much of the history is behind with this batch."""
        last_ns = int(batch.source_time_ns[-1])
        if self._order is Order.POINT:
            day_ns = last_ns - last_ns % NS_PER_DAY
            behind = np.searchsorted(self._points, int(batch.point[-1]), side="right") / len(self._points)
            first_ns, after_ns = max(day_ns, self._start_ns), min(day_ns + NS_PER_DAY, self._end_ns)
            last_ns = round(first_ns + behind * (after_ns - first_ns))
        return min(max((last_ns - self._start_ns) / (self._end_ns - self._start_ns), 0.0), 1.0)


def as_they_arrived(batch: SampleBatch) -> SampleBatch:
    """Put the samples of each point in the order in which they arrived, as the rules saw them.

    On disk a sample that came late stands where its time belongs. Nearly always there is none, and nothing is copied.
    """
    late = (np.diff(batch.gateway_time_ns) < 0) & (np.diff(batch.point) == 0)
    if not late.any():
        return batch
    order = np.lexsort((batch.gateway_time_ns, batch.point))
    return SampleBatch(*(getattr(batch, column)[order] for column in SampleBatch.__slots__))
