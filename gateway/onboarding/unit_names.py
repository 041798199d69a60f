"""Units as BACnet, spreadsheets and controllers write them, in pint's spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from facility.units import is_known

_NONE: Final = frozenset({"", "-", "--", "1", "no-units", "nounits", "none", "n/a", "[]", "count", "counts"})
"""What stands for a number without a unit."""

_BACNET: Final[Mapping[str, str]] = {
    "amperes": "A",
    "milliamperes": "mA",
    "volts": "V",
    "millivolts": "mV",
    "kilovolts": "kV",
    "watts": "W",
    "kilowatts": "kW",
    "megawatts": "MW",
    "horsepower": "horsepower",
    "watt-hours": "W*h",
    "kilowatt-hours": "kW*h",
    "megawatt-hours": "MW*h",
    "hertz": "Hz",
    "kilohertz": "kHz",
    "ohms": "ohm",
    "degrees-celsius": "degC",
    "degrees-fahrenheit": "degF",
    "degrees-kelvin": "K",
    "delta-degrees-kelvin": "delta_degC",
    "degrees-angular": "deg",
    "percent": "percent",
    "percent-relative-humidity": "percent",
    "percent-obscuration-per-meter": "percent/m",
    "percent-obscuration-per-foot": "percent/ft",
    "parts-per-million": "ppm",
    "pascals": "Pa",
    "hectopascals": "hPa",
    "kilopascals": "kPa",
    "bars": "bar",
    "millibars": "mbar",
    "pounds-force-per-square-inch": "psi",
    "meters": "m",
    "millimeters": "mm",
    "centimeters": "cm",
    "kilometers": "km",
    "feet": "ft",
    "inches": "inch",
    "meters-per-second": "m/s",
    "millimeters-per-second": "mm/s",
    "meters-per-minute": "m/min",
    "kilometers-per-hour": "km/h",
    "feet-per-minute": "ft/min",
    "meters-per-second-per-second": "m/s**2",
    "cubic-meters-per-hour": "m**3/h",
    "cubic-meters-per-second": "m**3/s",
    "cubic-meters-per-minute": "m**3/min",
    "liters-per-second": "L/s",
    "liters-per-minute": "L/min",
    "liters-per-hour": "L/h",
    "us-gallons-per-minute": "gallon/min",
    "cubic-meters": "m**3",
    "liters": "L",
    "kilograms": "kg",
    "pounds-mass": "lb",
    "tons": "t",
    "revolutions-per-minute": "rpm",
    "seconds": "s",
    "milliseconds": "ms",
    "minutes": "min",
    "hours": "h",
    "days": "day",
}

_WRITTEN: Final[Mapping[str, str]] = {
    "°c": "degC",
    "℃": "degC",
    "c": "degC",
    "degc": "degC",
    "deg c": "degC",
    "°f": "degF",
    "℉": "degF",
    "degf": "degF",
    "deg f": "degF",
    "%": "percent",
    "%/m": "percent/m",
    "%obs/m": "percent/m",
    "m³/h": "m**3/h",
    "m3/h": "m**3/h",
    "m^3/h": "m**3/h",
    "cbm/h": "m**3/h",
    "m³/s": "m**3/s",
    "m3/s": "m**3/s",
    "m³": "m**3",
    "m3": "m**3",
    "l/s": "L/s",
    "l/min": "L/min",
    "l/h": "L/h",
    "lps": "L/s",
    "lpm": "L/min",
    "gpm": "gallon/min",
    "m/s²": "m/s**2",
    "m/s2": "m/s**2",
    "m/s^2": "m/s**2",
    "1/min": "rpm",
    "r/min": "rpm",
    "rpm": "rpm",
    "u/min": "rpm",
    "min-1": "rpm",
    "hrs": "h",
    "hours": "h",
    "std": "h",
    "mm/s rms": "mm/s",
    "barg": "bar",
    "bar(g)": "bar",
    "amps": "A",
    "amp": "A",
    "volt": "V",
    "kwh": "kW*h",
    "hz": "Hz",
    "kw": "kW",
    "kpa": "kPa",
    "g": "g_0",
}
"""By small letters."""

_LOOKS_LIKE_A_UNIT: Final = re.compile(r"[A-Za-zµΩ][\w*/ ]{0,30}")


def is_none(said: str) -> bool:
    """Tell whether a source says that there is no unit."""
    return said.strip().casefold() in _NONE


def pint_unit(said: str) -> str:
    """Return a unit in pint's spelling; empty where there is none or nobody knows it."""
    text = said.strip().strip("[]()").strip()
    if is_none(text):
        return ""
    known = _BACNET.get(text.casefold()) or _WRITTEN.get(text.casefold())
    if known:
        return known
    return text if _LOOKS_LIKE_A_UNIT.fullmatch(text) and is_known(text) else ""
