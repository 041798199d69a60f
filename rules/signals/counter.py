"""How much a counter (run hours, starts, trips) grew within a window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from facility.conditions import CounterIncrease
from rules.signals.window import ONE, Window, quotient, whole


@dataclass(slots=True)
class _Cell:
    number: int
    growth: int


class CounterSignal:
    """The growth of one point's value over the window, in its unit.

    A fall is a turn of the counter where its ``modulus`` is known and the way over the end is at most half a turn;
    every other fall is a device that was exchanged or began anew, and counts as no growth.
    """

    def __init__(self, condition: CounterIncrease) -> None:
        self._window = Window.of_seconds(condition.window_s)
        self._modulus = None if condition.modulus is None else whole(condition.modulus)
        self._cells: deque[_Cell] = deque()
        self._total = 0
        self._last = 0
        self._first_cell: int | None = None
        """Cell of the first sample ever; ``None`` before it."""
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the growth; ``None`` until a whole window has been seen."""
        number, cell, first = whole(value), self._window.cell_of(at_ns), self._window.first_cell(at_ns)
        if self._first_cell is None:
            self._first_cell = cell
        else:
            self._enter(cell, self._growth(number))
        self._last = number
        self._leave(first)
        return quotient(self._total, ONE) if self._first_cell < first else None

    def _growth(self, number: int) -> int:
        growth = number - self._last
        if growth >= 0:
            return growth
        if self._modulus is None or 2 * (growth + self._modulus) > self._modulus:
            return 0
        return max(growth + self._modulus, 0)

    def _enter(self, cell: int, growth: int) -> None:
        if not self._cells or self._cells[-1].number != cell:
            self._cells.append(_Cell(cell, 0))
        self._cells[-1].growth += growth
        self._total += growth

    def _leave(self, first: int) -> None:
        while self._cells and self._cells[0].number < first:
            self._total -= self._cells.popleft().growth
