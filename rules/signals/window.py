"""How a sliding window is kept, so that its memory is bounded and nothing in it drifts or depends on a restart.

A window is cut into cells that begin at multiples of a thousandth of its length since 1970, and at any time it holds
the cells that begin after its own beginning. Samples of one cell are added up as they come and leave together, so a
window is shorter than asked by up to a thousandth.

What is added up over months must not gather rounding errors, and must be the same whether it was added up over months
or rebuilt from history after a restart. Sums are therefore of whole numbers: times in nanoseconds, and values in the
smallest step of a float (:func:`whole`). Python's integers have no end, and their quotient is rounded once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from facility.clock import NS_PER_S

CELLS: Final = 1000
"""Cells that a window is cut into."""

_SMALLEST_EXPONENT: Final = 1074
"""The smallest number that a float tells from 0 is two to the power of minus this; all floats are multiples of it."""

ONE: Final = 1 << _SMALLEST_EXPONENT
"""What :func:`whole` makes of 1.0."""


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time that slides along."""

    length_ns: int
    """At least :data:`CELLS`."""
    cell_ns: int

    @classmethod
    def of_seconds(cls, seconds: float) -> Window:
        """Return a window that is so long, and at least a microsecond."""
        length_ns = max(round(seconds * NS_PER_S), CELLS)
        return cls(length_ns, length_ns // CELLS)

    def cell_of(self, at_ns: int) -> int:
        """Return the number of the cell that a time lies in."""
        return at_ns // self.cell_ns

    def first_cell(self, at_ns: int) -> int:
        """Return the number of the first cell that the window holds when it ends at a time."""
        return (at_ns - self.length_ns) // self.cell_ns + 1


def whole(value: float) -> int:
    """Return a finite value as a whole number of smallest steps; no digit is lost."""
    numerator, denominator = value.as_integer_ratio()
    return numerator << (_SMALLEST_EXPONENT + 1 - denominator.bit_length())


def quotient(numerator: int, denominator: int) -> float:
    """Return what is left after one rounding; beyond the largest float, that one."""
    try:
        return numerator / denominator
    except OverflowError:
        return sys.float_info.max if (numerator > 0) is (denominator > 0) else -sys.float_info.max
