"""A priority follows from how grave the consequence is and how soon it comes."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from facility.class_files import load_classes
from facility.conditions import LimitDefinition, LimitSide, Threshold
from facility.equipment import RuleDefinition
from facility.priority import (
    SHIPPED_MATRIX,
    ConsequenceClass,
    Priority,
    PriorityMatrix,
    ResponseBand,
    band_of,
    disorders,
    edited,
    priority_of,
    read_matrix,
    written_matrix,
)
from facility.site_file import parse_site
from tests.facilities import text

EVERYTHING_LOW = edited(
    SHIPPED_MATRIX, {grave: dict.fromkeys(ResponseBand, Priority.LOW) for grave in ConsequenceClass}
)
classes = st.sampled_from(ConsequenceClass)
minutes = st.floats(0.1, 1e5)


@st.composite
def matrices(draw: st.DrawFn) -> PriorityMatrix:
    """Any matrix that a site may have."""
    priorities: dict[ConsequenceClass, dict[ResponseBand, Priority]] = {}
    below = dict.fromkeys(ResponseBand, Priority.LOW)
    for grave in ConsequenceClass:
        row: dict[ResponseBand, Priority] = {}
        least = Priority.LOW
        for band in reversed(ResponseBand):
            least = Priority(draw(st.integers(1, min(least, below[band]))))
            row[band] = least
        priorities[grave] = below = {band: row[band] for band in ResponseBand}
    return PriorityMatrix(priorities)


def rule(
    grave: ConsequenceClass = ConsequenceClass.MODERATE,
    time_min: float = 30.0,
    *,
    life_safety: bool = False,
    **outer: object,
) -> RuleDefinition:
    """A rule with an outer limit that has a class or a time of its own."""
    limits = {
        LimitSide.HIGH: LimitDefinition(value=80),
        LimitSide.HIGH_HIGH: LimitDefinition.model_validate({"value": 95, **outer}),
    }
    return RuleDefinition(
        name="hot", point="temperature", title=text("Hot"), condition=Threshold(type="threshold", limits=limits),
        cause=text("Wear"), consequence=text("It seizes"), corrective_action=text("Grease it"),
        consequence_class=grave, time_to_respond_min=time_min, life_safety=life_safety,
    )  # fmt: skip


def outer_of(definition: RuleDefinition) -> Priority | None:
    assert isinstance(definition.condition, Threshold)
    return definition.condition.limits[LimitSide.HIGH_HIGH].priority


def test_the_end_of_a_band_belongs_to_the_shorter_one() -> None:
    assert [band_of(minutes).value for minutes in (0.1, 5, 5.1, 15, 15.1, 60, 61, 1e6)] == [
        "immediate", "immediate", "prompt", "prompt", "soon", "soon", "later", "later",
    ]  # fmt: skip


@given(matrices() | st.just(SHIPPED_MATRIX), classes, classes, minutes, minutes)
def test_what_is_graver_or_leaves_less_time_is_never_less_urgent(
    matrix: PriorityMatrix, one: ConsequenceClass, other: ConsequenceClass, soon: float, late: float
) -> None:
    assert list(disorders(matrix)) == []
    lesser, grave = sorted((one, other), key=lambda each: each.rank)
    worst, best = priority_of(matrix, grave, min(soon, late)), priority_of(matrix, lesser, max(soon, late))
    assert worst <= best


@given(matrices())
def test_a_matrix_survives_being_written_and_read(matrix: PriorityMatrix) -> None:
    assert read_matrix(written_matrix(matrix)) == matrix


def test_a_matrix_that_is_not_ordered_is_told_what_to_write() -> None:
    matrix = edited(SHIPPED_MATRIX, {ConsequenceClass.SEVERE: {ResponseBand.IMMEDIATE: Priority.MEDIUM}})
    first, *others = disorders(matrix)
    assert first.pair == (ConsequenceClass.SEVERE, ResponseBand.IMMEDIATE)
    assert first.message == (
        "'severe: immediate' has priority 3 and 'severe: prompt' has 1, although it is graver or leaves less "
        "time; give 'severe: immediate' 1 or less, or 'severe: prompt' 3 or more"
    )
    assert [each.other for each in others] == [(ConsequenceClass.MAJOR, ResponseBand.IMMEDIATE)]


@given(matrices(), classes, minutes, classes, minutes)
def test_a_rule_and_its_limits_follow_their_matrix(
    matrix: PriorityMatrix, grave: ConsequenceClass, time_min: float, outer: ConsequenceClass, outer_min: float
) -> None:
    definition = rule(grave, time_min, consequence_class=outer, time_to_respond_min=outer_min).under(matrix)
    assert definition.priority == priority_of(matrix, grave, time_min)
    assert outer_of(definition) == priority_of(matrix, outer, outer_min)
    assert outer_of(rule(grave, time_min)) is None  # as the rule
    again = pickle.loads(pickle.dumps(definition))  # noqa: S301  # our own
    assert again == definition
    assert (again.priority, outer_of(again)) == (definition.priority, outer_of(definition))


def test_a_limit_with_a_time_of_its_own_takes_its_class_from_the_rule() -> None:
    assert outer_of(rule(ConsequenceClass.MODERATE, 240, time_to_respond_min=5)) is Priority.HIGH
    assert outer_of(rule(ConsequenceClass.MODERATE, 30, consequence_class="severe")) is Priority.CRITICAL


def test_what_a_priority_comes_from_can_be_looked_up_for_every_limit() -> None:
    definition = rule(ConsequenceClass.MODERATE, 240, consequence_class="major")
    assert definition.consequence_at(None) == definition.consequence_at(LimitSide.HIGH) == ("moderate", 240)
    assert definition.consequence_at(LimitSide.HIGH_HIGH) == ("major", 240)


def test_a_changed_copy_has_the_priorities_of_what_it_became() -> None:
    definition = rule(consequence_class="major").under(EVERYTHING_LOW)
    assert (definition.priority, outer_of(definition)) == (Priority.LOW, Priority.LOW)
    longer = rule(consequence_class="major").model_copy(update={"time_to_respond_min": 600.0})
    assert (longer.priority, outer_of(longer)) == (Priority.LOW, Priority.MEDIUM)


def test_one_condition_may_stand_in_rules_of_different_urgency() -> None:
    slow = rule(ConsequenceClass.MINOR, 600, time_to_respond_min=10)
    quick = slow.model_copy(update={"consequence_class": ConsequenceClass.SEVERE})
    assert (outer_of(slow), outer_of(quick)) == (Priority.LOW, Priority.CRITICAL)


def test_no_matrix_makes_life_safety_wait() -> None:
    definition = rule(ConsequenceClass.MINOR, 600, life_safety=True, consequence_class="moderate").under(EVERYTHING_LOW)
    assert (definition.priority, outer_of(definition)) == (Priority.CRITICAL, Priority.CRITICAL)


@pytest.mark.parametrize(
    "key", ["cause", "consequence", "corrective_action", "consequence_class", "time_to_respond_min"]
)
def test_a_rule_is_no_rule_without_its_rationalisation(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}\n"):
        RuleDefinition.model_validate(rule().model_dump(exclude={key}))


def test_what_is_written_of_a_rule_has_no_priority() -> None:
    written = rule(consequence_class="major").under(EVERYTHING_LOW).model_dump_json()
    assert "priority" not in written
    assert RuleDefinition.model_validate_json(written).under(EVERYTHING_LOW) == rule(consequence_class="major").under(
        EVERYTHING_LOW
    )


GUIDE = (Path(__file__).parents[2] / "docs/priorities.md").read_text(encoding="utf-8")


def test_engineers_read_the_matrix_that_is_shipped() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d) \| (\d) \| (\d) \| (\d) \|$", GUIDE, re.MULTILINE)
    assert {grave: list(map(int, row)) for grave, *row in rows} == {
        grave: list(row.values()) for grave, row in written_matrix(SHIPPED_MATRIX).items()
    }


def test_what_engineers_read_about_a_site_is_a_site() -> None:
    _, edited_site, own_rule = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    head = (
        "site: {id: house, name: House, time_zone: UTC}\nspaces: [{id: house, kind: building}]\n"
        "connections: [{id: line, protocol: modbus, host: h, port: 502}]\n"
    )
    site = parse_site("site.yaml", head + edited_site + own_rule.partition("\n")[2], load_classes(), {})
    priorities = {name: rule.priority for name, rule in site.rules["pump-1"].items()}
    assert priorities["seal_leak"] is Priority.CRITICAL
    assert priorities["bearing_warming"] is Priority.HIGH
    assert priorities["bearing_temperature_high"] is Priority.HIGH  # moderate, soon: 2 in this site
