"""The unit of what a condition is decided on: what people read behind an alarm's value and limit."""

from __future__ import annotations

from facility.conditions import (
    Condition,
    CounterIncrease,
    Deviation,
    Forecast,
    Limited,
    MovingThreshold,
    NoData,
    RateOfChange,
    StuckValue,
    Threshold,
    WindowStatistic,
)
from facility.units import has_own_zero


def quantity_unit(condition: Condition, unit: str) -> str:
    """Return the unit of a condition's quantity in pint's spelling; empty for a number, and for none.

    Args:
        condition: Of a rule.
        unit: Of the rule's point.

    Raises:
        UnitError: The point's unit is unknown.
    """
    match condition:
        case Threshold() | MovingThreshold() | WindowStatistic() | CounterIncrease():
            return unit
        case RateOfChange():
            return f"{_difference(unit) or '1'}/{condition.per}"
        case Deviation():
            return _difference(unit)
        case NoData() | StuckValue():
            return "s"
        case Forecast():
            return "h"
    return ""


def limits_unit(condition: Condition, unit: str) -> str:
    """Return the unit in which limits and deadband of a condition are written; see :func:`quantity_unit`."""
    return quantity_unit(condition, unit) if isinstance(condition, Limited) else unit


def _difference(unit: str) -> str:
    return f"delta_{unit}" if unit and has_own_zero(unit) else unit
