"""The meeting place of the drivers' loop and the engine's thread: bounded, thread-safe, life safety first.

Deliveries wait in three lanes. Samples of urgent points (life safety, and events such as a badge at a door) have the
first one: they are cut out of whatever delivery brings them, wait for nothing behind them and are never dropped. What
its sender waits to have acknowledged has the second; plain telemetry the third.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.equipment import PointKind
from facility.model import Facility
from facility.rule_inputs import RuleInputs
from gateway.events import Delivery

STEP_SAMPLES: Final = 20_000
"""Samples that a lane gives at once while an engine is behind: some tens of milliseconds of its time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the inbox gave, and what it still has."""

    deliveries: list[Delivery]
    waiting_since_ns: int | None
    """Gateway time from which on samples still wait; ``None`` when all were given."""


class Inbox:
    """Takes deliveries from any thread and gives them to the engine.

    Deliveries that carry events or wait for an acknowledgement are never dropped: their senders hold them until then
    and stop sending at their own window. Plain telemetry beyond ``capacity`` samples is dropped, oldest
    first, and counted.
    """

    def __init__(
        self, capacity: int = 1_000_000, *, urgent: Collection[int] = (), step_samples: int = STEP_SAMPLES
    ) -> None:
        """Lay out empty lanes.

        Args:
            capacity: Samples of plain telemetry that may wait.
            urgent: Keys of the points that never wait; :func:`urgent_points` says which.
            step_samples: Samples that a lane gives at once while more wait.
        """
        self.dropped = 0
        """Samples dropped since the start."""
        self._capacity = capacity
        self._step_samples = step_samples
        self._is_urgent = _flags(urgent)
        self._waiting = 0
        self._urgent: deque[Delivery] = deque()
        self._kept: deque[Delivery] = deque()
        self._telemetry: deque[Delivery] = deque()
        self._ready = threading.Condition()
        self._woken = False

    @property
    def waiting(self) -> int:
        """Samples that wait now, in all lanes."""
        with self._ready:
            return self._waiting + _samples(self._urgent) + _samples(self._kept)

    def prefer(self, urgent: Collection[int]) -> None:
        """Let these points be the urgent ones from now on, as after a change of the site."""
        self._is_urgent = _flags(urgent)

    def put(self, delivery: Delivery) -> None:
        """Hand over one delivery; returns at once."""
        urgent, rest = _parted(delivery, self._is_urgent)
        with self._ready:
            if urgent is not None:
                self._urgent.append(urgent)
            if rest is not None and (rest.acknowledge is not None or rest.events):
                self._kept.append(rest)
            elif rest is not None:
                self._telemetry.append(rest)
                self._waiting += len(rest.batch)
                self._drop_oldest()
            self._ready.notify()

    def wake(self) -> None:
        """Let whoever waits to take something return although nothing came."""
        with self._ready:
            self._woken = True
            self._ready.notify()

    def take(self, timeout_s: float) -> Taken:
        """Return what is to be decided next; wait up to ``timeout_s`` wall seconds for anything to come.

        Normally that is all. With more than a step's samples waiting, urgent samples come alone, and then some of each
        other lane, so that no urgent one ever waits longer than a small step takes.
        """
        with self._ready:
            self._wait(timeout_s)
            if self._urgent and self._waiting + _samples(self._kept) > self._step_samples:
                return Taken(list(_drained(self._urgent)), self._oldest_ns())
            deliveries = [*_drained(self._urgent), *_drained(self._kept, self._step_samples)]
            telemetry = list(_drained(self._telemetry, self._step_samples))
            self._waiting -= _samples(telemetry)
            return Taken([*deliveries, *telemetry], self._oldest_ns())

    def take_all(self, timeout_s: float) -> list[Delivery]:
        """Return everything that waits, urgent first, plain telemetry last; wait up to ``timeout_s`` wall seconds."""
        with self._ready:
            self._wait(timeout_s)
            self._waiting = 0
            return [*_drained(self._urgent), *_drained(self._kept), *_drained(self._telemetry)]

    def _wait(self, timeout_s: float) -> None:
        if not (self._urgent or self._kept or self._telemetry or self._woken):
            self._ready.wait(timeout_s)
        self._woken = False

    def _drop_oldest(self) -> None:
        while self._waiting > self._capacity and len(self._telemetry) > 1:
            lost = len(self._telemetry.popleft().batch)
            self._waiting -= lost
            self.dropped += lost

    def _oldest_ns(self) -> int | None:
        lanes = (self._urgent, self._kept, self._telemetry)
        oldest = [next((each.batch for each in lane if len(each.batch)), None) for lane in lanes]
        return min((int(batch.gateway_time_ns[0]) for batch in oldest if batch is not None), default=None)


def urgent_points(facility: Facility) -> frozenset[int]:
    """Return the points whose samples never wait: those that a life-safety rule reads, and events."""
    watched = RuleInputs(facility).of_life_safety()
    events = {key for key, point in facility.points.items() if point.definition.kind is PointKind.EVENT}
    return frozenset(watched | events)


def _flags(keys: Collection[int]) -> npt.NDArray[np.bool_]:
    """Return by point key whether it is among ``keys``; one entry more than needed, for all keys beyond."""
    flags = np.zeros(max(keys, default=-1) + 2, np.bool_)
    flags[list(keys)] = True
    return flags


def _parted(delivery: Delivery, is_urgent: npt.NDArray[np.bool_]) -> tuple[Delivery | None, Delivery | None]:
    """Return the urgent part of a delivery and the rest, which is taken later and so acknowledges both."""
    if len(is_urgent) == 1 and not delivery.events:
        return None, delivery
    chosen = is_urgent[np.minimum(delivery.batch.point, len(is_urgent) - 1)]
    count = int(np.count_nonzero(chosen))
    if count == 0 and not delivery.events:
        return None, delivery
    if count == len(chosen):
        return delivery, None
    rest = replace(delivery, batch=delivery.batch.where(~chosen), events=())
    return replace(delivery, batch=delivery.batch.where(chosen), late=None, acknowledge=None), rest


def _samples(lane: Iterable[Delivery]) -> int:
    return sum(len(delivery.batch) for delivery in lane)


def _drained(lane: deque[Delivery], samples: int | None = None) -> Iterator[Delivery]:
    """Take deliveries off a lane: all of them, or at least one and as many as stay within so many samples."""
    given = 0
    while lane and (samples is None or given == 0 or given + len(lane[0].batch) <= samples):
        given += max(len(lane[0].batch), 1)
        yield lane.popleft()
