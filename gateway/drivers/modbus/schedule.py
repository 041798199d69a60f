"""Whose turn it is on a line: pure, with time as a parameter (wall seconds of any steady clock)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

FIRST_READING_S: Final = 1.0
"""A group that is read seldom is still read within this time of a new connection, and only then at its own pace."""


@dataclass(slots=True, kw_only=True)
class Pace:
    """When one group of a device's points is read: a grid of turns with a phase of its own."""

    unit: int
    period_s: float
    due_s: float = 0.0
    """The next turn."""
    grid_s: float = 0.0
    """The first turn on the grid; a reading before it is the one that a new connection begins with."""

    def advance(self, now_s: float) -> int:
        """Plan the turn after one that ended now; return how many were left out meanwhile.

        Turns stay on the grid. A late group takes the turn it is in at once; those that passed meanwhile are left out,
        so that nothing piles up.
        """
        if self.due_s < self.grid_s:
            self.due_s = self.grid_s
            return 0
        passed = max(1, math.floor((now_s - self.due_s) / self.period_s))
        self.due_s += passed * self.period_s
        return passed - 1


def spread(paces: Sequence[Pace], now_s: float) -> None:
    """Give every group a phase of its own within its period, so that their requests do not come all at once."""
    for place, pace in enumerate(paces):
        share = place / len(paces)
        pace.grid_s = now_s + share * pace.period_s
        pace.due_s = now_s + share * min(pace.period_s, FIRST_READING_S)


_Paced = TypeVar("_Paced", bound=Pace)


def next_turn(paces: Iterable[_Paced], suspects: Collection[int]) -> _Paced:
    """Return whose turn is next: the one due first, where units that stay silent let those due soon after go first."""
    if not suspects:
        return min(paces, key=lambda pace: pace.due_s)
    return min(
        paces,
        key=lambda pace: pace.due_s + (min(pace.period_s, FIRST_READING_S) if pace.unit in suspects else 0.0),
    )
