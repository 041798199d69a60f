"""Numbers that a site writes with a unit, such as ``176 degF`` or ``8 K/min``, in the unit that their rule wants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from facility.errors import UnitError
from facility.grammar import Finding
from facility.units import conversion, difference_scale


class Measure(Enum):
    """What a number of a condition measures."""

    VALUE = auto()
    """A value of the point."""
    DIFFERENCE = auto()
    """How far two values are apart; temperatures have no zero here."""
    RATE = auto()
    """A difference per time."""


_OF_VALUES: Final = {"limits": Measure.VALUE, "deadband": Measure.DIFFERENCE}
_OF_DIFFERENCES: Final = {"limits": Measure.DIFFERENCE, "deadband": Measure.DIFFERENCE}

MEASURES: Final[Mapping[str, Mapping[str, Measure]]] = {
    "threshold": _OF_VALUES,
    "window": _OF_VALUES,
    "deviation": _OF_DIFFERENCES,
    "counter": {**_OF_DIFFERENCES, "modulus": Measure.DIFFERENCE},
    "rate_of_change": {"limits": Measure.RATE, "deadband": Measure.RATE},
    # Its limits are values of another point; what a rule writes is how far beside them.
    "moving_threshold": _OF_DIFFERENCES,
    "stuck": {"tolerance": Measure.DIFFERENCE},
    "forecast": {"limit": Measure.VALUE},
}
"""Type of condition to its keys that have a unit; limits are one entry for each side."""

_NUMBER_OF_LIMIT: Final = ("value", "offset")
_QUANTITY: Final = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s.].*?)?\s*")


def in_units(condition: Mapping[str, Any], unit: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return a condition, or the part of one, with its texts made numbers, and what is wrong with them.

    Args:
        condition: As written, with ``type`` and, for a rate, ``per``; what is no text stays as it is.
        unit: Of the rule's point.
    """
    reader = _Reader(unit, str(condition.get("per", "min")))
    found = dict(condition)
    for key, measure in MEASURES.get(str(condition.get("type")), {}).items():
        written = condition.get(key)
        if key == "limits" and isinstance(written, dict):
            found[key] = {side: reader.limit(str(side), limit, measure) for side, limit in written.items()}
        elif isinstance(written, str):
            found[key] = reader.number((key,), written, measure)
    return found, reader.findings


def as_limit(written: object) -> dict[str, Any]:
    """Return a limit as a class file writes it; a number or text alone is its value."""
    return written if isinstance(written, dict) else {"value": written}


class _Reader:
    def __init__(self, unit: str, per: str) -> None:
        self.findings: list[Finding] = []
        self._unit = unit
        self._per = per

    def limit(self, side: str, written: object, measure: Measure) -> object:
        """Return one side of ``limits``."""
        place, limit = ("limits", side), as_limit(written)
        return {
            key: self.number(place, each, measure) if key in _NUMBER_OF_LIMIT and isinstance(each, str) else each
            for key, each in limit.items()
        }

    def number(self, place: tuple[str, ...], text: str, measure: Measure) -> float:
        """Return what a text says, in the unit that is wanted; 0 after a finding."""
        match = _QUANTITY.fullmatch(text)
        try:
            if match is not None:
                return self._converted(float(match[1]), match[2], measure)
            message = f"{text!r} is no number; write one, or one with its unit such as {self._example(measure)}"
        except UnitError as error:
            message = str(error)
        self.findings.append((place, message))
        return 0.0

    def _converted(self, number: float, unit: str | None, measure: Measure) -> float:
        if unit is None:
            return number
        if measure is Measure.RATE:
            return number * self._rate_scale(unit)
        if measure is Measure.DIFFERENCE:
            return number * difference_scale(unit, self._unit)
        scale, offset = conversion(unit, self._unit)
        return scale * number + offset

    def _rate_scale(self, unit: str) -> float:
        over, slash, under = unit.rpartition("/")
        if not slash:
            raise UnitError(f"{unit} is no rate. Write one such as {self._example(Measure.RATE)}.")
        return difference_scale(over.strip(), self._unit) / difference_scale(under.strip(), self._per)

    def _example(self, measure: Measure) -> str:
        return f"8 {self._unit}/{self._per}" if measure is Measure.RATE else f"80 {self._unit}".rstrip()
