"""What a history of samples can do, whichever database keeps it."""

from __future__ import annotations

from typing import Protocol

from facility.samples import SampleBatch


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

    def close(self) -> None:
        """Commit and let go of the database."""
        ...
