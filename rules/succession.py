"""After an edit, what an engine knows passes to the next one, so that rules that are as they were do not notice.

Saved state alone is that of a restart: nobody listened meanwhile, so silences are measured anew, and a delay that ended
waits for a sample. Here somebody listened all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rules import kernel
from rules.columns import table_of
from rules.compile import Program
from rules.layout import Points
from rules.restore import points_of, wake
from rules.rows import Row

Places = npt.NDArray[np.int64]


class Unchanged(NamedTuple):
    """The rows that mean the same in two programs, beside each other."""

    ours: Places
    """Where they are in the next one."""
    theirs: Places
    """Where they were in the one before."""


def unchanged(program: Program, before: Program) -> Unchanged:
    """Return the rows of unchanged owners. Most are the same objects, so only the others are compared."""
    here, there = (np.fromiter(map(id, each.rows), np.int64, len(each.rows)) for each in (program, before))
    _, ours, theirs = np.intersect1d(here, there, assume_unique=True, return_indices=True)
    others = np.setdiff1d(np.arange(len(there)), theirs, assume_unique=True).tolist()
    old = {(row.owner.key, row.ordinal, row.owner.fingerprint): place for place, row in _rows(before, others)}
    new = np.setdiff1d(np.arange(len(here)), ours, assume_unique=True).tolist()
    pairs = [
        (place, old[key])
        for place, row in _rows(program, new)
        if (key := (row.owner.key, row.ordinal, row.owner.fingerprint)) in old
    ]
    equal = np.array(pairs, np.int64).reshape(-1, 2)
    return Unchanged(np.concatenate([ours, equal[:, 0]]), np.concatenate([theirs, equal[:, 1]]))


def take_over(program: Program, before: Program, rows: Unchanged, now_ns: int) -> None:
    """Put unchanged rows, and what their points had said, where they stood in the engine before.

    Args:
        program: Of the next engine, with what its other rows are to begin with.
        before: Of the engine that ran until now.
        rows: Which.
        now_ns: The gateway's time.
    """
    live = program.columns.rows.live
    for word in (kernel.PHASE, kernel.SINCE):
        live[rows.ours, word] = before.columns.rows.live[rows.theirs, word]
    here, there = points_of(program)[rows.ours], points_of(before)[rows.theirs]
    _hear_on(program.columns.points, here, before.columns.points, there)
    wake(program, now_ns)


def _rows(program: Program, places: list[int]) -> Iterator[tuple[int, Row]]:
    return ((place, program.rows[place]) for place in places)


def _hear_on(points: Points, here: Places, before: Points, there: Places) -> None:
    """Remember of points what was heard last."""
    for word in (kernel.NEWEST, kernel.ARRIVED):
        table_of(points.whole)[here, word] = table_of(before.whole)[there, word]
    table_of(points.real)[here, kernel.HELD] = table_of(before.real)[there, kernel.HELD]
    watched = (points.grade[here] != kernel.UNWATCHED) & (before.grade[there] != kernel.UNWATCHED)
    here, there = here[watched], there[watched]
    points.grade[here], points.graded[here] = before.grade[there], before.graded[there]
    for word in (kernel.QUIET_FROM, kernel.QUIET_TO):
        table_of(points.whole)[here, word] = table_of(before.whole)[there, word]
