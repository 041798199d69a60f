"""Report by exception: a measured value that hardly moved is left out, and everything that may matter is not.

A point's ``report`` says how far its value must move from the one reported last (``absolute`` in the point's unit, or
``percent`` of the value reported last), and after how long it is reported all the same (``heartbeat_s``). These always
pass, however little the value moved: a change of quality, a value that reaches or crosses a limit of one of the
point's rules (or the deadband of that limit), a counter that reaches another multiple of a maintenance plan, and a
sample older than the one reported last. States, events and points of life safety take no ``report`` at all.

What is left out was within the deadband of what was reported, so whoever draws or decides from the reported samples
errs by no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from facility.clock import NS_PER_S
from facility.conditions import BadQuality, NoData, StuckValue, Threshold
from facility.equipment import MaintenancePlan, PointKind, ReportDefinition, RuleDefinition
from facility.model import Facility, Point
from facility.rule_inputs import RuleInputs
from facility.samples import SampleBatch

DEFAULT_HEARTBEAT_S: Final = 60.0
"""Facility seconds after which an unmoved value is reported, where neither class nor profile says another time."""

SIGNS_OF_LIFE: Final = 2.0
"""Heartbeats within the shortest time after which a rule takes a point's silence for a loss."""

_UNSEEN: Final = -(2**62)
_QUANTITIES: Final = frozenset({PointKind.ANALOG, PointKind.COUNTER})


RulesByPoint: TypeAlias = Mapping[int, Sequence[RuleDefinition]]
"""Point key to the rules that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a point's value is news."""

    absolute: float = 0.0
    """In the point's unit."""
    share: float = 0.0
    """Of the value reported last."""
    heartbeat_ns: int
    edges: tuple[float, ...] = ()
    """Values at which a rule may change its mind; whatever reaches or crosses one is news."""
    intervals: tuple[float, ...] = ()
    """Of the maintenance plans that the point is the meter of; each one's next multiple is news."""


class Reporter:
    """Remembers what was reported last of every point with a policy; used by one thread at a time."""

    def __init__(self, policies: Mapping[int, Policy]) -> None:
        """Take policies by point key; all other points are always news."""
        count = len(policies)
        self._slot = np.full(max(policies, default=-1) + 2, -1, np.int64)  # the last place is for all unknown keys
        self._slot[list(policies)] = range(count)
        chosen = list(policies.values())
        self._absolute = np.array([policy.absolute for policy in chosen], np.float64)
        self._share = np.array([policy.share for policy in chosen], np.float64)
        self._heartbeat_ns = np.array([policy.heartbeat_ns for policy in chosen], np.int64)
        self._edges = _table([policy.edges for policy in chosen])
        self._intervals = _table([policy.intervals for policy in chosen])
        self._value = np.full(count, np.nan)
        self._quality = np.zeros(count, np.uint8)
        self._source_ns = np.full(count, _UNSEEN, np.int64)
        self._gateway_ns = np.full(count, _UNSEEN, np.int64)
        self._low = np.full(count, np.inf)
        self._high = np.full(count, -np.inf)

    def news(self, batch: SampleBatch) -> npt.NDArray[np.bool_]:
        """Tell which samples of a batch are news, and remember those."""
        if not len(self._value):
            return np.ones(len(batch), np.bool_)
        slots = self._slot[np.minimum(batch.point, len(self._slot) - 1)]
        news = slots < 0
        rows = np.flatnonzero(slots >= 0)
        turns = _turns(slots[rows])
        for turn in range(int(turns.max(initial=-1)) + 1):  # once, unless a device gathered before it spoke
            chosen = rows[turns == turn]
            news[chosen] = self._judge(slots[chosen], batch, chosen)
        return news

    def under(self, policies: Mapping[int, Policy]) -> Reporter:
        """Return a reporter by other policies that knows what was reported last, and holds it against those."""
        other = Reporter(policies)
        known = [(int(other._slot[key]), int(self._slot[key])) for key in policies if self._knows(key)]
        if known:
            new, old = np.array(known, np.int64).T
            other._remember(new, self._value[old], self._quality[old], self._source_ns[old], self._gateway_ns[old])
        return other

    def _knows(self, key: int) -> bool:
        """Tell whether anything was ever reported of a point."""
        slot = self._slot[min(key, len(self._slot) - 1)]
        return bool(slot >= 0 and self._gateway_ns[slot] != _UNSEEN)

    def _judge(
        self, slots: npt.NDArray[np.int64], batch: SampleBatch, rows: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.bool_]:
        """Judge one sample each of several points."""
        value, quality = batch.value[rows], batch.quality[rows]
        source_ns, gateway_ns = batch.source_time_ns[rows], batch.gateway_time_ns[rows]
        last, heartbeat_ns = self._value[slots], self._heartbeat_ns[slots]
        is_near = ((value > self._low[slots]) & (value < self._high[slots])) | (value == last)
        is_near |= np.isnan(value) & np.isnan(last)
        is_recent = (gateway_ns - self._gateway_ns[slots] < heartbeat_ns) & (
            source_ns - self._source_ns[slots] < heartbeat_ns
        )
        is_older = source_ns < self._source_ns[slots]
        news: npt.NDArray[np.bool_] = ~(is_near & is_recent & (quality == self._quality[slots])) | is_older
        kept = news & ~is_older
        self._remember(slots[kept], value[kept], quality[kept], source_ns[kept], gateway_ns[kept])
        return news

    def _remember(
        self,
        slots: npt.NDArray[np.int64],
        value: npt.NDArray[np.float64],
        quality: npt.NDArray[np.uint8],
        source_ns: npt.NDArray[np.int64],
        gateway_ns: npt.NDArray[np.int64],
    ) -> None:
        """Keep what is reported, and draw the band of values that are no news after it."""
        self._value[slots], self._quality[slots] = value, quality
        self._source_ns[slots], self._gateway_ns[slots] = source_ns, gateway_ns
        width = np.maximum(self._absolute[slots], self._share[slots] * np.abs(value))
        low, high = value - width, value + width
        for every in self._intervals[slots].T:
            high = np.minimum(high, (np.floor(value / every) + 1.0) * every)  # infinity where there is no plan
        for edges in self._edges[slots].T:
            low = np.where(edges <= value, np.maximum(low, edges), low)
            high = np.where(edges >= value, np.minimum(high, edges), high)
        self._low[slots], self._high[slots] = low, high


def _turns(slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each sample how many of the same point stand before it."""
    order = np.argsort(slots, kind="stable")
    ordered, places = slots[order], np.arange(len(slots))
    is_first = np.ones(len(slots), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    turns = np.empty(len(slots), np.int64)
    turns[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return turns


def report_of(point: Point, entry: object) -> ReportDefinition | None:
    """Return how a point reports by exception: as its profile's ``report`` says, otherwise as its class does.

    Raises:
        ValueError: The entry is none; says what to write.
    """
    if entry is None:
        return point.definition.report
    try:
        return ReportDefinition.model_validate(entry)
    except ValidationError as error:
        places = [
            (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in error.errors()
        ]
        told = "; ".join(f"{place}: {message}" if place else message for place, message in places)
        raise ValueError(f"'report': {told}") from error


def rules_by_point(facility: Facility) -> RulesByPoint:
    """Return the rules that read each point."""
    return RuleInputs(facility).by_point()


def policy_of(
    point: Point, report: ReportDefinition, rules: Sequence[RuleDefinition], plans: Iterable[MaintenancePlan]
) -> Policy:
    """Return when a point's value is news.

    Args:
        point: The point itself.
        report: What its class or profile says.
        rules: Those that read the point.
        plans: Those of the point's class.

    Raises:
        ValueError: The point takes no report, or its heartbeat would look like silence; says what to write.
    """
    if point.definition.kind not in _QUANTITIES:
        raise ValueError(f"'report' means nothing for a point of kind {point.definition.kind}, which always reports")
    if any(rule.life_safety for rule in rules):
        raise ValueError("a rule of life safety reads the point; remove 'report', since it always reports")
    own = [rule for rule in rules if rule.point == point.name]
    if any(isinstance(rule.condition, StuckValue) for rule in own):
        raise ValueError("a rule watches whether the point still moves; remove 'report', which leaves small moves out")
    return Policy(
        absolute=report.absolute or 0.0,
        share=(report.percent or 0.0) / 100.0,
        heartbeat_ns=round(_heartbeat_s(report, own) * NS_PER_S),
        edges=tuple(sorted({edge for rule in own for edge in _edges(rule)})),
        intervals=tuple(plan.every for plan in plans if plan.meter == point.name),
    )


def _heartbeat_s(report: ReportDefinition, rules: Iterable[RuleDefinition]) -> float:
    longest_s = min((timeout_s / SIGNS_OF_LIFE for rule in rules for timeout_s in _timeouts(rule)), default=math.inf)
    if report.heartbeat_s is None:
        return min(DEFAULT_HEARTBEAT_S, longest_s)
    if report.heartbeat_s > longest_s:
        raise ValueError(
            f"a heartbeat of {report.heartbeat_s:g} s would look like silence to a rule that waits "
            f"{longest_s * SIGNS_OF_LIFE:g} s for data; write at most {longest_s:g} s"
        )
    return report.heartbeat_s


def _timeouts(rule: RuleDefinition) -> Iterator[float]:
    if isinstance(rule.condition, NoData | BadQuality) and rule.condition.timeout_s is not None:
        yield rule.condition.timeout_s


def _edges(rule: RuleDefinition) -> Iterator[float]:
    if isinstance(rule.condition, Threshold):
        for limit in rule.condition.limits.values():
            yield from (limit.value, limit.value - rule.condition.deadband, limit.value + rule.condition.deadband)


def _table(lines: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """Return lines of different lengths as one table, filled up with infinity."""
    table = np.full((len(lines), max(map(len, lines), default=0)), np.inf)
    for number, line in enumerate(lines):
        table[number, : len(line)] = line
    return table
