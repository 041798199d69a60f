"""Sets of record numbers as intervals: small, since numbers come and go in runs."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple


class Interval(NamedTuple):
    """Whole numbers from the first to the last, both included."""

    first: int
    last: int


class Intervals:
    """A set of whole numbers; takes memory by its gaps, not by its numbers."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __len__(self) -> int:
        """Return how many intervals there are."""
        return len(self._firsts)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def add(self, number: int) -> None:
        """Take a number in."""
        if number in self:
            return
        at = bisect_right(self._firsts, number)
        joins_left = at > 0 and self._lasts[at - 1] == number - 1
        joins_right = at < len(self._firsts) and self._firsts[at] == number + 1
        if joins_left and joins_right:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif joins_left:
            self._lasts[at - 1] = number
        elif joins_right:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)

    def forget_below(self, number: int) -> None:
        """Take every smaller number out."""
        keep = bisect_right(self._lasts, number - 1)
        del self._firsts[:keep], self._lasts[:keep]
        if self._firsts and self._firsts[0] < number:
            self._firsts[0] = number

    def take_all(self) -> list[Interval]:
        """Return everything, smallest first, and be empty."""
        taken = [Interval(*pair) for pair in zip(self._firsts, self._lasts, strict=True)]
        self._firsts, self._lasts = [], []
        return taken
