"""What a history of samples can do, whichever database keeps it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from facility.history.export import Export
from facility.samples import SampleBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """A point's samples gathered by equal stretches of time, oldest first; a stretch without samples is left out.

    Minimum, maximum, mean and last are of the samples that are not bad, and NaN where all are.
    """

    start_ns: npt.NDArray[np.int64]
    minimum: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    good: npt.NDArray[np.int64]
    """How many samples were good."""
    count: npt.NDArray[np.int64]
    """How many samples there were, whatever their quality."""


class History(Protocol):
    """Keeps every sample; written by one thread, read from any."""

    def append(self, batch: SampleBatch) -> None:
        """Take samples; they are kept for good once ``commit`` has returned."""
        ...

    def commit(self) -> None:
        """Keep everything appended so far: a crash after this loses none of it.

        Raises:
            HistoryUnavailableError: The database did not take it; what was appended waits for the next commit.
        """
        ...

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        ...

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Return all samples of some points with source time in ``[start_ns, end_ns)``, in the order of arrival.

        That is by gateway time, then by point.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        ...

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        """Leave Parquet files in a folder that hold the samples of some points and a period, as of one instant.

        Another process reads them with :func:`facility.history.snapshot.read_days`. They may hold more than was asked
        for. A history on disk links the files of closed days, and copies them where ``folder`` is on another file
        system; whoever asked removes the folder.

        Raises:
            HistoryUnavailableError: The database did not answer, or the files could not be written.
        """
        ...

    def export(self, export: Export, file: Path) -> None:
        """Write the samples of some points and a period into one file for people.

        Raises:
            HistoryUnavailableError: The database did not answer, or the file could not be written.
        """
        ...

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        """Return a point's samples with source time in ``[start_ns, end_ns)``, gathered into ``count`` equal stretches.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        ...

    def latest(self, since_ns: int) -> SampleBatch:
        """Return the newest sample of every point that has one with source time from ``since_ns`` on.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        ...

    def tidy(self, now_ns: int) -> None:
        """Put finished days into their final form and forget what is older than it has to be kept; may take minutes.

        Called from a thread of its own, while others write and read.

        Raises:
            HistoryUnavailableError: The database did not answer; nothing is lost, and the next call goes on.
        """
        ...

    def close(self) -> None:
        """Commit and let go of the database."""
        ...
