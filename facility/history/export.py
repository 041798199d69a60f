"""What people take away of a history: one table of samples, with the words that they know instead of keys and codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from facility.history.columns import quoted
from facility.model import Point
from facility.quality import Quality
from facility.units import display_unit


class ExportForm(StrEnum):
    """How a file of samples is written; its columns are ``time``, ``point``, ``value``, ``unit`` and ``quality``."""

    CSV = "csv"
    """With a header; times such as ``2026-11-27T09:30:00.250000Z``; a sample without a value has none."""
    PARQUET = "parquet"
    """Times as instants of UTC in microseconds."""


_TIMES: Final = {
    ExportForm.CSV: "strftime(make_timestamp(source_time_ns // 1000), '%Y-%m-%dT%H:%M:%S.%fZ')",
    ExportForm.PARQUET: "make_timestamptz(source_time_ns // 1000)",
}
_OPTIONS: Final = {
    ExportForm.CSV: "(FORMAT csv, HEADER true)",
    ExportForm.PARQUET: "(FORMAT parquet, COMPRESSION zstd)",
}


@dataclass(frozen=True, slots=True)
class ExportedPoint:
    """A point, and how people write it."""

    key: int
    address: str
    """Such as ``pump-1/flow``."""
    unit: str
    """Such as ``m³/h``; empty for what has none."""

    @classmethod
    def of(cls, point: Point) -> ExportedPoint:
        """Return a point of the site as it is exported."""
        return cls(point.key, point.address, display_unit(point.definition.unit))


@dataclass(frozen=True, slots=True)
class Export:
    """Which samples go into a file, and how it is written."""

    points: Sequence[ExportedPoint]
    start_ns: int
    """First source time wanted."""
    end_ns: int
    """First source time no longer wanted."""
    form: ExportForm


def write_export(cursor: duckdb.DuckDBPyConnection, source: str, export: Export, file: Path) -> None:
    """Write the samples that a query finds into a file, by point in the order of addresses, then by time.

    DuckDB does it piece by piece, and goes to disk for sorting where memory would not do.

    Args:
        cursor: Where the query is asked.
        source: A query that gives the columns :data:`~facility.history.columns.AS_WRITTEN`.
        export: What is wanted of it.
        file: Is written anew.

    Raises:
        duckdb.Error: The file could not be written.
    """
    points, form = export.points, export.form
    qualities = [int(quality) for quality in Quality], [quality.label for quality in Quality]
    keys = np.array([point.key for point in points], np.int32)
    cursor.execute(
        f"COPY (SELECT {_TIMES[form]} AS time, address AS point, CASE WHEN isfinite(value) THEN value END AS value, "  # noqa: S608  # our own names
        f"unit, COALESCE(words, quality::TEXT) AS quality FROM ({source}) "
        "JOIN (SELECT UNNEST(?) AS point, UNNEST(?::TEXT[]) AS address, UNNEST(?::TEXT[]) AS unit) USING (point) "
        "LEFT JOIN (SELECT UNNEST(?::UTINYINT[]) AS quality, UNNEST(?::TEXT[]) AS words) USING (quality) "
        "WHERE source_time_ns >= ? AND source_time_ns < ? ORDER BY address, source_time_ns, gateway_time_ns) "
        f"TO {quoted(file)} {_OPTIONS[form]}",
        [
            keys,
            [point.address for point in points],
            [point.unit for point in points],
            *qualities,
            export.start_ns,
            export.end_ns,
        ],
    )
