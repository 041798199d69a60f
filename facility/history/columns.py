"""How samples lie in DuckDB's tables and in Parquet files, and how they come back as a batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from facility.samples import SampleBatch

TABLE: Final = (
    "point INTEGER NOT NULL, source_time_ns BIGINT NOT NULL, gateway_time_ns BIGINT NOT NULL, value DOUBLE, "
    "quality UTINYINT NOT NULL"
)
AS_WRITTEN: Final = "point, source_time_ns, gateway_time_ns, value, quality"
OF_FILES: Final = "point, source_time_ns, source_time_ns + delay_ns AS gateway_time_ns, value, quality"
INTO_FILES: Final = "point, source_time_ns, gateway_time_ns - source_time_ns AS delay_ns, value, quality"
"""The gateway's time as its distance from the source's: small numbers, that pack well."""
FILE_ORDER: Final = "point, source_time_ns, gateway_time_ns"
PARQUET: Final = (
    "(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 256, ROW_GROUP_SIZE 81920)"
)
"""Only columns of few values get a dictionary: one of times would keep them from being packed as differences, and took
three times the space. A row group is read as a whole for one point's hour; smaller ones take longer to be told apart,
and more space."""


def quoted(path: Path) -> str:
    """Return a path as SQL spells a text."""
    return "'" + str(path).replace("'", "''") + "'"


def insert(cursor: duckdb.DuckDBPyConnection, table: str, batch: SampleBatch) -> None:
    """Add samples to a table of the columns :data:`TABLE`."""
    # DuckDB finds the columns by the variable's name; to register them first would be a transaction of its own.
    arriving = {column: np.ascontiguousarray(getattr(batch, column)) for column in SampleBatch.__slots__}  # noqa: F841  # see above
    cursor.execute(f"INSERT INTO {table} SELECT {AS_WRITTEN} FROM arriving")  # noqa: S608  # our own names


def batch_of(columns: Mapping[str, npt.NDArray[Any]]) -> SampleBatch:
    """Return what DuckDB found as a batch."""
    return SampleBatch(
        point=np.asarray(columns["point"], np.int32),
        source_time_ns=np.asarray(columns["source_time_ns"], np.int64),
        gateway_time_ns=np.asarray(columns["gateway_time_ns"], np.int64),
        value=floats(columns["value"]),
        quality=np.asarray(columns["quality"], np.uint8),
    )


def floats(column: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return numbers, with NaN where the database has none."""
    return np.ma.filled(column.astype(np.float64, copy=False), np.nan)
