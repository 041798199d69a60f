"""The shapes of a program's rows, as the kernel has them: tables that many rows share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rules import kernel
from rules.layout import Rows
from rules.rows import Row


class Shapes(NamedTuple):
    """Which shape each of some rows has, and all shapes; there may be more than rows have."""

    number: npt.NDArray[np.int64]
    """By row."""
    setup: npt.NDArray[np.int64]
    """As in :class:`rules.layout.Rows`, and so is ``edge``."""
    edge: npt.NDArray[np.float64]

    def and_also(self, others: Shapes) -> Shapes:
        """Return the shapes of these rows and, after them, of others."""
        setup = others.setup.copy()
        setup[:, kernel.FIRST_RANGE] += len(self.edge)
        return Shapes(
            np.concatenate([self.number, others.number + len(self.setup) - 1]),
            np.concatenate([self.setup[:-1], setup]),
            np.concatenate([self.edge, others.edge]),
        )

    def in_use(self) -> Shapes:
        """Return the same without shapes that no row has."""
        used, number = np.unique(self.number, return_inverse=True)
        first = self.setup[used, kernel.FIRST_RANGE]
        counts = self.setup[used + 1, kernel.FIRST_RANGE] - first
        ends = np.cumsum(counts)
        setup = np.zeros((len(used) + 1, self.setup.shape[1]), np.int64)
        setup[:-1] = self.setup[used]
        setup[:-1, kernel.FIRST_RANGE] = ends - counts
        setup[-1, kernel.FIRST_RANGE] = counts.sum()
        edges = np.repeat(first - (ends - counts), counts) + np.arange(counts.sum())
        return Shapes(number, setup, self.edge[edges])


def shapes_of(rows: Sequence[Row]) -> Shapes:
    """Lay out the shapes of rows; they are told apart by identity, for rows of one definition share theirs."""
    shapes = {id(row.shape): row.shape for row in rows}
    places = {identity: place for place, identity in enumerate(shapes)}
    setup = np.zeros((len(shapes) + 1, 4), np.int64)
    setup[:-1, kernel.KIND] = [shape.kind for shape in shapes.values()]
    setup[:-1, kernel.ON_DELAY] = [shape.on_delay_ns for shape in shapes.values()]
    setup[:-1, kernel.OFF_DELAY] = [shape.off_delay_ns for shape in shapes.values()]
    setup[1:, kernel.FIRST_RANGE] = np.cumsum([len(shape.ranges) for shape in shapes.values()])
    edges = [(*part.enter, *part.stay) for shape in shapes.values() for part in shape.ranges]
    number = np.array([places[id(row.shape)] for row in rows], np.int64)
    return Shapes(number, setup, np.array(edges, np.float64).reshape(-1, 4))


def shapes_at(rows: Rows, places: npt.NDArray[np.int64]) -> Shapes:
    """Return the shapes of some rows that are laid out already."""
    return Shapes(rows.live[places, kernel.SHAPE], rows.setup, rows.edge)
