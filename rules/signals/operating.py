"""The operating state in which a rule is watched, such as only while the pump runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facility.expression import Expression, Operand, parse
from facility.model import Point, Rule


@dataclass(frozen=True, slots=True)
class OperatingState:
    """A condition over points of the rule's asset."""

    expression: Expression
    points: tuple[int, ...]
    """Keys of the points that it names, in the order in which it takes their values."""

    def holds(self, values: Sequence[float]) -> bool | None:
        """Tell whether the asset is in it; NaN for a missing value, ``None``: missing values leave it open."""
        return self.expression.truth(values)


def operating_state(rule: Rule, points: Mapping[str, Point]) -> OperatingState | None:
    """Return a rule's operating state; ``None``: it is watched in any.

    Args:
        rule: Whose.
        points: Of its asset, by name.

    Raises:
        ExpressionError: It cannot be read, or names what is no point.
    """
    if rule.definition.only_when is None:
        return None
    operands = {
        name: Operand(unit=point.definition.unit, states=point.definition.states) for name, point in points.items()
    }
    expression = parse(rule.definition.only_when, operands)
    return OperatingState(expression, tuple(points[name].key for name in expression.operands))
