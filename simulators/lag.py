"""The first-order lag that most of a simulated device's quantities follow."""

from __future__ import annotations

import math


def approach(value: float, target: float, dt_s: float, time_constant_s: float) -> float:
    """Return where a first-order lag stands after ``dt_s``; exact for a constant target, whatever the step."""
    return target + (value - target) * math.exp(-dt_s / time_constant_s)
