"""Settings worth trying for a rule, from what its point did: pure functions over columns.

Limits come from the tail of the values and from what they reached in labelled windows, deadbands from the noise, delays
from how long excursions, and the pauses between them, last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from facility.clock import NS_PER_S

TAILS: Final = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 0.0)
"""Shares of the samples that lie beyond a candidate limit."""
REACHED: Final = (0.5, 0.9, 1.0)
"""Shares of a labelled window's samples that a limit below their level lets pass."""
NOISES: Final = (2.0, 4.0, 8.0)
"""Candidate deadbands as multiples of the noise."""
DELAYS_S: Final = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0)
"""Delays that people would write."""
SHARES: Final = (0.5, 0.9, 0.99)
"""A candidate delay outlasts one of these shares of the excursions, or of the pauses between them."""

_NORMAL_MAD: Final = 1.4826
"""Standard deviation of normal noise as a multiple of its median absolute deviation."""
_DIGITS: Final = 3
"""Significant ones, of the values' spread."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Window(NamedTuple):
    """A labelled stretch: the rule should have said so."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Settings:
    """What can be turned at a rule."""

    limit: float | None
    """``None`` for a state."""
    on_delay_s: float
    off_delay_s: float
    deadband: float


class Course(NamedTuple):
    """What a point did: usable samples in the order of time."""

    at_ns: Integers
    value: Floats


def noise(values: Floats) -> float:
    """Return the standard deviation of a signal's noise, whatever the signal does meanwhile.

    By the median absolute difference of neighbours, which a few jumps do not move; where most neighbours are equal, by
    their mean square difference.
    """
    steps = np.diff(values)
    if not len(steps):
        return 0.0
    usual = _NORMAL_MAD * float(np.median(np.abs(steps - np.median(steps))))
    return (usual or float(np.sqrt(np.mean(np.square(steps))))) / math.sqrt(2.0)


def limits(course: Course, labels: Sequence[Window], *, is_upper: bool) -> list[float]:
    """Return candidate limits: at the tail of the values, and just within what each labelled window reached."""
    sign = 1.0 if is_upper else -1.0
    values = sign * course.value  # from here on, beyond is above
    found = np.quantile(values, [1.0 - tail for tail in TAILS]).tolist()
    inside = [values[(course.at_ns >= label.start_ns) & (course.at_ns <= label.end_ns)] for label in labels]
    reached = [level for level in inside if len(level)]
    if reached:
        weakest = [min(float(np.quantile(level, share)) for level in reached) for share in REACHED]
        found += [level - noise(course.value) for level in weakest]
        usual = values[~during(course.at_ns, labels)]
        found.append((weakest[-1] + float(usual.max(initial=weakest[-1]))) / 2)
    step = rounding(course.value)
    return sorted({round_to(sign * level, step) for level in found})


def deadbands(values: Floats) -> list[float]:
    """Return candidate deadbands: multiples of the noise."""
    spread = noise(values)
    return sorted({round_to(factor * spread, rounding(values) / 10) for factor in NOISES})


def delays(lengths_s: Floats, longest_s: float) -> list[float]:
    """Return candidate delays that outlast some, most and nearly all of such lengths; 0 is always one."""
    found = {0.0}
    if len(lengths_s):
        for length in np.quantile(lengths_s, SHARES).tolist():
            found.add(next((delay for delay in DELAYS_S if delay > length), DELAYS_S[-1]))
    return sorted(delay for delay in found if delay <= longest_s)


def lengths_s(course: Course, beyond: Flags, labels: Sequence[Window]) -> tuple[Floats, Floats]:
    """Return how long excursions outside of labels last, and the pauses between them; a value holds until the next."""
    edges = np.flatnonzero(np.diff(beyond.astype(np.int8))) + 1
    lasted = np.diff(course.at_ns[edges]) / NS_PER_S
    goes_beyond = beyond[edges[:-1]] if len(edges) else np.zeros(0, np.bool_)
    told = during(course.at_ns[edges[:-1]], labels)
    return lasted[goes_beyond & ~told], lasted[~goes_beyond]


def during(at_ns: Integers, labels: Iterable[Window]) -> Flags:
    """Tell which times lie in a label."""
    found = np.zeros(len(at_ns), np.bool_)
    for label in labels:
        found |= (at_ns >= label.start_ns) & (at_ns <= label.end_ns)
    return found


def rounding(values: Floats) -> float:
    """Return the power of ten that settings are written to, by how far the values spread."""
    spread = float(values.max() - values.min()) or abs(float(values[0])) or 1.0
    return float(10.0 ** (math.floor(math.log10(spread)) + 1 - _DIGITS))


def round_to(value: float, step: float) -> float:
    """Round to a power of ten, as people write it."""
    return round(value, max(0, -round(math.log10(step)))) if step < 1.0 else round(value / step) * step
