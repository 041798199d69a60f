"""Conversion between units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.class_files import load_classes
from facility.errors import UnitError, WatchkeeperError
from facility.units import conversion, display_unit, is_known

FAMILIES = (
    ("degC", "K", "degF"),
    ("bar", "Pa", "kPa", "psi"),
    ("m**3/h", "L/min", "L/s"),
    ("mm/s", "m/s", "inch/s"),
    ("g_0", "m/s**2"),
    ("h", "min", "s"),
    ("percent", ""),
)


@pytest.mark.parametrize(
    ("source", "target", "scale", "offset"),
    [
        ("degF", "degC", 5 / 9, -160 / 9),
        ("degC", "degF", 9 / 5, 32.0),
        ("K", "degC", 1.0, -273.15),
        ("kPa", "bar", 0.01, 0.0),
        ("L/min", "m**3/h", 0.06, 0.0),
        ("g_0", "m/s**2", 9.80665, 0.0),
        ("percent", "", 0.01, 0.0),
    ],
)
def test_a_sensor_in_another_unit_reads_the_same_quantity(
    source: str, target: str, scale: float, offset: float
) -> None:
    assert conversion(source, target) == pytest.approx((scale, offset))


@given(st.sampled_from(FAMILIES).flatmap(st.permutations), st.floats(-1e4, 1e4))
def test_there_and_back_again_is_the_same_value(units: list[str], value: float) -> None:
    scale, offset = conversion(units[0], units[1])
    back, back_offset = conversion(units[1], units[0])
    assert back * (scale * value + offset) + back_offset == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.sampled_from([family for family in FAMILIES if len(family) > 2]), st.floats(-1e4, 1e4))
def test_a_detour_through_a_third_unit_changes_nothing(units: tuple[str, ...], value: float) -> None:
    first, second, third = units[:3]
    scale, offset = conversion(first, second)
    on, on_offset = conversion(second, third)
    direct, direct_offset = conversion(first, third)
    expected = direct * value + direct_offset
    assert on * (scale * value + offset) + on_offset == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("source", "target"), [("degC", "bar"), ("", "m"), ("rpm", "kW")])
def test_a_pressure_never_becomes_a_temperature(source: str, target: str) -> None:
    with pytest.raises(UnitError, match="measure different things") as raised:
        conversion(source, target)
    assert isinstance(raised.value, WatchkeeperError)
    assert isinstance(raised.value, ValueError)


@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_is_refused_with_an_example(text: str) -> None:
    if not is_known(text):
        with pytest.raises(UnitError, match=r"m\*\*3/h"):
            conversion(text, "m")


@pytest.mark.parametrize("text", ["nan", "inf", "3", "m**", "degC/", "m;import os", "1/", "2*m", "__import__"])
def test_what_only_looks_like_a_unit_is_refused(text: str) -> None:
    assert not is_known(text)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("m**3/h", "m³/h"),
        ("degC", "°C"),
        ("percent/m", "%/m"),
        ("m/s**2", "m/s²"),
        ("g_0", "g"),
        ("s**-1", "s⁻¹"),
        ("kW*h", "kW·h"),
        ("", ""),
    ],
)
def test_people_read_units_as_they_write_them(unit: str, shown: str) -> None:
    assert display_unit(unit) == shown


def test_every_unit_of_the_shipped_classes_converts() -> None:
    units = {point.unit for equipment in load_classes().values() for point in equipment.points.values()}
    assert all(is_known(unit) for unit in units)
