"""A value against other points: how far it is from a reference, or beyond limits that move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facility.model import Point
from facility.units import conversion, display_unit
from rules.signals.signal import Judgement


@dataclass(frozen=True, slots=True)
class Reference:
    """Another point, brought to the unit of the one that is watched."""

    point: Point
    scale: float
    offset: float
    """In the watched point's unit, with whatever is to be added to the reference."""

    @classmethod
    def beside(cls, watched: Point, point: Point, added: float = 0.0) -> Reference:
        """Return a reference for a point.

        Raises:
            UnitError: The two do not measure the same quantity.
        """
        scale, offset = conversion(point.definition.unit, watched.definition.unit)
        return cls(point, scale, offset + added)

    def value(self, held: float) -> float:
        """Return what it says now; NaN while it is missing."""
        return self.scale * held + self.offset


class DeviationSignal:
    """Value less reference."""

    def __init__(self, point: Point, reference: Reference) -> None:
        self.inputs = (point.key, reference.point.key)
        self._reference = reference
        self._unit = display_unit(point.definition.unit)
        self._name = point.name

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return how far the value is above its reference; ``None`` while one of them is missing."""
        value, held = values
        reference = self._reference.value(held)
        difference = value - reference
        if math.isnan(difference):
            return None
        return Judgement(computed=(difference,), value=difference, details=(value, reference))

    def explain(self, judgement: Judgement) -> str:
        """Return both values."""
        value, reference = judgement.details
        shown = (f"{self._name} {value:.5g} {self._unit}", f"{self._reference.point.name} {reference:.5g} {self._unit}")
        return ", ".join(each.rstrip() for each in shown)


class MovingLimitsSignal:
    """The value's distance from each of its limits, which are other points."""

    def __init__(self, point: Point, limits: Sequence[Reference]) -> None:
        self.inputs = (point.key, *(limit.point.key for limit in limits))
        self._limits = tuple(limits)

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return the distances, NaN from a limit that is missing; ``None`` while no distance is known."""
        value = values[0]
        limits = tuple(limit.value(held) for limit, held in zip(self._limits, values[1:], strict=True))
        distances = tuple(value - limit for limit in limits)
        if all(map(math.isnan, distances)):
            return None
        return Judgement(computed=distances, value=value, limits=limits)

    def explain(self, judgement: Judgement) -> str:  # noqa: ARG002  # as the protocol wants it
        """Return nothing: value and limit say it all."""
        return ""
