"""Which way a sample takes to the engine: life safety and changes of state never wait behind telemetry."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.equipment import PointKind
from facility.model import Point
from facility.quality import BAD_FROM
from facility.samples import SampleBatch


class Lane(IntEnum):
    """A way through spool and bus; the smaller number goes first."""

    LIFE_SAFETY = 0
    """Changes and events of points that a life-safety rule watches."""
    STATE = 1
    """Changes and events of all other points, among them a sensor that turns bad or good again."""
    TELEMETRY = 2
    """The rest: measured values, and repetitions of a state that did not change."""

    @property
    def label(self) -> str:
        """Return the lane's name in topics and words, such as ``life-safety``."""
        return self.name.lower().replace("_", "-")


PROTECTED: Final = (Lane.LIFE_SAFETY, Lane.STATE)
"""Lanes whose records are never dropped, in the order in which they go."""

_STATES: Final = frozenset({PointKind.BINARY, PointKind.MULTISTATE, PointKind.EVENT})


class LaneRouter:
    """Splits batches by lane; remembers each point's newest sample to know what a change is.

    A sample is a change when its point turned bad or good; on a binary or multistate point also when the value is
    another one; on an event point always. Within one batch, whatever follows a change of its point goes with it. So a
    point's samples in the protected lane are never older than those that the same batch leaves in telemetry.
    """

    def __init__(self, points: Iterable[Point], life_safety: Collection[int]) -> None:
        """Begin without memory: the first sample of every state is a change.

        Args:
            points: All points of the site.
            life_safety: Keys of those that a life-safety rule watches.
        """
        known = list(points)
        size = max((point.key for point in known), default=0) + 2  # the last place stands for every unknown key
        self._lane = np.full(size, Lane.STATE, np.uint8)
        self._is_state = np.zeros(size, np.bool_)
        self._is_event = np.zeros(size, np.bool_)
        self._bits = np.full(size, -1, np.int64)
        self._is_bad = np.zeros(size, np.bool_)
        for point in known:
            self._is_state[point.key] = point.definition.kind in _STATES
            self._is_event[point.key] = point.definition.kind is PointKind.EVENT
        self._lane[list(life_safety)] = Lane.LIFE_SAFETY

    def lane_of(self, point: int) -> Lane:
        """Return the protected lane of a point's changes and events."""
        return Lane(int(self._lane[point if 0 <= point < len(self._lane) else -1]))

    def split(self, batch: SampleBatch) -> dict[Lane, SampleBatch]:
        """Return each lane's part of a batch, in the order the samples arrived; empty parts are left out."""
        if not len(batch):
            return {}
        places = np.where((batch.point >= 0) & (batch.point < len(self._lane) - 1), batch.point, -1)
        lanes = np.where(self._protected(places, batch), self._lane[places], np.uint8(Lane.TELEMETRY))
        return {lane: _rows(batch, lanes == lane) for lane in Lane if (lanes == lane).any()}

    def _protected(self, places: npt.NDArray[np.int32], batch: SampleBatch) -> npt.NDArray[np.bool_]:
        """Tell of each sample whether it is a change or follows one, and remember the newest of each point."""
        order = np.argsort(places, kind="stable")
        point = places[order]
        bits = batch.value[order].view(np.int64)  # as bits, since NaN is unequal to itself
        is_bad = batch.quality[order] >= BAD_FROM
        is_first = np.concatenate([[True], point[1:] != point[:-1]])
        turned = is_bad != np.where(is_first, self._is_bad[point], np.roll(is_bad, 1))
        moved = bits != np.where(is_first, self._bits[point], np.roll(bits, 1))
        changed = turned | (self._is_state[point] & moved) | self._is_event[point]

        index = np.arange(len(point))
        began = np.maximum.accumulate(np.where(is_first, index, 0))
        newest_change = np.maximum.accumulate(np.where(changed, index, -1))
        protected = np.empty(len(point), np.bool_)
        protected[order] = newest_change >= began

        is_last = np.concatenate([is_first[1:], [True]])
        self._bits[point[is_last]], self._is_bad[point[is_last]] = bits[is_last], is_bad[is_last]
        return protected


def _rows(batch: SampleBatch, wanted: npt.NDArray[np.bool_]) -> SampleBatch:
    return batch if wanted.all() else batch.where(wanted)
