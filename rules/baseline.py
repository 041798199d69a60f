"""A learned baseline: what several points of a machine do together while it is well, and how far they are from it now.

The chart is a multivariate EWMA control chart (Lowry, Woodall, Champ, Rigdon: Technometrics 34, 1992): every point is
scaled by its good period, smoothed exponentially, and the smoothed vector's distance from its mean is measured by the
covariance of the smoothed good rows, T² = (s - m)ᵀ C⁻¹ (s - m).

Machines warm up, so temperatures never stand still, and a chart that believes they do raises false alarms for ever.
What a point drifts in its good period it is allowed to go on drifting: the mean square step between its block means,
less what noise alone makes of it, is the rate of a random walk, and the variance that such a walk gathers over
``drift_horizon`` good periods is added to the point's own. A point that stood still gets no such allowance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

_SETTLING: Final = 5.0
"""Time constants of the smoothing after which a chart has forgotten that it began at the mean (e⁻⁵ is below 1 %)."""
_SHORTEST: Final = 4
"""Blocks that a good period must have, or its drift cannot be told from chance."""
_EVEN: Final = 1e-6
"""Least spread of a point, as a share of its mean, or in its unit where that is 0: one that never moved has none."""
_FLOOR: Final = 1e-3
"""Least variance of a smoothed scaled point, so that one that never moved is watched and not divided by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSettings:
    """How a baseline is fitted; the defaults serve machines sampled some hundred times faster than they change."""

    smoothing: float = 0.1
    """Weight of the newest row, 0 to 1: 0.1 remembers about twenty rows."""
    limit_factor: float = 4.0
    """Limit as a multiple of the good rows' own 99th percentile of T²."""
    block: int = 30
    """Rows whose mean is compared with the next block's to find drift."""
    drift_horizon: float = 0.4
    """Good periods for which drift is allowed to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A good period in numbers; ``k`` points."""

    settings: BaselineSettings
    mean: Vector
    """Of each point, in its unit; shape ``(k,)``."""
    spread: Vector
    """Standard deviation of each point, in its unit; shape ``(k,)``."""
    centre: Vector
    """Mean of the smoothed scaled rows; shape ``(k,)``."""
    precision: Matrix
    """Inverse covariance of the smoothed scaled rows with what drift adds; shape ``(k, k)``."""
    limit: float
    """T² beyond which a machine is not well."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chart says of one row."""

    statistic: float
    """T²."""
    is_beyond: bool
    """Whether it is beyond the limit."""
    shares: Vector
    """How much of T² each point explains; they sum to 1, and one that pulls back is negative; shape ``(k,)``."""


def settling_rows(settings: BaselineSettings) -> int:
    """Return how many rows a chart needs to forget where it began."""
    return int(np.ceil(_SETTLING / settings.smoothing))


def fit(rows: Matrix, settings: BaselineSettings | None = None) -> Baseline:
    """Learn what is good from rows of a good period, oldest first; shape ``(n, k)``, every value a number.

    Raises:
        ValueError: The period is too short; the message says how many rows it needs.
    """
    chosen = settings or BaselineSettings()
    settling = settling_rows(chosen)
    needed = max(_SHORTEST * chosen.block, 2 * settling)
    if len(rows) < needed:
        raise ValueError(f"the good period has {len(rows)} rows and needs {needed}; choose a longer one")
    mean = rows.mean(axis=0)
    spread = np.maximum(rows.std(axis=0), _EVEN * np.where(mean == 0.0, 1.0, np.abs(mean)))
    scaled = (rows - mean) / spread
    smooth = _smoothed(scaled, chosen.smoothing)[settling:]
    covariance = np.cov(smooth, rowvar=False).reshape(rows.shape[1], rows.shape[1])
    allowed = covariance + np.diag(_drift_variance(scaled, chosen) + _FLOOR)
    precision: Matrix = np.asarray(np.linalg.inv(allowed), np.float64)
    centre = smooth.mean(axis=0)
    usual = np.percentile(_distances(smooth - centre, precision), 99.0)
    return Baseline(
        settings=chosen,
        mean=mean,
        spread=spread,
        centre=centre,
        precision=precision,
        limit=float(chosen.limit_factor * usual),
    )


@dataclass(slots=True)
class Chart:
    """Takes rows as they come; begins at the good period's mean, as a machine does that is well."""

    baseline: Baseline
    smoothed: Vector = field(init=False)
    """Where the chart stands, scaled; shape ``(k,)``. All that has to outlive a restart."""

    def __post_init__(self) -> None:
        self.smoothed = self.baseline.centre.copy()

    def take(self, row: Vector) -> Verdict:
        """Take the next row, shape ``(k,)``; a NaN is a point that says nothing now, and leaves the chart as it was."""
        known = self.baseline
        scaled = (row - known.mean) / known.spread
        weight = known.settings.smoothing
        self.smoothed = np.where(np.isnan(scaled), self.smoothed, (1 - weight) * self.smoothed + weight * scaled)
        away = self.smoothed - known.centre
        parts = away * (known.precision @ away)
        statistic = float(parts.sum())
        shares = parts / statistic if statistic > 0 else np.zeros_like(parts)
        return Verdict(statistic, statistic > known.limit, shares)


def _smoothed(scaled: Matrix, weight: float) -> Matrix:
    result = np.empty_like(scaled)
    state = np.zeros(scaled.shape[1])
    for place, row in enumerate(scaled):
        state = (1 - weight) * state + weight * row
        result[place] = state
    return result


def _drift_variance(scaled: Matrix, settings: BaselineSettings) -> Vector:
    """Return the variance that each point's drift gathers over the horizon."""
    blocks = len(scaled) // settings.block
    means = scaled[: blocks * settings.block].reshape(blocks, settings.block, -1).mean(axis=1)
    steps = np.square(np.diff(means, axis=0)).mean(axis=0)
    noise = np.square(np.diff(scaled, axis=0)).mean(axis=0) / settings.block  # of two means of white noise
    rate: Vector = np.maximum(steps - noise, 0.0)
    return rate * settings.drift_horizon * len(scaled) / settings.block


def _distances(away: Matrix, precision: Matrix) -> Vector:
    distances: Vector = np.einsum("ij,jk,ik->i", away, precision, away)
    return distances
