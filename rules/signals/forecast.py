"""How many hours are left until a value reaches a limit, if its present trend goes on.

The trend is the line of Theil (1950) and Sen (Journal of the American Statistical Association 63, 1968): the median of
the slopes between all pairs of points, which a quarter of wild points cannot carry away. Its points are the means of
the samples in equal stretches of absolute time, so that a point that reports often weighs no more than one that
reports seldom, and the line is the same whether it was followed for months or rebuilt from history.

Noise has a trend as well, if a chance one. A trend counts only where Mann's and Kendall's test (Kendall: Rank
Correlation Methods, 1975) finds that it would come by chance once in about a thousand windows of mere noise. Values
that hang together, as temperatures do, wander more than mere noise; the variance is therefore widened by what
neighbouring stretches have in common once the trend is taken away (Hamed and Rao: Journal of Hydrology 204, 1998, for
the first lag).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.clock import NS_PER_MS, NS_PER_S
from facility.conditions import Forecast

NO_TREND_H: Final = 1_000_000.0
"""Hours left where no trend leads to the limit: more than a century."""

_BUCKETS: Final = 48
"""Stretches that the window is cut into."""
_LEAST_FILLED: Final = _BUCKETS // 2
"""Stretches with samples without which nothing is said."""
_CONFIDENCE: Final = 3.0
"""Standard deviations that the test's statistic must lie away from 0; 3 is once in 741 on one side."""
_PLAIN: Final = 0.9
"""Pairs that rise, less those that fall, as a share of all: a trend anyone sees, whatever the values have in common."""
_NS_PER_H: Final = 3600 * NS_PER_S

_Vector = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Bucket:
    number: int
    """Since 1970."""
    count: int = 0
    hours: float = 0.0
    """Sum over samples, since the bucket began."""
    values: float = 0.0
    """Sum over samples."""

    def add(self, hours: float, value: float) -> None:
        self.count += 1
        self.hours += hours
        self.values += value


@dataclass(frozen=True, slots=True)
class _Line:
    slope: float
    """Per hour."""
    level: float
    """At ``origin_ns``."""
    origin_ns: int
    is_trend: bool
    """Whether it is more than chance."""


class ForecastSignal:
    """Hours until one point's value reaches the limit; 0 once the trend's line has, :data:`NO_TREND_H` at most."""

    def __init__(self, condition: Forecast) -> None:
        self._limit = condition.limit
        self._sign = 1.0 if condition.direction == "rising" else -1.0
        self._bucket_ns = max(round(condition.window_h * _NS_PER_H) // _BUCKETS, NS_PER_MS)
        self._buckets: deque[_Bucket] = deque()
        self._line: _Line | None = None
        """Through the buckets that were complete when the newest one began; ``None``: too few of them."""
        self.look_back_ns = (_BUCKETS + 1) * self._bucket_ns
        """How much history rebuilds this."""

    def take(self, at_ns: int, value: float) -> float | None:
        """Take the next sample and return the hours left; ``None`` until half of the window has samples."""
        number, rest_ns = divmod(at_ns, self._bucket_ns)
        if not self._buckets or self._buckets[-1].number != number:
            self._begin(number)
        self._buckets[-1].add(rest_ns / _NS_PER_H, value)
        return None if self._line is None else self._hours_left(self._line, at_ns)

    def _begin(self, number: int) -> None:
        while self._buckets and self._buckets[0].number < number - _BUCKETS:
            self._buckets.popleft()
        self._line = self._fitted(number) if len(self._buckets) >= _LEAST_FILLED else None
        self._buckets.append(_Bucket(number))

    def _fitted(self, number: int) -> _Line:
        size_h = self._bucket_ns / _NS_PER_H
        hours = np.array([(each.number - number) * size_h + each.hours / each.count for each in self._buckets])
        values = np.array([each.values / each.count for each in self._buckets])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            slope = theil_sen(hours, values)
            level = float(np.median(values - slope * hours))
            is_trend = is_beyond_chance(hours, values, slope)
        return _Line(slope, level, number * self._bucket_ns, is_trend)

    def _hours_left(self, line: _Line, at_ns: int) -> float:
        now = line.level + line.slope * ((at_ns - line.origin_ns) / _NS_PER_H)
        left = self._sign * (self._limit - now)
        speed = self._sign * line.slope
        if not (line.is_trend and speed > 0.0 and math.isfinite(left)):
            return NO_TREND_H
        return min(max(left / speed, 0.0), NO_TREND_H)


def theil_sen(hours: _Vector, values: _Vector) -> float:
    """Return the median of the slopes between all pairs of points; times all differ, shape ``(n,)``, two at least."""
    earlier, later = np.triu_indices(len(hours), 1)
    return float(np.median((values[later] - values[earlier]) / (hours[later] - hours[earlier])))


def is_beyond_chance(hours: _Vector, values: _Vector, slope: float) -> bool:
    """Tell whether the values rise (or fall) more steadily than values without a trend do by chance."""
    count = len(values)
    earlier, later = np.triu_indices(count, 1)
    agreement = abs(float(np.sign(values[later] - values[earlier]).sum()))
    variance = count * (count - 1) * (2 * count + 5) / 18
    rest = values - slope * hours
    chance = _CONFIDENCE * math.sqrt(variance * _widening(rest - rest.mean()))
    return agreement - 1 > min(chance, _PLAIN * len(earlier))


def _widening(rest: _Vector) -> float:
    """Return how much wider chance is for values of which each hangs together with the one before it."""
    power = float(rest @ rest)
    if not 0.0 < power < math.inf:
        return 1.0
    shared = min(max(float(rest[1:] @ rest[:-1]) / power, 0.0), 0.95)
    return (1 + shared) / (1 - shared)
