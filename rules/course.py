"""How samples, signals and time come together, so that no cut of a batch and no sweep between changes anything.

A batch that no signal reads goes to the kernel as it is. Of any other, the samples that signals read are heard in the
order of the gateway's time, instant by instant. Before an instant is heard, all that ends before it is finished: the
instant before is judged, and whatever is due by then comes, in order. The instant that was heard last stays open, since
more of it may come, until a later one is heard or a sweep says that it is over.

Where composites read other rules, what the kernel makes of those rules has to be known instant by instant as well. Then
the samples of their points are scanned with their instant, and the kernel is swept at each deadline of theirs. In all
other facilities the kernel is given everything at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from facility.samples import SampleBatch
from rules import kernel
from rules.events import Evaluation, RuleTransition
from rules.fold import Fold
from rules.layout import Column, Record
from rules.signals.network import Network
from rules.signals.parts import Given
from rules.signals.signal import Evidence

Scan: TypeAlias = Callable[[SampleBatch], Iterable[Record]]
Sweep: TypeAlias = Callable[[int], Iterable[Record]]


class Watched(NamedTuple):
    """The rules that composites read."""

    keys: frozenset[int]
    """Of the points and virtual points that their rows are on."""
    places: npt.NDArray[np.int64]
    """The same keys in order: places in the kernel's columns."""
    wake: Column
    """The kernel's: when each of its points has to be looked at."""


class Course:
    """Takes batches and sweeps through signals and kernel."""

    def __init__(self, network: Network, fold: Fold, scan: Scan, sweep: Sweep, watched: Watched) -> None:
        self._network = network
        self._fold = fold
        self._scan = scan
        self._sweep = sweep
        self._watched = watched
        self._follows_rules = len(watched.places) > 0
        self._is_read = _flags({*network.feeds, *watched.keys, *network.virtual_points})
        self._is_virtual = _flags(network.virtual_points)
        self._is_watched = _flags(watched.keys)
        self._parts: list[Evaluation] = []
        self.reached_ns = kernel.UNSEEN
        """Before this instant signals have decided everything."""

    @property
    def next_deadline_ns(self) -> int:
        """Return when a sweep has something to do for signals; ``NEVER``: nothing waits for time."""
        open_until = self._network.clock_ns + 1 if self._network.is_unsettled else kernel.NEVER
        return min(open_until, self._network.next_timer_ns)

    def reads(self, batch: SampleBatch) -> bool:
        """Tell whether any sample of a batch concerns a signal, or has the key of a virtual point by mistake."""
        return bool(np.take(self._is_read, batch.point, mode="clip").any())

    def earliest_ns(self, batch: SampleBatch, others_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each sample of a batch when it can still count, as ``others_ns`` says where no signal reads it."""
        is_read = np.take(self._is_read, batch.point, mode="clip")
        return np.where(is_read, np.maximum(self.reached_ns, others_ns), others_ns)

    def take(self, batch: SampleBatch) -> Evaluation:
        """Take a batch that concerns signals."""
        real = batch.where(~np.take(self._is_virtual, batch.point, mode="clip"))
        is_watched = np.take(self._is_watched, real.point, mode="clip")
        self._fold_in(self._scan(real.where(~is_watched) if self._follows_rules else real))
        self._hear(_ordered(real.where(np.take(self._is_read, real.point, mode="clip"))))
        self._give()
        return self._taken()

    def sweep(self, now_ns: int) -> Evaluation:
        """Finish all that is over before ``now_ns``, and what is due by then."""
        self._pass(now_ns)
        self._give()
        self._fold_in(self._sweep(now_ns))
        return self._taken()

    def _hear(self, batch: SampleBatch) -> None:
        """Hear samples in the order of the gateway's time."""
        network = self._network
        columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        for start, end in _instants(batch.gateway_time_ns):
            at_ns = rows[start][2]
            if at_ns > network.clock_ns:
                self._pass(at_ns)
                network.clock_ns = max(at_ns, network.clock_ns)
            if self._follows_rules:
                instant = batch.part(start, end)
                self._fold_in(self._scan(instant.where(np.take(self._is_watched, instant.point, mode="clip"))))
            for row in rows[start:end]:
                network.hear(*row)

    def _pass(self, until_ns: int) -> None:
        """Let all happen that happens before the samples of an instant."""
        network = self._network
        self.reached_ns = max(self.reached_ns, until_ns)
        network.begin_by(until_ns)
        while True:
            if network.clock_ns < until_ns:
                self._settle()
            due_ns = min(network.next_timer_ns, self._next_watched_ns())
            if due_ns > until_ns:
                return
            network.clock_ns = max(network.clock_ns, due_ns)
            network.reach(due_ns)
            if self._follows_rules:
                self._fold_in(self._sweep(due_ns))

    def _settle(self) -> None:
        """Judge what the instant that is over has changed."""
        network = self._network
        if self._follows_rules:
            self._give()
        if not network.is_unsettled:
            return
        for level in range(network.levels):
            network.judge(level)
            if self._follows_rules:
                self._give()

    def _next_watched_ns(self) -> int:
        watched = self._watched
        return int(np.asarray(watched.wake)[watched.places].min()) if self._follows_rules else kernel.NEVER

    def _give(self) -> None:
        """Give the kernel what signals computed."""
        given = self._network.take_given()
        if not given:
            return
        rows = [
            (point, each.source_ns, each.gateway_ns, value, each.quality, number)
            for number, each in enumerate(given)
            for point, value in zip(each.points, each.values, strict=True)
        ]
        points, sources, gateways, values, qualities, numbers = zip(*rows, strict=True)
        batch = SampleBatch(
            np.array(points, np.int32),
            np.array(sources, np.int64),
            np.array(gateways, np.int64),
            np.array(values, np.float64),
            np.array(qualities, np.uint8),
        )
        # What one judgement did to several virtual points of a rule is one step.
        records = [
            record._replace(step=2 * numbers[record.step // 2] + record.step % 2) for record in self._scan(batch)
        ]
        self._fold_in(records, given)

    def _fold_in(self, records: Iterable[Record], given: Sequence[Given] = ()) -> None:
        def told(owner: str, step: int) -> Evidence | None:
            if not given:
                return self._network.evidence(owner, self._network.said(owner))
            return self._network.evidence(owner, given[step // 2].after if step % 2 else given[step // 2].before)

        self._parts.append(self._fold.take(records, told))
        for owner, stands in self._fold.take_turned():
            self._network.tell(owner, stands=stands)

    def _taken(self) -> Evaluation:
        parts, self._parts = self._parts, []
        return Evaluation(
            transitions=_in_order([transition for part in parts for transition in part.transitions]),
            due=tuple(item for part in parts for item in part.due),
        )


def _flags(keys: Collection[int]) -> npt.NDArray[np.bool_]:
    """Return by point key whether it is among ``keys``; the last entry is for all keys beyond."""
    flags = np.zeros(max(keys, default=0) + 2, np.bool_)
    flags[list(keys)] = True
    return flags


def _ordered(batch: SampleBatch) -> SampleBatch:
    order = np.argsort(batch.gateway_time_ns, kind="stable")
    return SampleBatch(
        batch.point[order],
        batch.source_time_ns[order],
        batch.gateway_time_ns[order],
        batch.value[order],
        batch.quality[order],
    )


def _instants(gateway_ns: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Return where each instant of an ordered batch begins and ends."""
    edges = [0, *(np.flatnonzero(np.diff(gateway_ns)) + 1).tolist(), len(gateway_ns)]
    return ((start, end) for start, end in pairwise(edges) if start < end)


def _in_order(transitions: list[RuleTransition]) -> tuple[RuleTransition, ...]:
    """Return transitions in the order of time, those of one rule in the order in which they happened."""
    newest: dict[int, int] = {}
    keys = []
    for place, transition in enumerate(transitions):
        newest[transition.rule_id] = max(transition.at_ns, newest.get(transition.rule_id, transition.at_ns))
        keys.append((newest[transition.rule_id], place))
    return tuple(transitions[place] for _, place in sorted(keys))
