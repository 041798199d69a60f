"""Names fall into device and point as an engineer reads them, and ids are what a site file takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.units import is_known
from facility.yaml_file import parse_yaml
from gateway.address import filled, solved
from gateway.onboarding.draft import flow
from gateway.onboarding.names import asset_id, split_name
from gateway.onboarding.unit_names import pint_unit
from gateway.onboarding.vocabulary import vocabulary


@pytest.mark.parametrize(
    ("name", "device", "leaf"),
    [
        ("detector-101/heat", "detector-101", "heat"),
        ("fire-panel-1/fire_pump_status", "fire-panel-1", "fire_pump_status"),
        ("P1'Mtr.Temp", "P1", "Mtr.Temp"),
        ("Pump 1 Flow", "Pump 1", "Flow"),
        ("Lift3CarSpeed", "Lift3", "CarSpeed"),
        ("Fire panel mains failure", "Fire panel", "mains failure"),
        ("Sammelstörung", "", "Sammelstörung"),
        ("BMA Gr.9/1 Melder 12", "BMA Gr.9/1 Melder 12", ""),
        ("AI17", "AI17", ""),
    ],
)
def test_a_name_falls_into_device_and_point(name: str, device: str, leaf: str) -> None:
    assert split_name(name, vocabulary()) == (device, leaf)


@given(st.text(max_size=40))
def test_no_name_breaks_the_split_and_nothing_of_it_is_invented(name: str) -> None:
    split = split_name(name, vocabulary())
    assert split.device in name
    assert split.leaf in name


@given(st.lists(st.text(max_size=80), max_size=8))
def test_ids_are_always_new_and_as_the_site_file_wants_them(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        identity = asset_id(name, "pump", taken)
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", identity)
        assert len(identity) <= 64
        assert identity not in taken
        taken.add(identity)


words = st.text(st.characters(categories=["L"]), min_size=1, max_size=8)


@given(
    words, st.integers(0, 100_000), st.integers(0, 5_000), st.sampled_from(["", "{x}", "{x + 7}", "a,{x}", "{y}/b/{x}"])
)
def test_an_address_is_found_again_from_what_it_fills_in(name: str, number: int, other: int, template: str) -> None:
    address: dict[str, object] = {"x": number, "y": name}
    value = filled(template, address)
    solution = solved(template, value)
    assert solution is not None
    assert filled(template, solution) == value
    assert solved(template, f"{other}#") is None or "{" in template


values = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.one_of(words, st.sampled_from(["no", "1", "a: b", "#x", "{y}"])), values, max_size=4))
def test_what_a_draft_writes_is_read_as_the_same(value: dict[str, object]) -> None:
    assert parse_yaml("draft", f"it: {flow(value)}\n").data == {"it": value}


@given(st.text(max_size=30))
def test_a_text_of_any_kind_stands_in_a_draft_as_one_printable_line(text: str) -> None:
    read = parse_yaml("draft", f"it: {flow(text)}\n").data["it"]
    assert isinstance(read, str)
    assert len(read) == len(text)


@given(st.text(max_size=12))
def test_a_unit_is_known_or_none(said: str) -> None:
    unit = pint_unit(said)
    assert not unit or is_known(unit)
