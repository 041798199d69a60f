"""Runs many settings of one rule on what its point did, in one pass of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np

from facility.clock import NS_PER_S
from facility.condition_checks import possible_values
from facility.conditions import (
    CounterIncrease,
    ForbiddenState,
    Limited,
    LimitSide,
    RateOfChange,
    State,
    Threshold,
    WindowStatistic,
)
from facility.model import Facility, Point, Rule
from facility.samples import SampleBatch
from rules.backtest import Period, cut
from rules.candidates import Settings, Window
from rules.layout import Kernel
from rules.spans import Integers, SpanEngine, Spans

LEAD_NS: Final = 600 * NS_PER_S
"""How long before a label an alarm may begin and still be meant for it: people label what they noticed."""
_DAY_NS: Final = 86_400 * NS_PER_S

Tunable: TypeAlias = Threshold | RateOfChange | WindowStatistic | CounterIncrease | State | ForbiddenState
"""Conditions that one point decides, by its value or by a quantity that is computed of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A rule, what its point did, and what is wanted."""

    facility: Facility
    rule: Rule
    samples: SampleBatch
    """What the rule's limits are held against, in the order of arrival, with some from before the period: the samples
    of its point, or what is computed of them."""
    period: Period
    labels: tuple[Window, ...]
    target_per_day: float
    """Alarms a day, at most."""

    @property
    def point(self) -> Point:
        """Return the rule's point."""
        return self.facility.points[self.rule.point_key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Settings and what they would do."""

    settings: Settings
    alarms_per_day: float
    labels_caught: int
    """Labels within which, or at most :data:`LEAD_NS` before which, an alarm began: one that stands for ever tells
    nobody anything."""
    delay_s: float | None
    """Median time from a caught label's start to its first alarm; ``None``: none caught."""
    idle_percent: float
    """Share of the time without a label in which an alarm stood."""


def with_settings(condition: Tunable, side: LimitSide | None, settings: Settings) -> Tunable:
    """Return a condition with other settings."""
    delays_only = {"on_delay_s": settings.on_delay_s, "off_delay_s": settings.off_delay_s}
    if not isinstance(condition, Limited) or side is None or settings.limit is None:
        return condition.model_copy(update=delays_only)
    moved = condition.limits[side].model_copy(update={"value": settings.limit})
    changed = {"limits": {**condition.limits, side: moved}, "deadband": settings.deadband}
    return condition.model_copy(update=delays_only | changed)


class Trial:
    """Runs candidates as rules on one point."""

    def __init__(self, question: Question, condition: Tunable, side: LimitSide | None, fast: Kernel) -> None:
        self._question = question
        self._condition = condition
        self._side = side
        self._fast = fast
        self._facility = cut(question.facility, [question.rule.id])
        self._labelled = merged(question.labels)
        rule = question.rule
        equipment = question.facility.assets[rule.asset_id].equipment_class
        self._possible = possible_values(equipment, rule.definition, question.point.definition)

    def fits(self, limit: float) -> bool:
        """Tell whether a limit lies between the rule's others, and where the quantity can be at all."""
        others = dict(self._condition.limits) if isinstance(self._condition, Limited) else {}
        levels = [limit if side is self._side else others[side].value for side in LimitSide if side in others]
        low, high = self._possible or (-np.inf, np.inf)
        return low <= limit <= high and all(below < above for below, above in pairwise(levels))

    def run(self, settings: Sequence[Settings]) -> list[Candidate]:
        """Return what each would do, in the order given."""
        rule = self._question.rule
        rules = {
            number: replace(
                rule, id=number, definition=rule.definition.model_copy(update={"condition": _direct(condition)})
            )
            for number, condition in enumerate(
                (with_settings(self._condition, self._side, each) for each in settings), 1
            )
        }
        samples, period = self._question.samples, self._question.period
        began_ns = min(period.start_ns, int(samples.gateway_time_ns.min()))
        engine = SpanEngine(replace(self._facility, rules=rules), now_ns=began_ns, fast=self._fast)
        engine.evaluate(samples)
        engine.sweep(period.end_ns)
        spans = engine.spans()
        edges = np.searchsorted(spans.rule, np.arange(1, len(settings) + 2))
        return [
            self._candidate(each, spans, slice(edges[place], edges[place + 1])) for place, each in enumerate(settings)
        ]

    def _candidate(self, settings: Settings, spans: Spans, own: slice) -> Candidate:
        start_ns, end_ns = spans.start_ns[own], spans.end_ns[own]
        period, labels = self._question.period, self._question.labels
        alarms = int(((start_ns >= period.start_ns) & (start_ns < period.end_ns)).sum())
        waits = []
        for label in labels:
            place = int(np.searchsorted(start_ns, label.start_ns - LEAD_NS))
            if place < len(start_ns) and start_ns[place] <= label.end_ns:
                waits.append(max(int(start_ns[place]) - label.start_ns, 0))
        whole_ns = np.array([period.start_ns]), np.array([period.end_ns])
        quiet_ns, idle_ns = self._unlabelled_ns(*whole_ns), self._unlabelled_ns(start_ns, end_ns)
        return Candidate(
            settings=settings,
            alarms_per_day=alarms * _DAY_NS / (period.end_ns - period.start_ns),
            labels_caught=len(waits),
            delay_s=float(np.median(waits)) / NS_PER_S if waits else None,
            idle_percent=100.0 * idle_ns / quiet_ns if quiet_ns else 0.0,
        )

    def _unlabelled_ns(self, start_ns: Integers, end_ns: Integers) -> int:
        """Return for how much of the period one of the stretches, which do not overlap, stood without a label."""
        period = self._question.period
        starts, ends = np.maximum(start_ns, period.start_ns), np.minimum(end_ns, period.end_ns)
        labelled = (np.minimum(ends, label.end_ns) - np.maximum(starts, label.start_ns) for label in self._labelled)
        return int(np.maximum(ends - starts, 0).sum() - sum(np.maximum(part, 0).sum() for part in labelled))


def _direct(condition: Tunable) -> Threshold | State | ForbiddenState:
    """Return a condition as it is decided on what its limits are held against."""
    if isinstance(condition, Threshold | State | ForbiddenState):
        return condition
    return Threshold(
        type="threshold",
        limits=condition.limits,
        deadband=condition.deadband,
        on_delay_s=condition.on_delay_s,
        off_delay_s=condition.off_delay_s,
    )


def merged(labels: Sequence[Window]) -> list[Window]:
    """Return the same stretches of time, each once."""
    found: list[Window] = []
    for label in sorted(labels):
        if found and label.start_ns <= found[-1].end_ns:
            found[-1] = Window(found[-1].start_ns, max(found[-1].end_ns, label.end_ns))
        else:
            found.append(label)
    return found
