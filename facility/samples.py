"""A batch of samples as columns, from the driver to history; Python objects appear only where something changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facility.quality import Quality


class Sample(NamedTuple):
    """One sample as a Python value; for edges and tests, never for the hot path."""

    point: int
    """Point key (the point's primary key)."""
    source_time_ns: int
    """When the device says it was so; the gateway's time where the device does not say."""
    gateway_time_ns: int
    """When the gateway received it."""
    value: float
    """In the point's unit; booleans 0/1, enumerations by code, NaN where there is none."""
    quality: Quality


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Columns of equal length, one row a sample, in the order they arrived."""

    point: npt.NDArray[np.int32]
    source_time_ns: npt.NDArray[np.int64]
    gateway_time_ns: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    quality: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> SampleBatch:
        """Turn rows into columns."""
        points, sources, gateways, values, qualities = zip(*samples, strict=True) if samples else ((),) * 5
        return cls(
            np.asarray(points, np.int32),
            np.asarray(sources, np.int64),
            np.asarray(gateways, np.int64),
            np.asarray(values, np.float64),
            np.asarray(qualities, np.uint8),
        )

    @classmethod
    def concatenate(cls, batches: Iterable[SampleBatch]) -> SampleBatch:
        """Join batches in order."""
        parts = list(batches)
        if not parts:
            return cls.of([])
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.point for part in parts]),
            np.concatenate([part.source_time_ns for part in parts]),
            np.concatenate([part.gateway_time_ns for part in parts]),
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.quality for part in parts]),
        )

    def where(self, wanted: npt.NDArray[np.bool_]) -> SampleBatch:
        """Return the samples that are wanted, in the same order."""
        return SampleBatch(
            self.point[wanted],
            self.source_time_ns[wanted],
            self.gateway_time_ns[wanted],
            self.value[wanted],
            self.quality[wanted],
        )

    def part(self, start: int, end: int) -> SampleBatch:
        """Return the samples from ``start`` to before ``end``, without copying them."""
        return SampleBatch(
            self.point[start:end],
            self.source_time_ns[start:end],
            self.gateway_time_ns[start:end],
            self.value[start:end],
            self.quality[start:end],
        )

    def rows(self) -> list[Sample]:
        """Turn columns into rows."""
        columns = zip(
            self.point.tolist(),
            self.source_time_ns.tolist(),
            self.gateway_time_ns.tolist(),
            self.value.tolist(),
            self.quality.tolist(),
            strict=True,
        )
        return [Sample(point, source, gateway, value, Quality(code)) for point, source, gateway, value, code in columns]

    def not_before(self, floor_ns: int | npt.NDArray[np.int64]) -> SampleBatch:
        """Return the samples with gateway times that tell their order: earlier ones count right after ``floor_ns``.

        Of samples of one point that would have one time, each counts a nanosecond after the one before it, so that
        nobody has to know more than the times to tell in what order they came.
        """
        order = np.argsort(self.point, kind="stable")
        point = self.point[order]
        is_first = np.append(True, np.diff(point) != 0)[: len(point)]
        place = np.arange(len(point))
        start = place[is_first][np.cumsum(is_first) - 1]
        gateway_ns = np.where(self.gateway_time_ns < floor_ns, floor_ns + 1, self.gateway_time_ns)
        times = gateway_ns[order] - (place - start)
        for first, end in zip(*_groups(is_first), strict=True):
            np.maximum.accumulate(times[first:end], out=times[first:end])
        gateway_ns[order] = times + (place - start)
        return SampleBatch(self.point, self.source_time_ns, gateway_ns, self.value, self.quality)


def _groups(is_first: npt.NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Return where groups of more than one begin and end."""
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(is_first))
    several = ends - starts > 1
    return starts[several].tolist(), ends[several].tolist()
