"""The memory that both kernels work on: allocated once, seen as NumPy arrays and as memoryviews of the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt

from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules import kernel, layout

_LINE = 64
"""Bytes of a line of the cache."""


def allocate(*, keys: int, rows: int, shapes: int, ranges: int, records: int) -> layout.Columns:
    """Return columns in which no point has rows, nothing was seen, nothing is active and no band is drawn yet."""
    return layout.Columns(_points(keys), _rows(rows, shapes, ranges), _output(rows, records))


def views_of(columns: layout.Columns) -> layout.Columns:
    """Return memoryviews of the same memory, which plain Python reads several times faster than arrays."""
    return layout.Columns(
        layout.Points(*_views(columns.points)),
        layout.Rows(*_views(columns.rows)),
        layout.Output(*_views(columns.out)),
    )


def table_of(words: layout.Column) -> layout.Column:
    """Return the points' records, ``Points.real`` or ``Points.whole``, as a table: a line a key, a column a word."""
    return words.reshape(-1, kernel.WIDTH)


def batch_of(batch: SampleBatch) -> layout.Batch:
    """Return a batch's columns as the compiled kernel was compiled for: contiguous, and writable for all it matters."""
    columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
    return layout.Batch(
        *(column if column.flags.carray else np.require(column, requirements=["C", "W"]) for column in columns)
    )


def lists_of(batch: SampleBatch) -> layout.Batch:
    """Return a batch's columns as lists, which plain Python reads fastest."""
    columns = (batch.point, batch.source_time_ns, batch.gateway_time_ns, batch.value, batch.quality)
    return layout.Batch(*(cast("layout.Column", column.tolist()) for column in columns))


def _views(columns: Iterable[layout.Column]) -> Iterable[layout.Column]:
    return (cast("layout.Column", column.data) for column in columns)


def _points(keys: int) -> layout.Points:
    words = _on_lines(keys * kernel.WIDTH)
    records = table_of(words)
    records[:, kernel.NEWEST] = kernel.NEVER
    records[:, kernel.ARRIVED] = kernel.UNSEEN
    records[:, kernel.DUE] = kernel.NEVER
    records[:, kernel.QUIET_TO] = BAD_FROM
    real = words.view(np.float64)
    for word, value in ((kernel.LO, np.inf), (kernel.HI, -np.inf), (kernel.HELD, np.nan)):
        table_of(real)[:, word] = value
    return layout.Points(
        real=real,
        whole=words,
        first_row=np.zeros(keys + 1, np.int64),
        wake=np.full(keys, kernel.NEVER, np.int64),
        block_wake=np.full((keys >> kernel.BLOCK) + 1, kernel.NEVER, np.int64),
        grade=np.full(keys, kernel.UNWATCHED, np.int16),
        graded=np.full(keys, kernel.UNSEEN, np.int64),
    )


def _on_lines(count: int) -> npt.NDArray[np.int64]:
    """Return so many words that begin where a line of the cache does."""
    spare = _LINE // 8
    words = np.zeros(count + spare, np.int64)
    start = -words.ctypes.data % _LINE // 8
    return words[start : start + count]


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
