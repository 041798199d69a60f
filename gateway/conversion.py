"""From what a device says to a point's value in its own unit, with a quality; nothing here ever raises on wire data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from facility.equipment import PointKind
from facility.errors import ConfigurationError, Mistake, UnitError
from facility.model import Point
from facility.quality import Quality
from facility.units import conversion

CONVERSION_KEYS: Final = frozenset({"scale", "offset", "unit", "states"})
"""The keys of a point's mapping that say how to read the value; all others say where it is."""

_NUMERIC: Final = frozenset({PointKind.ANALOG, PointKind.COUNTER})
_NO_VALUE: Final = math.nan


class PointConverter:
    """Converts one point's raw values; built once, used for every sample.

    Analog points and counters: ``raw * scale + offset`` in the source ``unit``, then into the point's unit. All other
    kinds: the wire's name or code through ``states``; without ``states`` the class's own names and codes.
    """

    def __init__(self, point: Point, mapping: Mapping[str, Any]) -> None:
        """Read the conversion keys of a mapping: ``scale``, ``offset``, ``unit`` and ``states``.

        Raises:
            ConfigurationError: The unit does not fit the point's, a factor is no number, or ``states`` names a state
                that the class does not have.
        """
        definition = point.definition
        self.point = point
        self.is_numeric = definition.kind in _NUMERIC
        """Whether the value is a quantity; otherwise it is the code of a state."""
        self.low, self.high = definition.range or (-math.inf, math.inf)
        """Physical range in the point's unit."""
        self.scale, self.offset = _linear(point, mapping)
        """``raw * scale + offset`` is the value in the point's unit; 1 and 0 for states."""
        self._codes = {} if self.is_numeric else _codes(point, mapping)

    def convert(self, raw: object) -> tuple[float, Quality]:
        """Return the value in the point's unit and its quality; NaN where there is no value."""
        if not self.is_numeric:
            code = self._codes.get(_wire_state(raw))
            return (_NO_VALUE, Quality.BAD_MALFORMED) if code is None else (code, Quality.GOOD)
        number = _number(raw)
        if number is None:
            return _NO_VALUE, Quality.BAD_MALFORMED
        value = number * self.scale + self.offset
        if not math.isfinite(value):
            return _NO_VALUE, Quality.BAD_NOT_A_NUMBER
        return value, Quality.GOOD if self.low <= value <= self.high else Quality.BAD_OUT_OF_RANGE


class ColumnConverter:
    """The same conversion for a whole block of numbers at once, one column a point."""

    def __init__(self, converters: Sequence[PointConverter]) -> None:
        self._scale = np.array([converter.scale for converter in converters], np.float64)
        self._offset = np.array([converter.offset for converter in converters], np.float64)
        self._low = np.array([converter.low for converter in converters], np.float64)
        self._high = np.array([converter.high for converter in converters], np.float64)
        self._states = [(column, converter) for column, converter in enumerate(converters) if not converter.is_numeric]

    def convert(self, raw: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        """Return values in the points' units and their qualities, in the order of the converters."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = raw * self._scale + self._offset
        good = (values >= self._low) & (values <= self._high)  # False for NaN
        quality = np.where(good, np.uint8(Quality.GOOD), np.uint8(Quality.BAD_OUT_OF_RANGE))
        infinite = ~np.isfinite(values)
        quality[infinite] = Quality.BAD_NOT_A_NUMBER
        values[infinite] = np.nan
        for column, converter in self._states:
            values[column], quality[column] = converter.convert(float(raw[column]))
        return values, quality


def _linear(point: Point, mapping: Mapping[str, Any]) -> tuple[float, float]:
    """Return the two factors of scale, offset and unit conversion together."""
    if point.definition.kind not in _NUMERIC:
        unfit = sorted({"scale", "offset", "unit"} & set(mapping))
        if unfit:
            raise _mistake(point, f"{unfit[0]!r} means nothing for a point of kind {point.definition.kind}; remove it")
        return 1.0, 0.0
    if "states" in mapping:
        raise _mistake(point, f"'states' means nothing for a point of kind {point.definition.kind}; remove it")
    scale, offset = _factor(point, mapping, "scale", 1.0), _factor(point, mapping, "offset", 0.0)
    if scale == 0.0:
        raise _mistake(point, "a 'scale' of 0 would make every value the same; write the factor of one step")
    unit_scale, unit_offset = _unit_factors(point, mapping.get("unit"))
    return scale * unit_scale, offset * unit_scale + unit_offset


def _factor(point: Point, mapping: Mapping[str, Any], key: str, default: float) -> float:
    number = _number(mapping.get(key, default))
    if number is None or not math.isfinite(number):
        raise _mistake(point, f"{key!r} is {mapping[key]!r}; write a number")
    return number


def _unit_factors(point: Point, source: str | None) -> tuple[float, float]:
    if source is None:
        return 1.0, 0.0
    try:
        return conversion(source, point.definition.unit)
    except UnitError as error:
        raise _mistake(point, str(error)) from error


def _codes(point: Point, mapping: Mapping[str, Any]) -> dict[str | float | None, float]:
    """Return what the wire may say, normalised, with the code it stands for."""
    own: dict[str | float | None, float] = {}
    for name, code in point.definition.states.items():
        own[_wire_state(name)] = own[float(code)] = float(code)
    if "states" not in mapping:
        return own
    if not isinstance(mapping["states"], Mapping):
        raise _mistake(point, "'states' wants entries below it (name: value), what the wire says to the class's state")
    return {_wire_state(wire): _named(point, own, state) for wire, state in mapping["states"].items()}


def _named(point: Point, own: Mapping[str | float | None, float], state: object) -> float:
    code = own.get(_wire_state(state))
    if code is None:
        known = ", ".join(point.definition.states)
        raise _mistake(point, f"{state!r} in 'states' is no state of the class; write one of: {known}")
    return code


def _wire_state(raw: object) -> str | float | None:
    """Return a state's name in lower case or its number (true is 1); ``None`` for anything that cannot be one."""
    number = _number(raw)
    if number is not None or not isinstance(raw, str):
        return number
    text = raw.strip().casefold()
    return {"true": 1.0, "false": 0.0}.get(text, text)


def _number(raw: object) -> float | None:
    """Return a number, also one written as text; ``None`` for anything else and for what no float can hold."""
    if not isinstance(raw, Real | str) or (isinstance(raw, str) and "_" in raw):
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def _mistake(point: Point, message: str) -> ConfigurationError:
    return ConfigurationError([Mistake(point.address, 0, message)])
