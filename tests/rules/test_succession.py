"""Any works, any samples, any edits: a change to one rule disturbs no other, and the changed one is decided afresh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from facility.conditions import Condition, Schedule
from facility.samples import Sample
from tests.rules.plant import S
from tests.rules.test_signal_properties import _JOINED, _OWN, _QUANTITIES, _SILENCES, Life, Plan, days, lines, plans
from tests.rules.works import FLOW, PRESSURE, past_of, told, works

_READ: TypeAdapter[Condition] = TypeAdapter(Condition)


def read(kind: str, **parts: Any) -> Condition:  # noqa: ANN401  # whatever a file may say
    return _READ.validate_python({"type": kind, **parts})


EDITED = "edited"
LOWER, UPPER = ({"point": "setpoint", "offset": offset} for offset in (-1.0, 1.0))
VERSIONS: list[dict[str, tuple[int, Condition]]] = [
    {},
    {EDITED: (FLOW, read("threshold", limits={"high": {"value": 1}}))},
    {EDITED: (FLOW, read("threshold", limits={"high": {"value": 3}}, on_delay_s=2))},
    {EDITED: (PRESSURE, read("no_data", timeout_s=4))},
    {EDITED: (FLOW, read("bad_quality", on_delay_s=1))},
    {EDITED: (FLOW, read("rate_of_change", window_s=60, limits={"high": {"value": 1}}))},
    {EDITED: (FLOW, read("rate_of_change", window_s=60, limits={"high": {"value": 5}}, on_delay_s=1))},
    {EDITED: (PRESSURE, read("deviation", reference="setpoint", limits={"high": {"value": 0}}))},
    {EDITED: (PRESSURE, read("deviation", reference="setpoint", limits={"high": {"value": 2}}, off_delay_s=3))},
    {EDITED: (PRESSURE, read("moving_threshold", limits={"low": LOWER, "high": UPPER}))},
    {EDITED: (PRESSURE, read("moving_threshold", limits={"high": UPPER, "low": LOWER}, on_delay_s=1))},
    {EDITED: (FLOW, read("composite", expression="flow > 1 and flow < 4"))},
    {EDITED: (FLOW, read("composite", expression="flow > 1 and flow < 4", on_delay_s=2))},
]
"""What somebody makes of one rule, again and again; without it at first."""


def version(plan: Plan, number: int) -> tuple[dict[str, tuple[int, Condition]], dict[str, str | Schedule]]:
    return {**plan.rules, **VERSIONS[number]}, plan.gates


@st.composite
def days_with_latecomers(draw: st.DrawFn) -> list[Sample]:
    """Days on which some old samples come once more."""
    samples = draw(days(late_ns=S // 2))
    for place in sorted(draw(st.sets(st.integers(1, 39), max_size=4))):
        if place < len(samples):
            old = samples[place // 2]
            samples.insert(place, old._replace(gateway_time_ns=samples[place - 1].gateway_time_ns + 1))
    return samples


@given(
    plan=plans(_OWN | _SILENCES | _QUANTITIES | _JOINED),
    samples=days_with_latecomers(),
    edits=st.dictionaries(st.integers(0, 39), st.integers(0, len(VERSIONS) - 1), max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_a_change_to_one_rule_disturbs_no_other(plan: Plan, samples: list[Sample], edits: dict[int, int]) -> None:
    """While samples flow, delays run and silences are measured, and with no history to ask."""
    calm, edited = (Life(works(version(plan, 0)[0], **plan.gates)) for _ in range(2))
    for number, sample in enumerate(samples):
        now_ns = sample.gateway_time_ns + S // 8
        for life in (calm, edited):
            life.step([sample], now_ns)
        if number in edits:
            rules, gates = version(plan, edits[number])
            edited.edit(works(rules, **gates), now_ns + S // 16)
    for life in (calm, edited):
        life.step([], samples[-1].gateway_time_ns + 200 * S)
    others = range(1, len(plan.rules) + 1)
    said, wanted = lines(edited.said), lines(calm.said)
    assert {rule: said.get(rule) for rule in others} == {rule: wanted.get(rule) for rule in others}


@given(
    plan=plans(_OWN | _SILENCES | _QUANTITIES | _JOINED),
    samples=days_with_latecomers(),
    edits=st.dictionaries(st.integers(0, 39), st.integers(0, len(VERSIONS) - 1), max_size=12),
)
@settings(max_examples=80, deadline=None)
def test_rules_that_an_edit_leaves_in_place_say_what_they_would_say_if_all_had_been_loaded_again(
    plan: Plan, samples: list[Sample], edits: dict[int, int]
) -> None:
    """Where more than rules is edited, all is loaded again."""
    in_place, again = (Life(works(version(plan, 0)[0], **plan.gates)) for _ in range(2))
    for number, sample in enumerate(samples):
        now_ns = sample.gateway_time_ns + S // 8
        for life in (in_place, again):
            life.step([sample], now_ns)
        if number in edits:
            rules, gates = version(plan, edits[number])
            facility, past = works(rules, **gates), past_of(samples[: number + 1])
            in_place.edit(facility, now_ns + S // 16, past)
            again.edit(replace(facility, site_id=f"load {number}"), now_ns + S // 16, past)
    for life in (in_place, again):
        life.step([], samples[-1].gateway_time_ns + 200 * S)
    assert lines(in_place.said) == lines(again.said)


def test_a_silence_goes_on_through_an_edit_of_another_rule() -> None:
    silence = {"silence": (FLOW, read("no_data", timeout_s=10))}
    life = Life(works(silence))
    life.step([told(1, FLOW, 1.0)], 2 * S)
    life.edit(works({**silence, **VERSIONS[1]}), 6 * S)
    life.step([], 10 * S)
    assert lines(life.said) == {}
    life.step([], 12 * S)
    [change] = [each for evaluation in life.said for each in evaluation.transitions]
    assert (change.rule_id, change.kind, change.at_ns) == (1, "raised", 11 * S)


def test_a_delay_that_is_over_ends_though_an_edit_came_before_anybody_looked() -> None:
    delayed = {"delayed": (FLOW, read("threshold", limits={"high": {"value": 2}}, on_delay_s=5))}
    life = Life(works(delayed))
    life.step([told(1, FLOW, 3.0)], 2 * S)
    life.edit(works({**delayed, **VERSIONS[1]}), 9 * S)
    life.step([], 9 * S)
    assert [(each.rule_id, each.at_ns) for each in life.said[-1].transitions] == [(1, 6 * S)]


def test_a_changed_rule_is_decided_afresh_by_the_next_sample() -> None:
    life = Life(works(VERSIONS[1]))
    life.step([told(1, FLOW, 2.0)], 1 * S)
    life.edit(works(VERSIONS[2]), 2 * S)
    life.step([told(3, FLOW, 2.0)], 3 * S)
    assert [each.kind for evaluation in life.said for each in evaluation.transitions] == ["raised", "cleared"]
