"""The latest value of every point, for whoever shows the facility as it is now."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facility.quality import Quality
from facility.samples import SampleBatch


class LatestValue(NamedTuple):
    """The newest sample of a point."""

    point: int
    value: float
    quality: int
    source_time_ns: int


class LatestValues:
    """Columns indexed by point key; written by the engine's thread and read by any other."""

    def __init__(self, highest_key: int) -> None:
        size = highest_key + 1
        self.samples = 0
        """Samples taken since the start."""
        self._value = np.full(size, np.nan)
        self._quality = np.zeros(size, np.uint8)
        self._source_time_ns = np.zeros(size, np.int64)
        self._version = np.zeros(size, np.int64)
        self._newest_version = 0
        self._lock = threading.Lock()

    def make_room(self, highest_key: int) -> None:
        """Take points up to a key from now on; what is known of the others stays."""
        with self._lock:
            more = highest_key + 1 - len(self._value)
            if more > 0:
                self._value = np.append(self._value, np.full(more, np.nan))
                self._quality = np.append(self._quality, np.zeros(more, np.uint8))
                self._source_time_ns = np.append(self._source_time_ns, np.zeros(more, np.int64))
                self._version = np.append(self._version, np.zeros(more, np.int64))

    def update(self, batch: SampleBatch) -> None:
        """Take a batch; of several samples of one point the last in the batch stays."""
        known = (batch.point >= 0) & (batch.point < len(self._value))
        points = batch.point[known]
        with self._lock:
            self.samples += len(batch)
            self._newest_version += 1
            self._value[points] = batch.value[known]
            self._quality[points] = batch.quality[known]
            self._source_time_ns[points] = batch.source_time_ns[known]
            self._version[points] = self._newest_version

    def restore(self, batch: SampleBatch) -> None:
        """Show what was known before a restart, none of it better than stale until the devices speak again."""
        stale = np.maximum(batch.quality, np.uint8(Quality.UNCERTAIN_STALE))
        self.update(replace(batch, quality=stale))
        self.samples = 0

    def changed_since(self, version: int) -> tuple[int, list[LatestValue]]:
        """Return the present version and every value that came after ``version``; version 0 asks for all."""
        with self._lock:
            changed = np.flatnonzero(self._version > version)
            return self._newest_version, self._rows(changed)

    def _rows(self, points: npt.NDArray[np.intp]) -> list[LatestValue]:
        columns = (points, self._value[points], self._quality[points], self._source_time_ns[points])
        return [LatestValue(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
