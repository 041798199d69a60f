"""History in one DuckDB file, appended in columns; the default where nothing else is installed."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import numpy as np

from facility.errors import HistoryUnavailableError
from facility.samples import SampleBatch

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sample (
    point INTEGER NOT NULL,
    source_time_ns BIGINT NOT NULL,
    gateway_time_ns BIGINT NOT NULL,
    value DOUBLE,
    quality UTINYINT NOT NULL
)"""

_NEWEST_FIRST = """
SELECT point, source_time_ns, gateway_time_ns, value, quality FROM sample
WHERE point = ? AND source_time_ns >= ? AND source_time_ns < ?
ORDER BY source_time_ns DESC, rowid DESC LIMIT ?"""


class DuckDbHistory:
    """One file that belongs to this process; one thread writes, any thread reads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            HistoryUnavailableError: Another process holds the file, or it is no DuckDB file.
        """
        self._path = path
        self._waiting: list[SampleBatch] = []
        self._cursors = threading.Lock()
        try:
            self._connection = duckdb.connect(str(path))
            self._connection.execute(_SCHEMA)
            self._writer = self._connection.cursor()
        except duckdb.Error as error:
            raise HistoryUnavailableError(str(path), str(error)) from error

    def append(self, batch: SampleBatch) -> None:
        """Take samples; they are kept for good once ``commit`` has returned."""
        self._waiting.append(batch)

    def commit(self) -> None:
        """Write everything appended so far in one transaction, which DuckDB syncs to its log."""
        batch = SampleBatch.concatenate(self._waiting)
        if len(batch):
            columns = {name: np.ascontiguousarray(getattr(batch, name)) for name in SampleBatch.__slots__}
            try:
                self._writer.register("arriving", columns)
                self._writer.execute("INSERT INTO sample BY NAME SELECT * FROM arriving")
                self._writer.unregister("arriving")
            except duckdb.Error as error:
                raise HistoryUnavailableError(str(self._path), str(error)) from error
        self._waiting.clear()

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first."""
        with self._cursors:
            cursor = self._connection.cursor()
        try:
            columns = cursor.execute(_NEWEST_FIRST, [point, start_ns, end_ns, limit]).fetchnumpy()
        except duckdb.Error as error:
            raise HistoryUnavailableError(str(self._path), str(error)) from error
        finally:
            cursor.close()
        return SampleBatch(
            point=np.asarray(columns["point"], np.int32)[::-1],
            source_time_ns=np.asarray(columns["source_time_ns"], np.int64)[::-1],
            gateway_time_ns=np.asarray(columns["gateway_time_ns"], np.int64)[::-1],
            value=np.ma.filled(columns["value"].astype(np.float64), np.nan)[::-1],
            quality=np.asarray(columns["quality"], np.uint8)[::-1],
        )

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._writer.close()
        self._connection.close()
