"""For how long a value has not moved although samples come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from facility.clock import NS_PER_S
from facility.conditions import StuckValue
from rules.signals.window import Window


@dataclass(slots=True)
class _Cell:
    number: int
    first_ns: int
    """When its first sample came."""
    last_ns: int
    last: float


class _Outermost:
    """The greatest (or least) value of a run of cells whose oldest drop out: a monotonic queue."""

    def __init__(self, is_beyond: Callable[[float, float], bool]) -> None:
        self._is_beyond = is_beyond
        self._queue: deque[tuple[int, float]] = deque()

    @property
    def cell(self) -> int:
        return self._queue[0][0]

    @property
    def value(self) -> float:
        return self._queue[0][1]

    def add(self, cell: int, value: float) -> None:
        while self._queue and not self._is_beyond(self._queue[-1][1], value):
            self._queue.pop()
        if not self._queue or self._queue[-1][0] != cell:
            self._queue.append((cell, value))

    def drop_through(self, cell: int) -> None:
        while self._queue and self._queue[0][0] <= cell:
            self._queue.popleft()


class StuckSignal:
    """Seconds for which all values lay within the tolerance of each other, and ``for_s`` at most.

    A move is measured between any two samples, so a value that creeps is not stuck once it has left the tolerance. The
    time begins at the first sample after a move; before the first sample ever, nothing is known, and it begins there.
    """

    def __init__(self, condition: StuckValue) -> None:
        self._window = Window.of_seconds(condition.for_s)
        self._for_s = condition.for_s
        self._tolerance = condition.tolerance
        self._cells: deque[_Cell] = deque()
        """Of the run: what came since the value last moved."""
        self._high = _Outermost(float.__gt__)
        self._low = _Outermost(float.__lt__)
        self._before: _Cell | None = None
        """What came last before the run; ``None``: nothing did."""
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float:
        """Take the next sample and return the seconds without a move."""
        number = self._window.cell_of(at_ns)
        self._drop_through(self._window.first_cell(at_ns) - 1)
        self._add(number, at_ns, float(value))
        while self._is_apart(self._high.value, self._low.value):
            moved = min(self._high.cell, self._low.cell)
            if moved == number:
                self._begin_again(number, at_ns, float(value))
                break
            self._drop_through(moved)
        return self._seconds(at_ns)

    def _is_apart(self, high: float, low: float) -> bool:
        return high - low > self._tolerance

    def _add(self, number: int, at_ns: int, value: float) -> None:
        if not self._cells or self._cells[-1].number != number:
            self._cells.append(_Cell(number, at_ns, at_ns, value))
        self._cells[-1].last_ns, self._cells[-1].last = at_ns, value
        self._high.add(number, value)
        self._low.add(number, value)

    def _begin_again(self, number: int, at_ns: int, value: float) -> None:
        self._drop_through(number)
        self._add(number, at_ns, value)

    def _drop_through(self, number: int) -> None:
        while self._cells and self._cells[0].number <= number:
            self._before = self._cells.popleft()
        self._high.drop_through(number)
        self._low.drop_through(number)

    def _seconds(self, at_ns: int) -> float:
        passed_ns = at_ns - self._began_ns(at_ns)
        return self._for_s if passed_ns >= self._window.length_ns else passed_ns / NS_PER_S

    def _began_ns(self, at_ns: int) -> int:
        """Return when the run began; the value that held when the window began belongs to it unless it is apart."""
        before = self._before
        if before is None or before.number >= self._window.first_cell(at_ns):
            return self._cells[0].first_ns
        high, low = max(self._high.value, before.last), min(self._low.value, before.last)
        return self._cells[0].first_ns if self._is_apart(high, low) else before.last_ns
