"""How the kernel's columns lie in memory.

What is touched together lies side by side, in records and tables whose columns :mod:`rules.kernel` names: to look at a
sample is then one miss of the cache, and so is to look at a row, not ten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

Column: TypeAlias = npt.NDArray[Any]
"""An array, or in its place a memoryview or a list: the kernels do nothing but index."""


class Batch(NamedTuple):
    """The columns of a :class:`facility.samples.SampleBatch`."""

    point: Column
    source_ns: Column
    gateway_ns: Column
    value: Column
    quality: Column


class Points(NamedTuple):
    """One entry per point key, also of keys that no row watches: a sample finds its point without a search."""

    real: Column
    """Records of ``kernel.WIDTH`` words, one after the other; the words that are numbers."""
    whole: Column
    """The same memory; the words that are times and codes."""
    first_row: Column
    """Its first row; one entry more than points."""
    wake: Column
    """Gateway time from which on a sweep has to look."""
    block_wake: Column
    """Lower bound of ``wake`` over a block of points."""
    grade: Column
    """Code of the quality that the point had last; ``UNWATCHED`` where no row of it watches its quality."""
    graded: Column
    """Gateway time of the sample that decided ``grade``."""


class Rows(NamedTuple):
    """One entry per row, ordered by point.

    What a row is lies apart in shapes, which rows share: a thousand pumps of one class have one set of limits, and that
    stays in the cache.
    """

    setup: Column
    """``KIND``, ``ON_DELAY``, ``OFF_DELAY``, ``FIRST_RANGE`` of each shape; one entry more than shapes."""
    live: Column
    """``SINCE``, ``PHASE``, ``MARKED``, ``SHAPE`` of each row."""
    edge: Column
    """``ENTER_LO``, ``ENTER_HI``, ``STAY_LO``, ``STAY_HI`` of each range."""


class Output(NamedTuple):
    """What calls changed, until somebody takes it."""

    line: Column
    """``ROW``, ``CODE``, ``STEP``, ``AT``, ``BEGAN`` by record."""
    value: Column
    """By record."""
    changed: Column
    """Rows whose durable state changed, each once."""
    filled: Column
    """How many records there are, and how many entries of ``changed``."""


class Columns(NamedTuple):
    """Everything that lives from call to call."""

    points: Points
    rows: Rows
    out: Output


class Record(NamedTuple):
    """One record of the output."""

    row: int
    code: int
    step: int
    """Grows with every sample, and from the delays before a sample to the sample itself."""
    at: int
    began: int
    """When the condition began (or ceased) before any delay; the multiple for a meter."""
    value: float


class Moment(NamedTuple):
    """What a point has come to."""

    t: int
    """By its source's clock."""
    arrived: int
    """By the gateway's."""
    value: float
    step: int


Scan: TypeAlias = Callable[[Batch, Columns, int], int]
Sweep: TypeAlias = Callable[[Columns, int, int], int]


class Kernel(NamedTuple):
    """One way to run the two entry points of :mod:`rules.kernel`."""

    scan: Scan
    sweep: Sweep
