"""From what a device says to a point's value in its own unit, with a quality, and back; no wire data ever raises.

A quantity goes through these steps, each only where its profile asks for it::

    raw ── bit, bits ── invalid ── scale, offset ── unit ── range ── clamp ── the class's range ──> value

``invalid`` lists what a device says in place of a value (``[65535]``, ``["n/a"]``): the sensor failed. ``range`` is
what this device can measure, in the point's unit; a value outside is bad. ``clamp`` then pulls what lies a little
outside to the nearer end: it is the profile's word that such a value means the end (a drive at rest that says -1 rpm),
so the sample stays good. How far outside is still noise is what ``range`` says; without it everything is pulled in.
``rollover`` says at which raw number a counter begins again; :mod:`gateway.rollover` lets it grow on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from facility.equipment import PointKind
from facility.errors import ConfigurationError, DeviceRefusedError, Mistake, UnitError
from facility.model import Point
from facility.quality import Quality
from facility.units import conversion, display_unit
from gateway.bits import BitField

QUANTITY_KEYS: Final = frozenset({"scale", "offset", "unit", "range", "clamp", "rollover"})
"""The keys of a point's mapping that only mean something for a quantity."""

CONVERSION_KEYS: Final = QUANTITY_KEYS | {"states", "invalid"}
"""The keys of a point's mapping that say how to read the value. All others say where it is; so do
:data:`gateway.bits.BIT_KEYS`."""

_NUMERIC: Final = frozenset({PointKind.ANALOG, PointKind.COUNTER})
_NO_VALUE: Final = math.nan
_EVERYTHING: Final = (-math.inf, math.inf)


class PointConverter:
    """Converts one point's raw values; built once, used for every sample.

    Analog points and counters: ``raw * scale + offset`` in the source ``unit``, then into the point's unit. All other
    kinds: the wire's name or code through ``states``; without ``states`` the class's own names and codes.
    """

    def __init__(self, point: Point, mapping: Mapping[str, Any]) -> None:
        """Read the conversion keys and the bits of a mapping.

        Raises:
            ConfigurationError: The unit does not fit the point's, a factor is no number, bounds are the wrong way
                round, or ``states`` names a state that the class does not have.
        """
        definition = point.definition
        self.point = point
        self.is_numeric = definition.kind in _NUMERIC
        """Whether the value is a quantity; otherwise it is the code of a state."""
        _check_keys(point, mapping, is_numeric=self.is_numeric)
        self.bits = _bits(point, mapping)
        """The bits of a whole number that count; ``None``: the number itself."""
        self.scale, self.offset = _linear(point, mapping)
        """``raw * scale + offset`` is the value in the point's unit; 1 and 0 for states."""
        self.measured = _bounds(point, mapping, "range")
        """What this device can measure, in the point's unit."""
        self.clamp = _bounds(point, mapping, "clamp")
        """Where values beyond are pulled to, in the point's unit."""
        self.low, self.high = _limits(point, self.measured, self.clamp)
        """Bounds of a good value in the point's unit."""
        self.invalid = _invalid(point, mapping)
        """What the device says in place of a value, normalised as states are."""
        self.rollover = _rollover(point, mapping) * self.scale
        """How far a counter goes before it begins again, in the point's unit; 0 for one that never does."""
        self._codes = {} if self.is_numeric else _codes(point, mapping)
        self._words = {} if self.is_numeric else _words(point, mapping)

    def convert(self, raw: object) -> tuple[float, Quality]:
        """Return the value in the point's unit and its quality; NaN where there is no value."""
        if self.bits is None:
            return self.convert_field(raw)
        word = _whole(raw)
        return (_NO_VALUE, Quality.BAD_MALFORMED) if word is None else self.convert_field(self.bits.of(word))

    def convert_field(self, raw: object) -> tuple[float, Quality]:
        """Convert a raw value whose bits have been taken out already, as a register's codec does."""
        if self.invalid and _wire_state(raw) in self.invalid:
            return _NO_VALUE, Quality.BAD_SENSOR_FAILURE
        if not self.is_numeric:
            code = self._codes.get(_wire_state(raw))
            return (_NO_VALUE, Quality.BAD_MALFORMED) if code is None else (code, Quality.GOOD)
        number = _number(raw)
        if number is None:
            return _NO_VALUE, Quality.BAD_MALFORMED
        value = number * self.scale + self.offset
        if not math.isfinite(value):
            return _NO_VALUE, Quality.BAD_NOT_A_NUMBER
        return self._bounded(value)

    def to_wire(self, value: float) -> float | str | bool:
        """Return what to write so that the device takes ``value``.

        A quantity becomes the raw number, exact where it is a whole one; whoever writes a whole number rounds it. A
        state becomes what ``states`` calls it on the wire, as it is written there and the first of several; without
        ``states`` its code. Of a bit field it is the field's own number, which the driver has to put into its word
        (:meth:`gateway.bits.BitField.put`).

        Args:
            value: In the point's unit, or the code of its state.

        Raises:
            DeviceRefusedError: The value is none, lies outside the point's range, or is a state that the device does
                not have.
        """
        if not self.is_numeric:
            return self._word_for(value)
        if not self.low <= value <= self.high:
            unit = display_unit(self.point.definition.unit)
            bounds = f"{self.low:g} to {self.high:g} {unit}".rstrip()
            raise DeviceRefusedError(self.point.address, f"{value:g} is no value that it can take; write {bounds}")
        raw = (value - self.offset) / self.scale
        whole = float(round(raw))
        return whole if math.isclose(raw, whole, rel_tol=1e-12, abs_tol=1e-9) else raw

    def _word_for(self, code: float) -> float | str | bool:
        word = self._words.get(code)
        if word is None:
            names = {float(code): name for name, code in self.point.definition.states.items()}
            known = ", ".join(names[code] for code in self._words)
            state = names.get(code, f"{code:g}")
            raise DeviceRefusedError(self.point.address, f"it has no word for the state {state}, only for {known}")
        return word

    def _bounded(self, value: float) -> tuple[float, Quality]:
        if not self.measured[0] <= value <= self.measured[1]:
            return value, Quality.BAD_OUT_OF_RANGE
        value = min(max(value, self.clamp[0]), self.clamp[1])
        return value, Quality.GOOD if self.low <= value <= self.high else Quality.BAD_OUT_OF_RANGE


class ColumnConverter:
    """The same conversion for a whole block of numbers at once, one column a point, bits taken out already."""

    def __init__(self, converters: Sequence[PointConverter]) -> None:
        self._scale = np.array([converter.scale for converter in converters], np.float64)
        self._offset = np.array([converter.offset for converter in converters], np.float64)
        self._low = np.array([converter.low for converter in converters], np.float64)
        self._high = np.array([converter.high for converter in converters], np.float64)
        self._states = [(column, converter) for column, converter in enumerate(converters) if not converter.is_numeric]
        self._clamped = np.array([n for n, each in enumerate(converters) if each.clamp != _EVERYTHING], np.intp)
        self._measured = np.array([converters[column].measured for column in self._clamped]).reshape(-1, 2).T
        self._clamp = np.array([converters[column].clamp for column in self._clamped]).reshape(-1, 2).T
        sentinels = [
            (column, number)
            for column, converter in enumerate(converters)
            for number in converter.invalid
            if converter.is_numeric and isinstance(number, float)
        ]
        self._sentinel_columns = np.array([column for column, _ in sentinels], np.intp)
        self._sentinels = np.array([number for _, number in sentinels], np.float64)

    def convert(self, raw: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        """Return values in the points' units and their qualities, in the order of the converters."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = raw * self._scale + self._offset
        if len(self._clamped):
            self._pull_in(values)
        good = (values >= self._low) & (values <= self._high)  # False for NaN
        quality = np.where(good, np.uint8(Quality.GOOD), np.uint8(Quality.BAD_OUT_OF_RANGE))
        infinite = ~np.isfinite(values)
        quality[infinite] = Quality.BAD_NOT_A_NUMBER
        values[infinite] = np.nan
        if len(self._sentinels):
            failed = self._sentinel_columns[raw[self._sentinel_columns] == self._sentinels]
            values[failed], quality[failed] = np.nan, Quality.BAD_SENSOR_FAILURE
        for column, converter in self._states:
            values[column], quality[column] = converter.convert_field(float(raw[column]))
        return values, quality

    def _pull_in(self, values: npt.NDArray[np.float64]) -> None:
        """Clamp what the devices can have measured; the class's range judges the rest."""
        measured = values[self._clamped]
        inside = (measured >= self._measured[0]) & (measured <= self._measured[1]) & np.isfinite(measured)
        values[self._clamped[inside]] = np.clip(measured, *self._clamp)[inside]


def _check_keys(point: Point, mapping: Mapping[str, Any], *, is_numeric: bool) -> None:
    """Refuse keys that mean nothing for the point's kind."""
    unfit = sorted(({"states"} if is_numeric else QUANTITY_KEYS) & set(mapping))
    if unfit:
        raise _mistake(point, f"{unfit[0]!r} means nothing for a point of kind {point.definition.kind}; remove it")


def _bits(point: Point, mapping: Mapping[str, Any]) -> BitField | None:
    try:
        return BitField.of_mapping(mapping)
    except ValueError as error:
        raise _mistake(point, str(error)) from error


def _linear(point: Point, mapping: Mapping[str, Any]) -> tuple[float, float]:
    """Return the two factors of scale, offset and unit conversion together."""
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


def _bounds(point: Point, mapping: Mapping[str, Any], key: str) -> tuple[float, float]:
    """Return two bounds in the point's unit; a mapping without the key has none."""
    if key not in mapping:
        return _EVERYTHING
    ends = mapping[key] if isinstance(mapping[key], list) else []
    match [_number(end) for end in ends]:
        case [float() as low, float() as high] if low < high:
            return low, high
    raise _mistake(point, f"{key!r} is {mapping[key]!r}; write two numbers in the point's unit, the smaller first")


def _limits(point: Point, measured: tuple[float, float], clamp: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of a good value: the class's range, made narrower by what the profile says."""
    own = point.definition.range or _EVERYTHING
    if clamp != _EVERYTHING and not own[0] <= clamp[0] < clamp[1] <= own[1]:
        raise _mistake(point, f"'clamp' pulls values out of the class's range {list(own)}; write ends inside it")
    low, high = max(own[0], measured[0], clamp[0]), min(own[1], measured[1], clamp[1])
    if not low < high:
        raise _mistake(point, f"'range' shares nothing with the class's range {list(own)}; check its unit")
    return low, high


def _invalid(point: Point, mapping: Mapping[str, Any]) -> frozenset[str | float]:
    listed = mapping.get("invalid", [])
    if not isinstance(listed, list):
        raise _mistake(point, f"'invalid' is {listed!r}; write a list of what the device says in place of a value")
    words = [_wire_state(each) for each in listed]
    if None in words:
        raise _mistake(point, f"'invalid' is {listed!r}; write numbers or texts")
    return frozenset(word for word in words if word is not None)


def _rollover(point: Point, mapping: Mapping[str, Any]) -> float:
    """Return at which raw number a counter begins again; 0 for never."""
    if "rollover" not in mapping:
        return 0.0
    if point.definition.kind is not PointKind.COUNTER:
        raise _mistake(point, f"'rollover' is for counters, and the point is {point.definition.kind}; remove it")
    size = _factor(point, mapping, "rollover", 0.0)
    if size < 1 or _factor(point, mapping, "scale", 1.0) < 0:
        raise _mistake(point, "'rollover' wants a counter that grows and the number it never reaches, such as 65536")
    return size


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


def _words(point: Point, mapping: Mapping[str, Any]) -> dict[float, float | str | bool]:
    """Return the code of each state with what the wire calls it."""
    if "states" not in mapping:
        return {float(code): float(code) for code in point.definition.states.values()}
    codes = _codes(point, mapping)
    words: dict[float, float | str | bool] = {}
    for wire in mapping["states"]:
        words.setdefault(codes[_wire_state(wire)], _word(wire))
    return words


def _word(wire: object) -> float | str | bool:
    """Return a key of ``states`` as the wire wants it: a number also where the file quotes it."""
    number = None if isinstance(wire, bool) else _number(wire)
    return number if number is not None else wire if isinstance(wire, bool) else str(wire)


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


def _whole(raw: object) -> int | None:
    """Return a whole number, whose bits can be told apart; ``None`` for anything else."""
    if isinstance(raw, int):
        return int(raw)
    number = _number(raw)
    return int(number) if number is not None and math.isfinite(number) and number.is_integer() else None


def _mistake(point: Point, message: str) -> ConfigurationError:
    return ConfigurationError([Mistake(point.address, 0, message)])
