"""Puts saved state back: running delays keep running, active rows stay active, edited rules are decided afresh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from facility.clock import NS_PER_S
from facility.priority import Priority
from rules import kernel
from rules.columns import table_of
from rules.compile import Program
from rules.fingerprint import is_computed
from rules.fold import Fold
from rules.state import Phase, SavedState

_GRACE_NS = 10 * NS_PER_S
"""After a restart a running silence gets this long, or half its timeout, to be broken."""

_LAST_CODE = 255
"""Of qualities."""

_ACTIVE = (Phase.ACTIVE, Phase.LEAVING, Phase.CHANGED)


def restore(program: Program, saved: Sequence[SavedState], now_ns: int, fold: Fold) -> list[SavedState]:
    """Write saved state into fresh columns.

    A delay that ended while nobody watched is left for the point's next sample. The time in which nobody listened is no
    evidence of silence: it starts at ``now_ns``, except that a silence already past half its timeout goes on.

    Returns:
        Replacements for saved rows that the edited rule no longer has.
    """
    return _Restoration(program, now_ns, fold).run(saved)


def wake(program: Program, now_ns: int) -> None:
    """Have the first sweep look at every point in which something waits for time."""
    points, rows = program.columns.points, program.columns.rows
    is_pending = np.isin(rows.live[:, kernel.PHASE], (kernel.PENDING, kernel.LEAVING))
    waiting = points_of(program)[_is_silent(program) | is_pending]
    points.wake[waiting] = now_ns
    points.block_wake[waiting >> kernel.BLOCK] = now_ns


def points_of(program: Program) -> npt.NDArray[np.int64]:
    """Return by row the key of its point."""
    points = program.columns.points
    return np.repeat(np.arange(len(points.wake)), np.diff(points.first_row))


def _is_silent(program: Program) -> npt.NDArray[np.bool_]:
    """Return by row whether it measures a silence."""
    rows = program.columns.rows
    silent: npt.NDArray[np.bool_] = rows.setup[rows.live[:, kernel.SHAPE], kernel.KIND] == kernel.NO_DATA
    return silent


class _Restoration:
    def __init__(self, program: Program, now_ns: int, fold: Fold) -> None:
        self._program = program
        self._points = program.columns.points
        self._live = program.columns.rows.live
        self._now_ns = now_ns
        self._fold = fold
        self._held_ns: dict[int, int] = {}
        """By point, when the value was seen that it is given to hold."""
        self._places: dict[tuple[str, int], int] = {}
        self._first: dict[str, int] = {}

    def run(self, saved: Sequence[SavedState]) -> list[SavedState]:
        self._find({state.owner for state in saved})
        self._live[_is_silent(self._program), kernel.SINCE] = self._now_ns
        orphans = defaultdict(list)
        for state in saved:
            place = self._places.get((state.owner, state.row))
            if place is not None:
                self._put(place, state)
            elif state.owner in self._first and state.phase in _ACTIVE:
                orphans[state.owner].append(state)
        replacements = [self._adopt(state) for states in orphans.values() for state in states]
        wake(self._program, self._now_ns)
        return replacements

    def _find(self, owners: Collection[str]) -> None:
        """Look up the rows of owners."""
        for place, row in enumerate(self._program.rows if owners else ()):
            if row.owner.key in owners:
                self._places[row.owner.key, row.ordinal] = place
                self._first.setdefault(row.owner.key, place)

    def _put(self, place: int, state: SavedState) -> None:
        same_clock = is_computed(state.fingerprint) == is_computed(self._program.rows[place].owner.fingerprint)
        if same_clock:
            self._remember(place, state)
        if state.phase in _ACTIVE:
            self._fold.restore(place, _began(state), Priority(state.priority))
        if state.fingerprint == self._program.rows[place].owner.fingerprint:
            self._set(place, *self._continued(place, state))
        elif state.phase in _ACTIVE:
            self._set(place, kernel.CHANGED, state.since_ns)

    def _set(self, place: int, phase: int, since_ns: int) -> None:
        self._live[place, kernel.PHASE], self._live[place, kernel.SINCE] = phase, since_ns

    def _continued(self, place: int, state: SavedState) -> tuple[int, int]:
        row = self._program.rows[place]
        if row.shape.kind == kernel.NO_DATA:
            return self._silence(state, row.shape.on_delay_ns)
        if state.phase is Phase.PENDING and state.since_ns + row.shape.on_delay_ns < self._now_ns:
            return kernel.OVERDUE, state.since_ns
        if state.phase is Phase.LEAVING and state.since_ns + row.shape.off_delay_ns < self._now_ns:
            return kernel.OVERDUE_LEAVING, state.since_ns
        return state.phase, state.since_ns

    def _silence(self, state: SavedState, timeout_ns: int) -> tuple[int, int]:
        if state.phase is Phase.NORMAL:
            return kernel.NORMAL, self._now_ns
        if state.phase is Phase.PENDING:
            end = max(state.since_ns + timeout_ns, self._now_ns + min(_GRACE_NS, timeout_ns // 2))
            return kernel.PENDING, end - timeout_ns
        return state.phase, state.since_ns

    def _remember(self, place: int, state: SavedState) -> None:
        """Ignore from now on what the point had seen before: a broker delivers again what was not acknowledged."""
        row = self._program.rows[place]
        times = table_of(self._points.whole)[row.point]
        if state.seen_ns > times[kernel.NEWEST]:
            times[kernel.NEWEST] = state.seen_ns
            times[kernel.ARRIVED] = min(state.seen_ns, self._now_ns)  # a device's clock may be ahead of ours
        if row.shape.kind == kernel.QUALITY:
            self._grade(row.point, state)
        elif state.seen_ns >= self._held_ns.get(row.point, state.seen_ns):
            self._held_ns[row.point] = state.seen_ns
            table_of(self._points.real)[row.point, kernel.HELD] = state.value

    def _grade(self, point: int, state: SavedState) -> None:
        """Know what quality the point had; the next sample is looked at all the same, for a delay may be overdue."""
        since_ns = min(state.since_ns, self._now_ns)
        if since_ns >= self._points.graded[point] and 0 <= state.value <= _LAST_CODE:
            self._points.graded[point] = since_ns
            self._points.grade[point] = int(state.value)

    def _adopt(self, state: SavedState) -> SavedState:
        """Let the rule's first row answer for an active row that an edit removed, so that the episode can end."""
        place = self._first[state.owner]
        if self._fold.began_ns(place) is None:
            self._fold.restore(place, _began(state), Priority(state.priority))
            kernel.move(self._program.columns, place, kernel.CHANGED, state.since_ns)
        return replace(state, phase=Phase.NORMAL, began_ns=None)


def _began(state: SavedState) -> int:
    return state.since_ns if state.began_ns is None else state.began_ns
