"""Mean, least, greatest and percentile of a value over a window; each value counts for as long as it held.

A value holds from its sample to the next one, so the newest sample's value has not held for any time yet: it is among
those that least and greatest are chosen from, and has no weight in mean and percentile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from facility.conditions import WindowStatistic
from rules.signals.window import ONE, Window, quotient, whole


@dataclass(slots=True)
class _Cell:
    """What held from one cell's first sample to the next cell's."""

    number: int
    first_ns: int
    newest_ns: int
    """Its newest sample's time."""
    last: int
    """That sample's value, in smallest steps."""
    end_ns: int
    """Up to when it has held: the newest sample, or the next cell's first."""
    area: int = 0
    """Value times nanoseconds, up to then."""


class _Held:
    """The values of a window and how long each of them held."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.cells: deque[_Cell] = deque()
        self._before: tuple[int, int] | None = None
        """The last sample before the window, which held when it began: time and value; ``None``: there was none."""

    def enter(self, at_ns: int, value: int) -> tuple[int, bool]:
        """Take a sample; return the area that the one before it made until now, and whether a cell began."""
        number = self._window.cell_of(at_ns)
        newest = self.cells[-1] if self.cells else None
        piece = 0
        if newest is not None:
            piece = newest.last * (at_ns - newest.end_ns)
            newest.area += piece
            newest.end_ns = at_ns
        if newest is None or newest.number != number:
            self.cells.append(_Cell(number, at_ns, at_ns, value, at_ns))
            return piece, True
        newest.newest_ns, newest.last = at_ns, value
        return piece, False

    def leave(self, at_ns: int) -> _Cell | None:
        """Return one cell that has left the window, for as long as there are any."""
        if self.cells[0].number >= self._window.first_cell(at_ns):
            return None
        gone = self.cells.popleft()
        self._before = gone.newest_ns, gone.last
        return gone

    def entering(self, at_ns: int) -> tuple[int, int] | None:
        """Return the value that held when the window began, and for how long; ``None`` before a whole window."""
        if self._before is None:
            return None
        before_ns, value = self._before
        return value, self.cells[0].first_ns - max(at_ns - self._window.length_ns, before_ns)


class MeanSignal:
    """The mean over the window."""

    def __init__(self, condition: WindowStatistic) -> None:
        self._window = Window.of_seconds(condition.window_s)
        self._held = _Held(self._window)
        self._area = 0
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the mean; ``None`` until a whole window has been seen."""
        held = self._held
        self._area += held.enter(at_ns, whole(value))[0]
        while (gone := held.leave(at_ns)) is not None:
            self._area -= gone.area
        entering = held.entering(at_ns)
        if entering is None:
            return None
        value_before, weight = entering
        begin_ns = held.cells[0].first_ns - weight
        return quotient(self._area + value_before * weight, (at_ns - begin_ns) * ONE)


@dataclass(slots=True)
class _Weighted:
    """Values with weights, sorted, cut where the lower ones first have their share of all weight."""

    share: tuple[int, int]
    """Numerator and denominator."""
    values: list[float] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    cut: int = 0
    """How many values lie below."""
    below: int = 0
    """Their weight."""
    total: int = 0

    def add(self, value: float, weight: int) -> None:
        """Add weight to a value."""
        place = bisect_left(self.values, value)
        if place == len(self.values) or self.values[place] != value:
            self.values.insert(place, value)
            self.weights.insert(place, 0)
            self.cut += place < self.cut
        self._change(place, weight)

    def take_away(self, value: float, weight: int) -> None:
        """Take weight away that was added."""
        place = bisect_left(self.values, value)
        self._change(place, -weight)
        if self.weights[place] == 0:
            del self.values[place], self.weights[place]
            self.cut -= place < self.cut

    def quantile(self) -> float:
        """Return the least value that, with all lesser ones, has the share of all weight."""
        while not self._is_enough(self.below):
            self.below += self.weights[self.cut]
            self.cut += 1
        while self._is_enough(self.below - self.weights[self.cut - 1]):
            self.cut -= 1
            self.below -= self.weights[self.cut]
        return self.values[self.cut - 1]

    def _change(self, place: int, weight: int) -> None:
        self.weights[place] += weight
        self.total += weight
        if place < self.cut:
            self.below += weight

    def _is_enough(self, weight: int) -> bool:
        numerator, denominator = self.share
        return weight * denominator >= self.total * numerator


class PercentileSignal:
    """A percentile of the time in the window; samples of one cell count with their mean."""

    def __init__(self, condition: WindowStatistic) -> None:
        numerator, denominator = (condition.percentile or 0.0).as_integer_ratio()
        self._window = Window.of_seconds(condition.window_s)
        self._held = _Held(self._window)
        self._sorted = _Weighted((numerator, 100 * denominator))
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the percentile; ``None`` until a whole window has been seen."""
        held = self._held
        _, is_new = held.enter(at_ns, whole(value))
        if is_new and len(held.cells) > 1:
            self._sorted.add(*_level(held.cells[-2]))
        while (gone := held.leave(at_ns)) is not None:
            self._sorted.take_away(*_level(gone))
        entering = held.entering(at_ns)
        return None if entering is None else self._with_ends(quotient(entering[0], ONE), entering[1])

    def _with_ends(self, before: float, weight: int) -> float:
        """Let the value from before the window and the unfinished cell count for as long as they have held so far."""
        ends = [end for end in ((before, weight), _level(self._held.cells[-1])) if end[1]]
        for end in ends:
            self._sorted.add(*end)
        answer = self._sorted.quantile()
        for end in ends:
            self._sorted.take_away(*end)
        return answer


def _level(cell: _Cell) -> tuple[float, int]:
    """Return a cell's mean value and for how long it held."""
    weight = cell.end_ns - cell.first_ns
    return quotient(cell.area, weight * ONE) if weight else 0.0, weight


class ExtremeSignal:
    """The least or greatest value that held within the window: a monotonic queue, O(1) per sample on the whole."""

    def __init__(self, condition: WindowStatistic) -> None:
        self._window = Window.of_seconds(condition.window_s)
        self._outer: Callable[[float, float], float] = max if condition.statistic == "max" else min
        self._queue: deque[tuple[int, float]] = deque()
        """The cell up to which a value held, and the value; outermost first."""
        self._newest: tuple[int, float] | None = None
        """Time and value; ``None`` before the first sample."""
        self._first_cell: int | None = None
        """Cell of the first sample ever; ``None`` before it."""
        self.look_back_ns = self._window.length_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the extreme; ``None`` until a whole window has been seen."""
        cell, first = self._window.cell_of(at_ns), self._window.first_cell(at_ns)
        if self._newest is not None and self._newest[0] < at_ns:
            self._enter(cell, self._newest[1])
        self._newest = (at_ns, value)
        if self._first_cell is None:
            self._first_cell = cell
        while self._queue and self._queue[0][0] < first:
            self._queue.popleft()
        return self._outer(value, self._queue[0][1]) if self._first_cell < first else None

    def _enter(self, cell: int, value: float) -> None:
        """Add a value that held until now; what it outdoes will never be the outermost again."""
        while self._queue and self._outer(self._queue[-1][1], value) == value:
            self._queue.pop()
        if not self._queue or self._queue[-1][0] != cell:
            self._queue.append((cell, value))


def statistic_signal(condition: WindowStatistic) -> MeanSignal | PercentileSignal | ExtremeSignal:
    """Return the signal for the condition's statistic."""
    match condition.statistic:
        case "mean":
            return MeanSignal(condition)
        case "percentile":
            return PercentileSignal(condition)
        case _:
            return ExtremeSignal(condition)
