"""Units: conversion through pint, and the spelling that people read.

Everything inside Watchkeeper carries the unit that its class declares; only the gateway's edge converts, once, into a
scale and an offset per point.
"""

from __future__ import annotations

import re
from functools import cache

import pint

from facility.errors import UnitError


def conversion(source: str, target: str) -> tuple[float, float]:
    """Return scale and offset, so that ``target = scale * source + offset``.

    Args:
        source: Unit in pint's spelling, such as ``degF``; empty for a number without one.
        target: Unit in pint's spelling.

    Raises:
        UnitError: A unit is unknown, or the two do not measure the same quantity.
    """
    return (1.0, 0.0) if source == target else _conversion(source, target)


@cache
def difference_scale(source: str, target: str) -> float:
    """Return the factor from differences in one unit to differences in another: 10 degC apart are 18 degF apart.

    Raises:
        UnitError: A unit is unknown, or the two do not measure the same quantity.
    """
    try:
        return float(_registry().Quantity(1.0, _difference(source)).to(_difference(target)).magnitude)
    except pint.PintError as error:
        raise _unlike(source, target) from error


def is_known(unit: str) -> bool:
    """Tell whether pint knows the unit."""
    try:
        _unit(unit)
    except UnitError:
        return False
    return True


def has_own_zero(unit: str) -> bool:
    """Tell whether the unit's zero is not nothing, as with degrees Celsius: such values have differences but no sums.

    Raises:
        UnitError: The unit is unknown.
    """
    return bool(_registry().Quantity(0.0, _unit(unit)).to_base_units().magnitude != 0)


def ratio_unit(over: str, under: str) -> str:
    """Return the unit of one quantity divided by another; empty where they cancel.

    Raises:
        UnitError: A unit is unknown, or has a zero of its own, so that a ratio says nothing.
    """
    for unit in (over, under):
        if has_own_zero(unit):
            raise UnitError(f"{unit} has a zero of its own, so it cannot be multiplied or divided. Take a difference.")
    ratio = _unit(over) / _unit(under)
    return "" if ratio.dimensionless else str(ratio)


def display_unit(unit: str) -> str:
    """Return how people write the unit: ``m**3/h`` becomes ``m³/h``, ``percent/m`` becomes ``%/m``."""
    symbols = _WORD.sub(lambda match: _SYMBOLS.get(match[0], match[0]), unit)
    powers = _POWER.sub(lambda match: match[1].translate(_SUPERSCRIPTS), symbols)
    return powers.replace(" ", "").replace("*", "·")


_FACTOR = r"(?:1|[A-Za-zµΩ]\w*)(?:\s*\*\*\s*-?\d)?"
_GRAMMAR = re.compile(rf"{_FACTOR}(?:\s*[*/]\s*{_FACTOR})*")
_WORD = re.compile(r"[A-Za-z_]\w*")
_POWER = re.compile(r"\s*\*\*\s*(-?\d+)")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SYMBOLS = {
    "degC": "°C",
    "degF": "°F",
    "delta_degC": "K",
    "delta_degF": "°F",
    "deg": "°",
    "percent": "%",
    "g_0": "g",
    "standard_gravity": "g",
    "ohm": "Ω",
    "um": "µm",
    "revolution": "rev",
}


@cache
def _registry() -> pint.UnitRegistry[float]:
    # Building it reads thousands of definitions: once, and only in a process that converts something.
    return pint.UnitRegistry()


@cache
def _unit(unit: str) -> pint.Unit:
    # pint evaluates any arithmetic and lets Python's errors through, so only what looks like a unit reaches it.
    try:
        if unit and not _GRAMMAR.fullmatch(unit):
            raise pint.DefinitionSyntaxError(unit)
        return _registry().Unit(unit)
    except (pint.PintError, ValueError) as error:  # ValueError: pint on "nan" and "inf"
        raise UnitError(f"{unit!r} is not a unit. Write it as pint does, such as m**3/h, degC or mm/s.") from error


@cache
def _conversion(source: str, target: str) -> tuple[float, float]:
    quantity = _registry().Quantity
    try:
        offset = quantity(0.0, _unit(source)).to(_unit(target)).magnitude
        scale = quantity(1.0, _difference(source)).to(_difference(target)).magnitude
    except pint.PintError as error:
        raise _unlike(source, target) from error
    return scale, offset


def _unlike(source: str, target: str) -> UnitError:
    return UnitError(
        f"{source or 'a number without a unit'} cannot become {target or 'a number without a unit'}: they measure "
        f"different things. Check the unit on both sides."
    )


def _difference(unit: str) -> pint.Unit:
    """Return the unit of a difference: of temperatures with a zero of their own, pint's ``delta_`` unit."""
    return _unit(f"delta_{_unit(unit)}" if has_own_zero(unit) else unit)
