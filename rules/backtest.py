"""Rules on a stretch of history, through the kernel that runs live: streaming, with no database and no clock.

Several sets of rules (those that are live, and drafts beside them) run in one reading of the history. How it is read
follows from the rules. What a rule that looks at one point says does not depend on other points, so such rules take
each day as it lies on disk, by point and time; rules for which something is computed, or that watch the time of day,
take everything in the order of arrival. No sweep changes a transition, so one at the very end is enough.

Rules begin to watch before the period, for as long as their windows and delays look back, and then say what they would
have said by its first instant. What points had said last before that holds, as long as it is no older than a day: a
door that reports when it moves stands open meanwhile. Where the history has nothing from before, nobody watched: rules
begin with the period.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np

from facility.clock import NS_PER_S
from facility.conditions import Coincidence, Composite
from facility.expression import names_in
from facility.history.days import NS_PER_DAY
from facility.model import Facility, Rule
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules.baseline import Baseline
from rules.compile import compile_facility
from rules.engine import RuleEngine
from rules.events import RuleTransition
from rules.layout import Kernel
from rules.signals.wiring import is_computed
from rules.spans import SpanEngine, Spans

LEAST_WARM_UP_S: Final = 3_600.0
"""Rules watch for at least so long before the period: a value inside a deadband says nothing by itself."""


STANDS_NS: Final = NS_PER_DAY
"""For so long before rules begin to watch, the newest sample of each point is looked for."""


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


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A facility with the rules to run."""

    facility: Facility
    baselines: Mapping[int, Baseline] = field(default_factory=dict)
    """By rule, what was learned of its good period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Rules that share one reading of the history."""

    order: Order
    sets: tuple[RuleSet, ...]
    """Each cut to the rules of this reading; they may have none in one of the sets."""
    tested: tuple[frozenset[int], ...]
    """By set, the rules that are asked about; others are there since these ask for their truth."""
    points: frozenset[int]
    look_back_ns: int
    """How long before the period the rules have to watch."""

    def start_ns(self, period: Period) -> int:
        """Return the source time from which on the rules watch."""
        return period.start_ns - self.look_back_ns


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch added."""

    share: float
    """How much of the history is behind, 0 to 1."""
    samples: int
    """How many the batch had."""
    transitions: tuple[tuple[RuleTransition, ...], ...] = ()
    """By set of rules. Each rule's are in order; those before the period's start only tell how things stood then."""
    spans: tuple[Spans, ...] = ()
    """By set of rules, with the last step of :func:`standing`."""


def readings(sets: Sequence[RuleSet], tested: Collection[int]) -> list[Reading]:
    """Part the rules ``tested`` by how they have to be read; a set need not have all of them.

    Raises:
        ConfigurationError: A rule refers to something that is not there, or that does not fit.
    """
    asked = [frozenset(tested) & each.facility.rules.keys() for each in sets]
    alone = [
        frozenset(key for key in keys if not is_computed(each.facility.rules[key].definition))
        for keys, each in zip(asked, sets, strict=True)
    ]
    joined = [keys - direct for keys, direct in zip(asked, alone, strict=True)]
    parts = [_reading(Order.POINT, sets, alone), _reading(Order.ARRIVAL, sets, joined)]
    return [reading for reading in parts if any(reading.tested)]


def backtest(
    sets: Sequence[RuleSet], tested: Collection[int], period: Period, read: Read, *, fast: Kernel
) -> Iterator[Step]:
    """Run rules over a period and give their transitions; whoever has enough stops asking for the next step.

    Args:
        sets: The same facility with different rules.
        tested: Ids of the rules whose transitions are wanted; a set need not have all of them.
        period: What counts.
        read: Gives the samples.
        fast: Kernel for batches that are not small.

    Raises:
        ConfigurationError: A rule refers to something that is not there, or that does not fit.
    """
    parts = readings(sets, tested)
    for number, reading in enumerate(parts):
        for step in transitions(reading, period, read, fast=fast):
            yield replace(step, share=(number + step.share) / len(parts))


def transitions(reading: Reading, period: Period, read: Read, *, fast: Kernel) -> Iterator[Step]:
    """Run the rules of one reading, and give every transition with its evidence."""
    engines: list[RuleEngine] = []
    place = _Place(reading, period)
    for batch in _batches(reading, period, read):
        engines = engines or _engines(reading, _began_ns(batch, period), fast)
        said = (engine.evaluate(batch).transitions for engine in engines)
        yield Step(place.share(batch), len(batch), _tested(said, reading))
    engines = engines or _engines(reading, period.start_ns, fast)
    yield Step(1.0, 0, _tested((engine.sweep(period.end_ns).transitions for engine in engines), reading))


def standing(reading: Reading, period: Period, read: Read, *, fast: Kernel) -> Iterator[Step]:
    """Run the rules of a reading by point, and give in the end when they stood: for millions of samples at once."""
    engines: list[SpanEngine] = []
    place = _Place(reading, period)
    for batch in _batches(reading, period, read):
        engines = engines or _span_engines(reading, _began_ns(batch, period), fast)
        for engine in engines:
            engine.evaluate(batch)
        yield Step(place.share(batch), len(batch))
    engines = engines or _span_engines(reading, period.start_ns, fast)
    for engine in engines:
        engine.sweep(period.end_ns)
    yield Step(1.0, 0, spans=tuple(engine.spans() for engine in engines))


def with_rules(facility: Facility, drafts: Mapping[int, Rule | None]) -> Facility:
    """Return the facility with other rules in the place of some; ``None``: without that rule."""
    rules = {**facility.rules, **drafts}
    return replace(facility, rules={key: rule for key, rule in rules.items() if rule is not None})


def cut(facility: Facility, wanted: Collection[int]) -> Facility:
    """Return the facility with some of its rules and what those look at: small enough to be sent elsewhere."""
    rules = {key: facility.rules[key] for key in sorted(wanted) if key in facility.rules}
    assets = _assets_of(facility, rules.values())
    by_name = {asset.equipment_class.name: asset.equipment_class for asset in facility.assets.values()}
    classes = {name: equipment.model_copy(update={"maintenance": {}}) for name, equipment in by_name.items()}
    return replace(
        facility,
        connections={},
        assets={
            key: replace(asset, equipment_class=classes[asset.equipment_class.name])
            for key, asset in facility.assets.items()
            if key in assets
        },
        points={key: point for key, point in facility.points.items() if point.asset_id in assets},
        rules=rules,
        archive=None,
    )


def needed(facility: Facility, tested: Collection[int]) -> frozenset[int]:
    """Return the ids of rules that have to run so that the tested ones can: those, and what their expressions name."""
    found: set[int] = set()
    waiting = [key for key in tested if key in facility.rules]
    while waiting:
        rule = facility.rules[waiting.pop()]
        if rule.id not in found:
            found.add(rule.id)
            waiting += _named(facility, rule)
    return frozenset(found)


def said_last(batches: Iterable[SampleBatch]) -> SampleBatch:
    """Return the newest sample of each point and, where that is bad, its newest usable one before it.

    They come in the order of arrival.
    """
    newest = usable = SampleBatch.of([])
    for batch in batches:
        newest = _last_of_each(SampleBatch.concatenate([newest, batch]))
        usable = _last_of_each(SampleBatch.concatenate([usable, batch.where(batch.quality < BAD_FROM)]))
    bad = newest.where(newest.quality >= BAD_FROM)
    found = SampleBatch.concatenate([usable, bad])
    order = np.argsort(found.gateway_time_ns, kind="stable")
    return SampleBatch(*(getattr(found, column)[order] for column in SampleBatch.__slots__))


def _named(facility: Facility, rule: Rule) -> list[int]:
    """Return the rules of its asset that a rule's expression names."""
    if not isinstance(rule.definition.condition, Composite):
        return []
    names = names_in(rule.definition.condition.expression)
    others = (other for other in facility.rules.values() if other.asset_id == rule.asset_id)
    return [other.id for other in others if other.definition.name in names]


def _assets_of(facility: Facility, rules: Iterable[Rule]) -> set[str]:
    """Return the assets whose points the rules may look at."""
    asked = list(rules)
    parents = {rule.asset_id for rule in asked if isinstance(rule.definition.condition, Coincidence)}
    devices = {asset.id for asset in facility.assets.values() if asset.parent_id in parents}
    return {rule.asset_id for rule in asked} | devices


def _reading(order: Order, sets: Sequence[RuleSet], tested: Sequence[frozenset[int]]) -> Reading:
    parts = tuple(
        RuleSet(cut(each.facility, needed(each.facility, wanted)), each.baselines)
        for each, wanted in zip(sets, tested, strict=True)
    )
    rules = [rule for part in parts for rule in part.facility.rules.values()]
    points = {rule.point_key for rule in rules}
    longest_ns = round(NS_PER_S * max(LEAST_WARM_UP_S, *map(_remembers_s, rules), 0.0))
    if order is Order.ARRIVAL:
        for part in parts:
            network = compile_facility(part.facility, part.baselines).network
            look_backs = network.look_backs(()) if network else {}
            points |= look_backs.keys()
            longest_ns = max(longest_ns, *look_backs.values(), 0)
    return Reading(order=order, sets=parts, tested=tuple(tested), points=frozenset(points), look_back_ns=longest_ns)


def _remembers_s(rule: Rule) -> float:
    """Return for how many seconds a rule's delays and silence look back."""
    condition = rule.definition.condition
    return sum(getattr(condition, name, None) or 0.0 for name in ("on_delay_s", "off_delay_s", "timeout_s"))


def _batches(reading: Reading, period: Period, read: Read) -> Iterator[SampleBatch]:
    start_ns = reading.start_ns(period)
    before = said_last(read(reading.points, start_ns - STANDS_NS, start_ns, reading.order))
    if len(before):
        yield before if reading.order is Order.POINT else before.not_before(start_ns - 1)  # no clock ticks for a day
    for batch in read(reading.points, start_ns, period.end_ns, reading.order):
        yield as_they_arrived(batch) if reading.order is Order.POINT else batch


def _last_of_each(batch: SampleBatch) -> SampleBatch:
    """Return the sample of each point with the newest source time, of several the one that arrived last."""
    order = np.lexsort((batch.gateway_time_ns, batch.source_time_ns, batch.point))
    last = order[np.flatnonzero(np.diff(batch.point[order], append=-1))]
    return SampleBatch(*(getattr(batch, column)[last] for column in SampleBatch.__slots__))


def _began_ns(first: SampleBatch, period: Period) -> int:
    """Return when the rules began to watch: with the first sample, or with the period where nothing is from before."""
    return min(period.start_ns, int(first.gateway_time_ns.min()))


def _engines(reading: Reading, now_ns: int, fast: Kernel) -> list[RuleEngine]:
    return [RuleEngine(each.facility, now_ns=now_ns, baselines=each.baselines, fast=fast) for each in reading.sets]


def _span_engines(reading: Reading, now_ns: int, fast: Kernel) -> list[SpanEngine]:
    return [SpanEngine(each.facility, now_ns=now_ns, fast=fast) for each in reading.sets]


def _tested(said: Iterable[Iterable[RuleTransition]], reading: Reading) -> tuple[tuple[RuleTransition, ...], ...]:
    return tuple(
        tuple(transition for transition in own if transition.rule_id in wanted)
        for own, wanted in zip(said, reading.tested, strict=True)
    )


class _Place:
    """Tells from a batch how far a reading is, without counting beforehand what there is to read."""

    def __init__(self, reading: Reading, period: Period) -> None:
        self._order = reading.order
        self._points = np.array(sorted(reading.points), np.int64)
        self._start_ns, self._end_ns = reading.start_ns(period), period.end_ns

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
