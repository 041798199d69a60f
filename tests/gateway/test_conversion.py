"""From what a device says to a point's value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.equipment import LocalText, PointDefinition, PointKind
from facility.errors import ConfigurationError
from facility.model import Point
from facility.quality import Quality
from gateway.conversion import ColumnConverter, PointConverter

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAME = LocalText(en="Point", zh="点")
DOOR = {"closed": 0, "opening": 1, "open": 2}


def point(
    kind: PointKind = PointKind.ANALOG,
    *,
    unit: str = "",
    limits: tuple[float, float] | None = None,
    states: dict[str, int] | None = None,
) -> Point:
    definition = PointDefinition(kind=kind, name=NAME, unit=unit, range=limits, states=states or {})
    return Point(key=1, asset_id="pump-1", name="flow", definition=definition)


def analog(mapping: Mapping[str, Any] | None = None, **definition: Any) -> PointConverter:  # noqa: ANN401  # as point()
    return PointConverter(point(**definition), mapping or {})


POINTS = [
    analog(),
    analog({"scale": 0.1, "offset": -40}, limits=(-50.0, 150.0)),
    analog({"unit": "degF"}, unit="degC"),
    PointConverter(point(PointKind.COUNTER), {}),
    PointConverter(point(PointKind.BINARY, states={"no": 0, "yes": 1}), {}),
    PointConverter(point(PointKind.MULTISTATE, states=DOOR), {}),
    PointConverter(point(PointKind.EVENT, states={"granted": 1}), {"states": {"ok": "granted"}}),
]


@given(st.sampled_from(POINTS), json_values)
def test_nothing_that_a_device_can_say_raises_and_a_good_sample_is_a_finite_value(
    converter: PointConverter, raw: object
) -> None:
    value, quality = converter.convert(raw)
    assert isinstance(value, float)
    assert quality.level in {"good", "bad"}
    if quality is Quality.GOOD:
        assert converter.low <= value <= converter.high
        assert math.isfinite(value)
    elif quality is not Quality.BAD_OUT_OF_RANGE:
        assert math.isnan(value)


@given(st.lists(st.floats(), min_size=len(POINTS), max_size=len(POINTS)))
def test_a_block_converts_as_its_points_do_one_by_one(raw: list[float]) -> None:
    values, qualities = ColumnConverter(POINTS).convert(np.array(raw))
    for value, quality, converter, number in zip(values.tolist(), qualities.tolist(), POINTS, raw, strict=True):
        expected, reason = converter.convert(number)
        assert quality == reason
        assert value == expected or (math.isnan(value) and math.isnan(expected))


@pytest.mark.parametrize(
    ("raw", "value", "quality"),
    [
        (3, 3.0, Quality.GOOD),
        (True, 1.0, Quality.GOOD),
        ("12.5", 12.5, Quality.GOOD),
        (" -1e3 ", -1000.0, Quality.GOOD),
        ("18. Jan", math.nan, Quality.BAD_MALFORMED),
        ("3,5", math.nan, Quality.BAD_MALFORMED),
        ("1_000", math.nan, Quality.BAD_MALFORMED),
        ("", math.nan, Quality.BAD_MALFORMED),
        (None, math.nan, Quality.BAD_MALFORMED),
        ([1.0], math.nan, Quality.BAD_MALFORMED),
        ({"value": 1}, math.nan, Quality.BAD_MALFORMED),
        (10**400, math.nan, Quality.BAD_MALFORMED),
        (math.nan, math.nan, Quality.BAD_NOT_A_NUMBER),
        (-math.inf, math.nan, Quality.BAD_NOT_A_NUMBER),
        ("nan", math.nan, Quality.BAD_NOT_A_NUMBER),
    ],
)
def test_a_measured_quantity_is_a_number_or_says_why_not(raw: object, value: float, quality: Quality) -> None:
    converted, reason = analog().convert(raw)
    assert reason is quality
    assert converted == pytest.approx(value, nan_ok=True)


def test_a_value_outside_the_physical_range_is_kept_and_is_bad() -> None:
    assert analog(limits=(0.0, 16.0)).convert(17) == (17.0, Quality.BAD_OUT_OF_RANGE)
    assert analog(limits=(0.0, 16.0)).convert(16) == (16.0, Quality.GOOD)


def test_scale_and_offset_come_before_the_unit() -> None:
    fahrenheit = analog({"scale": 0.1, "offset": 32, "unit": "degF"}, unit="degC")
    value, quality = fahrenheit.convert(1800)
    assert value == pytest.approx(100.0)
    assert quality is Quality.GOOD
    assert analog({"unit": "L/min"}, unit="m**3/h").convert(1000)[0] == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("raw", "code"), [("open", 2.0), (" Opening ", 1.0), (0, 0.0), (2.0, 2.0), ("1", 1.0), (True, 1.0)]
)
def test_a_state_is_known_by_its_name_or_code(raw: object, code: float) -> None:
    converter = PointConverter(point(PointKind.MULTISTATE, states=DOOR), {})
    assert converter.convert(raw) == (code, Quality.GOOD)


@pytest.mark.parametrize("raw", ["ajar", 3, 0.5, math.nan, None, [], ""])
def test_a_state_that_the_class_does_not_have_is_malformed(raw: object) -> None:
    _, quality = PointConverter(point(PointKind.MULTISTATE, states=DOOR), {}).convert(raw)
    assert quality is Quality.BAD_MALFORMED


def test_a_make_may_have_codes_and_names_of_its_own_and_only_those() -> None:
    mapping = {"states": {"10": "closed", "MOVING": 1, "true": "open"}}
    converter = PointConverter(point(PointKind.MULTISTATE, states=DOOR), mapping)
    assert [converter.convert(raw)[0] for raw in (10, "moving", True)] == [0.0, 1.0, 2.0]
    assert converter.convert("closed")[1] is Quality.BAD_MALFORMED


@pytest.mark.parametrize(
    ("converted", "mapping", "complaint"),
    [
        (point(unit="bar"), {"unit": "degC"}, "they measure"),
        (point(unit="bar"), {"unit": "bananas"}, "is not a unit"),
        (point(), {"scale": "much"}, "write a number"),
        (point(), {"scale": 0}, "every value the same"),
        (point(), {"states": {"a": "b"}}, "means nothing for a point of kind analog"),
        (point(PointKind.BINARY, states={"no": 0}), {"scale": 2}, "means nothing for a point of kind binary"),
        (point(PointKind.MULTISTATE, states=DOOR), {"states": {"1": "ajar"}}, "closed, opening, open"),
        (point(PointKind.MULTISTATE, states=DOOR), {"states": ["closed"]}, "wants entries below it"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_what_to_write(
    converted: Point, mapping: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        PointConverter(converted, mapping)
    assert caught.value.mistakes[0].file == "pump-1/flow"
