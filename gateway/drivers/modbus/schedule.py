"""Whose turn it is on a line: pure, with time as a parameter (wall seconds of any steady clock)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

FIRST_READING_S: Final = 1.0
"""A group that is read seldom is still read within this time of a new connection, and only then at its own pace."""

YIELD_S: Final = 1.0
"""Neighbours that are due so soon after a silent unit go first."""

REST: Final = 2.0
"""Timeouts' lengths for which no silent unit is asked after one that stayed silent: so those that answer have two
thirds of the line's time, and ten silent ones are still all tried within 30 s."""

HALF_OPEN: Final = 3
"""Units that fall silent one after another, with no answer between: then it is rather the connection that is dead."""


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


def spread(paces: Sequence[Pace], now_s: float, *, phase: float = 0.0) -> None:
    """Give every group a place of its own within its period, so that their requests do not come all at once.

    ``phase`` (0 to below 1) moves all of them, so that those of other lines do not come with them either.
    """
    for place, pace in enumerate(paces):
        share = (place + phase) / len(paces)
        pace.grid_s = now_s + share * pace.period_s
        pace.due_s = now_s + share * min(pace.period_s, FIRST_READING_S)


class Turn(NamedTuple):
    """Whose turn is next, and when."""

    place: int
    """Among the groups, as they were given."""
    at_s: float


def next_turn(paces: Sequence[Pace], suspects: Collection[int], suspects_from_s: float) -> Turn:
    """Return whose turn is next: the one due first, where units that stay silent yield to their neighbours.

    Args:
        paces: All groups on the line.
        suspects: Units whose last request stayed without an answer.
        suspects_from_s: None of them before this time, so that most of the line's time is the living units'; where no
            unit lives, it means nothing.
    """
    if not suspects:
        place = min(range(len(paces)), key=lambda place: paces[place].due_s)
        return Turn(place, paces[place].due_s)
    from_s = suspects_from_s if any(pace.unit not in suspects for pace in paces) else -math.inf

    def rank(place: int) -> tuple[float, float]:
        """Return when a group's turn is; of two at once, the one that has waited longer goes first."""
        pace = paces[place]
        if pace.unit not in suspects:
            return pace.due_s, pace.due_s
        return max(pace.due_s + min(pace.period_s, YIELD_S), from_s), pace.due_s

    place = min(range(len(paces)), key=rank)
    due_s = paces[place].due_s
    return Turn(place, max(due_s, from_s) if paces[place].unit in suspects else due_s)
