"""The memory that both kernels work on: allocated once, seen as NumPy arrays and as memoryviews of the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np

from facility.samples import SampleBatch
from rules import kernel, layout


def allocate(*, keys: int, points: int, rows: int, shapes: int, ranges: int, records: int) -> layout.Columns:
    """Return columns in which nothing was seen, nothing is active and no band is drawn yet."""
    return layout.Columns(_points(keys, points), _rows(rows, shapes, ranges), _output(rows, records))


def views_of(columns: layout.Columns) -> layout.Columns:
    """Return memoryviews of the same memory, which plain Python reads several times faster than arrays."""
    return layout.Columns(
        layout.Points(*_views(columns.points)),
        layout.Rows(*_views(columns.rows)),
        layout.Output(*_views(columns.out)),
    )


def batch_of(batch: SampleBatch) -> layout.Batch:
    """Return a batch's columns as the compiled kernel was compiled for: contiguous, and writable for all it matters."""
    columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
    return layout.Batch(*(np.require(column, requirements=["C", "W"]) for column in columns))


def lists_of(batch: SampleBatch) -> layout.Batch:
    """Return a batch's columns as lists, which plain Python reads fastest."""
    columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
    return layout.Batch(*(cast("layout.Column", column.tolist()) for column in columns))


def _views(columns: Iterable[layout.Column]) -> Iterable[layout.Column]:
    return (cast("layout.Column", column.data) for column in columns)


def _points(keys: int, count: int) -> layout.Points:
    return layout.Points(
        slot=np.full(keys, -1, np.int32),
        first_row=np.zeros(count + 1, np.int64),
        lo=np.full(count, np.inf),
        hi=np.full(count, -np.inf),
        held=np.full(count, np.nan),
        due=np.full(count, kernel.NEVER, np.int64),
        newest=np.full(count, kernel.UNSEEN, np.int64),
        arrived=np.full(count, kernel.UNSEEN, np.int64),
        wake=np.full(count, kernel.NEVER, np.int64),
        block_wake=np.full((count >> kernel.BLOCK) + 1, kernel.NEVER, np.int64),
        grade=np.full(count, kernel.UNWATCHED, np.int16),
        graded=np.full(count, kernel.UNSEEN, np.int64),
    )


def _rows(count: int, shapes: int, ranges: int) -> layout.Rows:
    return layout.Rows(
        setup=np.zeros((shapes + 1, 4), np.int64), live=np.zeros((count, 4), np.int64), edge=np.zeros((ranges, 4))
    )


def _output(rows: int, records: int) -> layout.Output:
    return layout.Output(
        line=np.zeros((records, 5), np.int64),
        value=np.zeros(records),
        changed=np.zeros(rows, np.int32),
        filled=np.zeros(2, np.int64),
    )
