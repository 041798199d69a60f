"""How fast a value rises: the slope of the straight line that fits the samples of a window best."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from facility.clock import NS_PER_S
from facility.conditions import RateOfChange
from rules.signals.window import ONE, Window, quotient, whole

_PER_NS: Final = {"s": NS_PER_S, "min": 60 * NS_PER_S, "h": 3600 * NS_PER_S}


@dataclass(slots=True)
class _Sums:
    """Sums over samples: times in nanoseconds, values in smallest steps."""

    count: int = 0
    times: int = 0
    values: int = 0
    squares: int = 0
    """Of times."""
    products: int = 0

    def add(self, at_ns: int, value: int) -> None:
        self.count += 1
        self.times += at_ns
        self.values += value
        self.squares += at_ns * at_ns
        self.products += at_ns * value

    def take_away(self, other: _Sums) -> None:
        self.count -= other.count
        self.times -= other.times
        self.values -= other.values
        self.squares -= other.squares
        self.products -= other.products

    def slope(self, per_ns: int) -> float | None:
        """Return the line's slope by least squares; ``None`` if all samples are of one time."""
        spread = self.count * self.squares - self.times * self.times
        if spread == 0:
            return None
        return quotient((self.count * self.products - self.times * self.values) * per_ns, spread * ONE)


@dataclass(slots=True)
class _Cell:
    number: int
    first_ns: int
    """Its first sample's time."""
    last: tuple[int, int]
    """Its last sample: time and value."""
    sums: _Sums


class RateSignal:
    """The rate of one point's value, in its unit per ``per``.

    Two samples a moment apart are no trend, so those of the window count alone only if they span half of it. If not,
    the last one before the window is fitted as well: points that report seldom have a rate, too.
    """

    def __init__(self, condition: RateOfChange) -> None:
        self._window = Window.of_seconds(condition.window_s)
        self._per_ns = _PER_NS[condition.per]
        self._cells: deque[_Cell] = deque()
        self._sums = _Sums()
        self._before: tuple[int, int] | None = None
        """The last sample before the window; ``None``: there was none."""
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the rate; ``None`` before the samples span half of the window."""
        self._enter(at_ns, whole(value))
        self._leave(self._window.first_cell(at_ns))
        if 2 * (at_ns - self._cells[0].first_ns) >= self._window.length_ns:
            return self._sums.slope(self._per_ns)
        return None if self._before is None else self._slope_with(self._before)

    def _enter(self, at_ns: int, value: int) -> None:
        number = self._window.cell_of(at_ns)
        if not self._cells or self._cells[-1].number != number:
            self._cells.append(_Cell(number, at_ns, (at_ns, value), _Sums()))
        cell = self._cells[-1]
        cell.last = (at_ns, value)
        cell.sums.add(at_ns, value)
        self._sums.add(at_ns, value)

    def _leave(self, first: int) -> None:
        while self._cells[0].number < first:
            gone = self._cells.popleft()
            self._before = gone.last
            self._sums.take_away(gone.sums)

    def _slope_with(self, sample: tuple[int, int]) -> float | None:
        sums = _Sums(self._sums.count, self._sums.times, self._sums.values, self._sums.squares, self._sums.products)
        sums.add(*sample)
        return sums.slope(self._per_ns)
