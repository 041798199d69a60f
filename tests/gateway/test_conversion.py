"""From what a device says to a point's value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.definition import LocalText
from facility.equipment import PointDefinition, PointKind
from facility.errors import ConfigurationError, DeviceRefusedError
from facility.model import Point
from facility.quality import Quality
from gateway.bits import BitField
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
    analog({"scale": 0.1, "invalid": [-32768, 65535, "n/a"]}),
    analog({"range": [-5, 105], "clamp": [0, 100]}, limits=(-40.0, 120.0)),
    analog({"clamp": [0, 100]}),
    analog({"range": [10, 90]}, limits=(0.0, 100.0)),
    PointConverter(point(PointKind.COUNTER), {"rollover": 65536, "scale": 0.5}),
    PointConverter(point(PointKind.COUNTER), {}),
    PointConverter(point(PointKind.BINARY, states={"no": 0, "yes": 1}), {}),
    PointConverter(point(PointKind.MULTISTATE, states=DOOR), {}),
    PointConverter(point(PointKind.MULTISTATE, states=DOOR), {"invalid": [255, "unknown"]}),
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


@given(
    st.lists(
        st.floats() | st.sampled_from([-32768.0, 65535.0, -3.0, 255.0]), min_size=len(POINTS), max_size=len(POINTS)
    )
)
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
        (point(PointKind.MULTISTATE, states=DOOR), {"clamp": [0, 1]}, "means nothing for a point of kind multistate"),
        (point(), {"clamp": [5, 5]}, "the smaller first"),
        (point(), {"clamp": 5}, "the smaller first"),
        (point(), {"range": [1, "b"]}, "the smaller first"),
        (point(limits=(0.0, 10.0)), {"clamp": [-1, 5]}, "write ends inside it"),
        (point(limits=(0.0, 10.0)), {"range": [20, 30]}, "shares nothing"),
        (point(), {"invalid": 65535}, "write a list"),
        (point(), {"invalid": [None]}, "numbers or texts"),
        (point(), {"rollover": 65536}, "is for counters"),
        (point(PointKind.COUNTER), {"rollover": 0}, "never reaches"),
        (point(PointKind.COUNTER), {"rollover": 65536, "scale": -1}, "a counter that grows"),
        (point(), {"bit": 3, "bits": [1, 2]}, "exclude each other"),
        (point(), {"bit": 64}, "bits from 0 to 63"),
        (point(), {"bits": [4, 2]}, "the lower first"),
        (point(), {"bits": [True, 2]}, "the lower first"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_what_to_write(
    converted: Point, mapping: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        PointConverter(converted, mapping)
    assert caught.value.mistakes[0].file == "pump-1/flow"


def test_what_a_device_says_in_place_of_a_value_is_a_failed_sensor() -> None:
    thermometer = analog({"scale": 0.1, "invalid": [-32768, "n/a"]})
    for nothing in (-32768, "-32768", " N/A "):
        value, quality = thermometer.convert(nothing)
        assert math.isnan(value)
        assert quality is Quality.BAD_SENSOR_FAILURE
    assert thermometer.convert(-32767)[1] is Quality.GOOD


def test_noise_at_the_end_is_pulled_in_and_stays_good_but_nonsense_is_bad() -> None:
    drive = analog({"range": [-10, 1510], "clamp": [0, 1500]}, limits=(0.0, 12000.0))
    assert drive.convert(-3) == (0.0, Quality.GOOD)
    assert drive.convert(1505) == (1500.0, Quality.GOOD)
    assert drive.convert(750) == (750.0, Quality.GOOD)
    assert drive.convert(-11) == (-11.0, Quality.BAD_OUT_OF_RANGE)


def test_a_device_may_measure_less_than_the_class_allows() -> None:
    sensor = analog({"range": [0, 16]}, limits=(-1.0, 100.0))
    assert sensor.convert(17)[1] is Quality.BAD_OUT_OF_RANGE
    assert sensor.convert(-0.5)[1] is Quality.BAD_OUT_OF_RANGE
    assert sensor.convert(16)[1] is Quality.GOOD


@pytest.mark.parametrize(
    ("mapping", "raw", "value"),
    [
        ({"bit": 3}, 0b1000, 1.0),
        ({"bit": 3}, 0b0111, 0.0),
        ({"bit": 0}, True, 1.0),
        ({"bit": 15}, -1, 1.0),
        ({"bits": [4, 7]}, 0xA5, 10.0),
        ({"bits": [4, 7]}, "165", 10.0),
        ({"bits": [4, 7]}, 165.0, 10.0),
        ({"bits": [0, 63]}, 2**64 - 1, float(2**64 - 1)),
        ({"bits": [4, 7], "scale": 2, "offset": 1}, 0xA5, 21.0),
    ],
)
def test_several_values_may_share_the_bits_of_one_number(mapping: dict[str, Any], raw: object, value: float) -> None:
    assert analog(mapping).convert(raw) == (value, Quality.GOOD)


@pytest.mark.parametrize("raw", [1.5, "x", None, math.nan, math.inf, [], {}])
def test_bits_of_what_is_no_whole_number_are_malformed(raw: object) -> None:
    value, quality = analog({"bit": 1}).convert(raw)
    assert math.isnan(value)
    assert quality is Quality.BAD_MALFORMED


@given(st.integers(-(2**63), 2**64 - 1), st.integers(0, 63), st.integers(0, 63), st.integers(0, 2**64))
def test_a_bit_field_that_is_set_reads_as_written_and_leaves_its_neighbours(
    word: int, one: int, other: int, value: int
) -> None:
    field = BitField(min(one, other), max(one, other))
    written = field.put(word, value & field.mask)
    assert field.of(written) == value & field.mask
    assert written & ~(field.mask << field.low) == word & ~(field.mask << field.low)
    with pytest.raises(ValueError, match="does not fit"):
        field.put(word, field.mask + 1)


@given(
    st.sampled_from([each for each in POINTS if each.is_numeric]),
    st.floats(-1e6, 1e6) | st.integers(-(10**9), 10**9).map(float),
)
def test_what_is_written_reads_back_as_it_was_wanted(converter: PointConverter, wanted: float) -> None:
    if not converter.low <= wanted <= converter.high:
        with pytest.raises(DeviceRefusedError, match="no value that it can take"):
            converter.to_wire(wanted)
        return
    value, quality = converter.convert(converter.to_wire(wanted))
    assert quality in {Quality.GOOD, Quality.BAD_SENSOR_FAILURE}
    assert quality is Quality.BAD_SENSOR_FAILURE or value == pytest.approx(wanted, rel=1e-11, abs=1e-6)


def test_a_whole_raw_number_is_written_without_the_crumbs_of_its_scale() -> None:
    setpoint = analog({"scale": 0.1, "unit": "degF"}, unit="degC")
    assert setpoint.to_wire(20.0) == 680.0
    assert analog({"scale": 0.1}).to_wire(12.34) == pytest.approx(123.4)


@pytest.mark.parametrize(
    ("mapping", "code", "word"),
    [
        ({}, 2.0, 2.0),
        ({"states": {"10": "closed", "MOVING": 1, True: "open"}}, 0.0, 10.0),
        ({"states": {"10": "closed", "MOVING": 1, True: "open"}}, 1.0, "MOVING"),
        ({"states": {"10": "closed", "MOVING": 1, True: "open"}}, 2.0, True),
        ({"states": {"OPEN": "open", "AJAR": "open"}}, 2.0, "OPEN"),
    ],
)
def test_a_state_is_written_in_the_make_s_own_words(mapping: Mapping[str, Any], code: float, word: object) -> None:
    written = PointConverter(point(PointKind.MULTISTATE, states=DOOR), mapping).to_wire(code)
    assert written == word
    assert type(written) is type(word)


def test_a_state_that_the_device_does_not_have_is_refused_by_name() -> None:
    converter = PointConverter(point(PointKind.MULTISTATE, states=DOOR), {"states": {"OPEN": "open"}})
    with pytest.raises(DeviceRefusedError, match="no word for the state closed, only for open"):
        converter.to_wire(0.0)
    with pytest.raises(DeviceRefusedError, match="no word for the state nan"):
        converter.to_wire(math.nan)
