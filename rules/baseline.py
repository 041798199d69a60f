"""A learned baseline: what several points of a machine do together while it is well, and how far they are from it now.

The chart is a multivariate EWMA control chart (Lowry, Woodall, Champ, Rigdon: Technometrics 34, 1992): every point is
scaled by its good period, smoothed exponentially, and the smoothed vector's distance from its mean is measured by the
covariance of the smoothed good rows, T² = (s - m)ᵀ C⁻¹ (s - m).

Machines warm up, so temperatures never stand still, and a chart that believes they do raises false alarms for ever.
What a point drifts in its good period it is allowed to go on drifting for another period as long: the mean square step
between neighbouring means, less what noise alone makes of it, is the rate of a random walk, and the variance that such
a walk gathers over the length of the good period is added to the point's own. A point that stood still gets no such
allowance. The means are of as many rows as the smoothing takes to forget three quarters of a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

_SETTLING: Final = 5.0
"""Time constants of the smoothing after which a chart has forgotten that it began at the mean (e⁻⁵ is below 1 %)."""
_SHORTEST: Final = 10
"""Memories of the smoothing, and rows for each point, that a good period must have; with fewer, drift cannot be told
from chance, nor what goes together from what happened to."""
_STILL: Final = 1e-9
"""Spread of a point, as a share of its largest value, below which it stood still: rounding leaves as much."""
_FLOOR: Final = 1e-3
"""Least variance of a smoothed scaled point, so that two points that say the same are not divided by nothing."""
_STRIDE: Final = 256
"""Rows that are smoothed at once."""


class GoodPeriodError(ValueError):
    """A good period teaches nothing; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A good period in numbers; ``k`` points."""

    smoothing: float
    """Weight of the newest row, 0 to 1: 0.1 remembers about twenty rows."""
    mean: Vector
    """Of each point, in its unit; shape ``(k,)``."""
    spread: Vector
    """Standard deviation of each point, in its unit; shape ``(k,)``."""
    centre: Vector
    """Mean of the smoothed scaled rows; shape ``(k,)``."""
    precision: Matrix
    """Inverse covariance of the smoothed scaled rows with what drift adds; shape ``(k, k)``."""
    usual: float
    """99th percentile of T² over the good rows themselves."""

    @property
    def lesson(self) -> str:
        """Return what tells it from anything else that was ever learned."""
        return f"{self.usual!r} {self.mean.tolist()}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chart says of one row."""

    ratio: float
    """T² as a multiple of the limit: beyond 1 the machine is not well."""
    shares: Vector
    """How much of T² each point explains; they sum to 1, and one that pulls back is negative; shape ``(k,)``."""


def memory_rows(smoothing: float) -> int:
    """Return after how many rows the smoothing has forgotten three quarters of one: two half-lives, ln 4 / λ."""
    return max(round(math.log(4.0) / smoothing), 1)


def rows_needed(points: int, smoothing: float) -> int:
    """Return how many rows a good period must have."""
    return _SHORTEST * max(memory_rows(smoothing), points) + _settling_rows(smoothing)


def fit(rows: Matrix, *, names: Sequence[str], smoothing: float) -> Baseline:
    """Learn what is good from rows of a good period.

    Args:
        rows: Oldest first, every value a number; shape ``(n, k)``.
        names: Of the ``k`` points, for messages.
        smoothing: Weight of the newest row, 0 to 1.

    Raises:
        GoodPeriodError: There are too few rows, or a point is not a number or never moved.
    """
    _check(rows, names, smoothing)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scaled = (rows - mean) / spread
    smooth = smoothed(scaled, smoothing)[_settling_rows(smoothing) :]
    centre = smooth.mean(axis=0)
    allowed = np.cov(smooth, rowvar=False).reshape(len(names), -1) + np.diag(_drift(scaled, smoothing) + _FLOOR)
    precision: Matrix = np.asarray(np.linalg.inv(allowed), np.float64)
    return Baseline(
        smoothing=smoothing,
        mean=mean,
        spread=spread,
        centre=centre,
        precision=precision,
        usual=float(np.percentile(_distances(smooth - centre, precision), 99.0)),
    )


@dataclass(slots=True)
class Chart:
    """Takes rows as they come; begins at the good period's mean, as a machine does that is well."""

    baseline: Baseline
    limit_factor: float
    """T² beyond this multiple of ``baseline.usual`` is beyond the limit."""
    smoothed: Vector = field(init=False)
    """Where the chart stands, scaled; shape ``(k,)``. All that has to outlive a restart."""

    def __post_init__(self) -> None:
        self.smoothed = self.baseline.centre.copy()

    def take(self, row: Vector) -> Verdict:
        """Take the next row, shape ``(k,)``; a NaN is a point that says nothing now, and leaves the chart as it was."""
        known = self.baseline
        scaled = (row - known.mean) / known.spread
        moved = self.smoothed + known.smoothing * (scaled - self.smoothed)
        self.smoothed = np.where(np.isnan(scaled), self.smoothed, moved)
        away = self.smoothed - known.centre
        parts = away * (known.precision @ away)
        statistic = float(parts.sum())
        shares = parts / statistic if statistic > 0 else np.zeros_like(parts)
        return Verdict(statistic / (self.limit_factor * known.usual), shares)


def smoothed(scaled: Matrix, smoothing: float) -> Matrix:
    """Return rows smoothed exponentially from 0 on; shapes ``(n, k)``."""
    steps = np.arange(_STRIDE)
    ages = steps[:, None] - steps
    weights = np.where(ages >= 0, smoothing * (1.0 - smoothing) ** np.maximum(ages, 0), 0.0)
    left = (1.0 - smoothing) ** (steps + 1.0)
    result = np.empty_like(scaled)
    state = np.zeros(scaled.shape[1])
    for start in range(0, len(scaled), _STRIDE):
        part = scaled[start : start + _STRIDE]
        count = len(part)
        result[start : start + count] = weights[:count, :count] @ part + np.outer(left[:count], state)
        state = result[start + count - 1]
    return result


def _settling_rows(smoothing: float) -> int:
    return int(np.ceil(_SETTLING / smoothing))


def _check(rows: Matrix, names: Sequence[str], smoothing: float) -> None:
    needed = rows_needed(len(names), smoothing)
    if len(rows) < needed:
        raise GoodPeriodError(
            f"the good period has {len(rows)} rows with a value of every point and needs {needed}; choose a longer one"
        )
    unknown = [name for name, column in zip(names, rows.T, strict=True) if not np.isfinite(column).all()]
    if unknown:
        raise GoodPeriodError(f"{', '.join(unknown)}: not every value is a number; leave out the rows where it is not")
    still = [name for name, column in zip(names, rows.T, strict=True) if _stood_still(column)]
    if still:
        raise GoodPeriodError(
            f"{', '.join(still)} did not move in the good period, so nobody knows how far it may; choose a period in "
            "which it does, or leave it out of the rule's points"
        )


def _stood_still(column: Vector) -> bool:
    return bool(np.ptp(column) <= _STILL * np.abs(column).max())


def _drift(scaled: Matrix, smoothing: float) -> Vector:
    """Return the variance that each point's drift gathers over the length of the good period."""
    block = memory_rows(smoothing)
    sums = np.cumsum(np.vstack([np.zeros(scaled.shape[1]), scaled]), axis=0)
    means = (sums[block:] - sums[:-block]) / block
    steps = np.square(means[block:] - means[:-block]).mean(axis=0)
    noise = np.square(np.diff(scaled, axis=0)).mean(axis=0) / block  # of two means of white noise
    rate: Vector = np.maximum(steps - noise, 0.0)
    return rate * len(scaled) / block


def _distances(away: Matrix, precision: Matrix) -> Vector:
    distances: Vector = np.einsum("ij,ij->i", away @ precision, away)
    return distances
