"""After an edit, what an engine knows passes to the next one, so that rules that are as they were do not notice.

Saved state alone is that of a restart: nobody listened meanwhile, so silences are measured anew, and a delay that ended
waits for a sample. Here somebody listened all the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rules import kernel
from rules.columns import table_of
from rules.compile import Program
from rules.layout import Points

Places = npt.NDArray[np.int64]


def take_over(program: Program, before: Program, now_ns: int) -> None:
    """Put the rows of unchanged owners, and what their points had said, where they stood in the engine before.

    Args:
        program: Of the next engine, with saved state restored.
        before: Of the engine that ran until now.
        now_ns: The gateway's time.
    """
    ours, theirs = _unchanged(program, before)
    live = program.columns.rows.live
    for word in (kernel.PHASE, kernel.SINCE):
        live[ours, word] = before.columns.rows.live[theirs, word]
    here, there = _points(program, ours), _points(before, theirs)
    _hear_on(program.columns.points, here, before.columns.points, there)
    _wake(program, ours, now_ns)


def _unchanged(program: Program, before: Program) -> tuple[Places, Places]:
    """Return the places of the rows that mean the same, now and before."""
    old = {(row.owner.key, row.ordinal, row.owner.fingerprint): place for place, row in enumerate(before.rows)}
    pairs = [
        (place, old[key])
        for place, row in enumerate(program.rows)
        if (key := (row.owner.key, row.ordinal, row.owner.fingerprint)) in old
    ]
    places = np.array(pairs, np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def _points(program: Program, places: Sequence[int] | Places) -> Places:
    return np.array([program.rows[place].point for place in places], np.int64)


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


def _wake(program: Program, places: Places, now_ns: int) -> None:
    """Have the first sweep look at every point in which something waits for time."""
    rows, points = program.columns.rows, program.columns.points
    silent = rows.setup[rows.live[places, kernel.SHAPE], kernel.KIND] == kernel.NO_DATA
    waits = silent | np.isin(rows.live[places, kernel.PHASE], (kernel.PENDING, kernel.LEAVING))
    waiting = _points(program, places[waits])
    points.wake[waiting] = now_ns
    points.block_wake[waiting >> kernel.BLOCK] = now_ns
