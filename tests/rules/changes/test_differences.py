"""What is different between two definitions, told to programs and to people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.changes.differences import Difference, Units, differences, in_words, units_of

leaves = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3) | st.lists(st.integers())
documents = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=12
)
definitions = st.dictionaries(st.sampled_from("abc"), documents, max_size=3)


def written_into(document: dict[str, Any], difference: Difference) -> None:
    """Make a document what a difference says it is afterwards."""
    *steps, last = difference.path
    for step in steps:
        document = document[step]
    if difference.after is None:
        document.pop(last, None)
    else:
        document[last] = difference.after


def without_nothing(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a document without entries that are None: absent and None are the same here."""
    if isinstance(value, dict):
        return {key: without_nothing(inner) for key, inner in value.items() if inner is not None}
    return value


@given(definitions, definitions)
def test_the_differences_lead_from_one_definition_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = without_nothing(before)
    for difference in differences(without_nothing(before), without_nothing(after)):
        assert difference.before != difference.after
        written_into(made, difference)
    assert without_nothing(made) == without_nothing(after)


@given(definitions)
def test_a_definition_does_not_differ_from_itself(definition: dict[str, Any]) -> None:
    assert differences(definition, definition) == []
    assert differences(None, None) == []


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Difference(("condition", "limits", "high", "value"), 80.0, 85.0), "high 80 → 85 °C"),
        (Difference(("condition", "limits", "high_high"), None, {"value": 95.0, "x": None}), "high high none → 95 °C"),
        (Difference(("condition", "limits", "low"), {"value": 5.0}, None), "low 5 → none °C"),
        (Difference(("condition", "deadband"), 2.0, 2.5), "deadband 2 → 2.5 °C"),
        (Difference(("condition", "on_delay_s"), 10.0, 20.0), "on delay 10 → 20 s"),
        (Difference(("time_to_respond_min",), 60.0, 30.0), "time to respond 60 → 30 min"),
        (Difference(("condition", "states"), ["on"], ["on", "off"]), "states [on] → [on, off]"),
        (Difference(("title", "en"), "Hot", "Too hot"), "title en Hot → Too hot"),
        (Difference(("latched",), False, True), "latched no → yes"),  # noqa: FBT003  # a value of JSON
        (Difference((), {"point": "x"}, None), "switched off"),
        (Difference((), None, {"point": "x"}), "switched on"),
    ],
)
def test_a_person_reads_values_with_their_units(difference: Difference, words: str) -> None:
    assert in_words(difference, Units("degC", "degC")) == words


def test_limits_of_a_rate_are_read_in_its_own_unit() -> None:
    rate = {"type": "rate_of_change", "window_s": 60, "per": "min", "limits": {"high": {"value": 2}}}
    units = units_of({"condition": rate}, "degC")
    assert in_words(Difference(("condition", "limits", "high", "value"), 2.0, 3.0), units) == "high 2 → 3 K/min"
    assert in_words(Difference(("condition", "deadband"), 0.0, 0.5), units) == "deadband 0 → 0.5 K/min"
    assert units_of({"condition": {"type": "stuck", "for_s": 60, "tolerance": 1}}, "degC") == Units("degC", "degC")
    assert units_of({"condition": {"type": "gone"}}, "degC") == Units("degC", "degC")
    assert units_of(None, "degC") == Units("degC", "degC")
