from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from facility.conditions import Condition, LimitSide, Schedule
from facility.errors import ConfigurationError
from facility.quality import Quality
from rules.engine import RuleEngine
from rules.events import Evaluation
from tests.rules.plant import S, story
from tests.rules.works import (
    DETECTORS,
    DOOR,
    FLOW,
    PRESSURE,
    RUNNING,
    SETPOINT,
    TROUBLE,
    batch,
    told,
    works,
)

_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


def condition(kind: str, **parts: Any) -> Condition:  # noqa: ANN401  # whatever a file may say
    return _CONDITION.validate_python({"type": kind, **parts})


def engine_with(rules: dict[str, tuple[int, Condition]], **gates: str | Schedule) -> RuleEngine:
    return RuleEngine(works(rules, **gates), now_ns=0)


def step(engine: RuleEngine, *samples: Any, until_s: float) -> Evaluation:  # noqa: ANN401  # as batch takes them
    """One step as the process takes it: samples, then time."""
    by_samples, by_time = engine.evaluate(batch(*samples)), engine.sweep(round(until_s * S))
    return Evaluation(transitions=by_samples.transitions + by_time.transitions)


OFF_TARGET = condition("deviation", reference="setpoint", limits={"high": {"value": 1.0}, "low": {"value": -1.0}})
DRY_RUN = condition("composite", expression="flow < 5 and running == 'running'", on_delay_s=5)
TWO_ALARMS = condition("coincidence", devices="detector", device_point="state", states=["alarm"], count=2)


def test_a_pressure_too_far_from_its_set_point_is_told_with_both_in_one_unit() -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET)})
    (change,) = step(engine, (1, PRESSURE, 6.0), (1, SETPOINT, 450.0), until_s=2).transitions
    assert (change.reason, change.side, change.at_ns) == ("deviation", LimitSide.HIGH, 1 * S)
    assert (change.value, change.limit) == (1.5, 1.0)
    assert change.explanation == "pressure 6 bar, setpoint 4.5 bar"
    assert story(step(engine, (3, SETPOINT, 550.0), until_s=4)) == [("cleared", "normal", 3)]


def test_value_and_set_point_that_move_in_one_read_make_no_spike() -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET)})
    step(engine, (1, PRESSURE, 4.0), (1, SETPOINT, 400.0), until_s=2)
    assert step(engine, (3, PRESSURE, 9.0), (3, SETPOINT, 900.0), until_s=4).transitions == ()


def test_the_instant_of_a_read_may_be_cut_by_a_batch_and_by_a_sweep() -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET)})
    step(engine, (1, PRESSURE, 4.0), (1, SETPOINT, 400.0), until_s=2)
    assert step(engine, (3, PRESSURE, 9.0), until_s=3).transitions == ()
    assert engine.next_deadline_ns == 3 * S + 1
    assert step(engine, (3, SETPOINT, 900.0), until_s=4).transitions == ()


def test_a_deviation_says_nothing_while_its_reference_is_missing() -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET)})
    assert step(engine, (1, PRESSURE, 9.0), until_s=2).transitions == ()
    assert story(step(engine, (3, SETPOINT, 100.0), until_s=4)) == [("raised", "deviation", 3)]
    lost = told(5, SETPOINT, math.nan, Quality.BAD_COMMUNICATION)
    assert step(engine, lost, (6, PRESSURE, 1.0), until_s=7).transitions == ()
    assert story(step(engine, (8, SETPOINT, 100.0), until_s=9)) == [("cleared", "normal", 8)]


def test_a_limit_taken_from_another_point_is_told_as_it_was() -> None:
    limits = {
        "high": {"point": "setpoint", "offset": 0.5},
        "high_high": {"point": "setpoint", "offset": 2, "consequence_class": "severe"},
    }
    engine = engine_with({"over": (PRESSURE, condition("moving_threshold", limits=limits, deadband=0.1))})
    step(engine, (1, PRESSURE, 4.0), (1, SETPOINT, 400.0), until_s=2)
    (change,) = step(engine, (3, PRESSURE, 7.0), until_s=4).transitions
    assert (change.reason, change.value, change.limit, change.priority) == ("high_high", 7.0, 6.0, 1)
    (change,) = step(engine, (5, SETPOINT, 600.0), until_s=6).transitions
    assert (change.kind, change.value, change.limit) == ("eased", 7.0, 6.5)
    assert story(step(engine, (7, PRESSURE, 6.45), until_s=8)) == []
    assert story(step(engine, (9, PRESSURE, 6.39), until_s=10)) == [("cleared", "normal", 9)]


def test_a_dry_run_needs_a_pump_that_runs_for_the_whole_delay() -> None:
    engine = engine_with({"dry": (FLOW, DRY_RUN)})
    step(engine, (1, FLOW, 0.0), (1, RUNNING, 0), until_s=2)
    assert step(engine, (10, RUNNING, 1), (14, RUNNING, 0), until_s=30).transitions == ()
    step(engine, (40, RUNNING, 1), until_s=41)
    (change,) = step(engine, until_s=50).transitions
    assert (change.reason, change.at_ns, change.since_ns) == ("composite", 45 * S, 40 * S)
    assert math.isnan(change.value)
    assert change.explanation == "flow 0 m³/h, running running"


def test_a_composite_reads_whether_another_rule_stands_after_its_delay() -> None:
    rules = {
        "both": (FLOW, condition("composite", expression="slow and running == 'running'")),
        "slow": (FLOW, condition("threshold", limits={"low": {"value": 5}}, on_delay_s=10)),
    }
    engine = engine_with(rules)
    changes = step(engine, (1, RUNNING, 1), (2, FLOW, 0.0), until_s=60)
    assert [(change.rule_id, *line) for change, line in zip(changes.transitions, story(changes), strict=True)] == [
        (2, "raised", "low", 12),
        (1, "raised", "composite", 12),
    ]
    assert changes.transitions[1].explanation == "slow stands, running running"
    changes = step(engine, (70, FLOW, 9.0), until_s=71)
    assert [change.rule_id for change in changes.transitions] == [2, 1]


def test_composites_of_composites_follow_each_other_within_one_instant() -> None:
    rules = {
        "third": (FLOW, condition("composite", expression="second and missing(setpoint)")),
        "second": (FLOW, condition("composite", expression="not first")),
        "first": (FLOW, condition("composite", expression="flow > 5")),
    }
    engine = engine_with(rules)
    changes = step(engine, (1, FLOW, 0.0), until_s=2)
    assert sorted(change.rule_id for change in changes.transitions) == [1, 2]
    assert {change.at_ns for change in changes.transitions} == {1 * S}


def test_composites_that_read_each_other_are_refused_with_the_circle() -> None:
    rules = {
        "hen": (FLOW, condition("composite", expression="egg or flow > 1")),
        "egg": (FLOW, condition("composite", expression="hen")),
    }
    with pytest.raises(ConfigurationError, match=r"(hen reads egg reads hen|egg reads hen reads egg), which is"):
        engine_with(rules)


def test_two_detectors_in_one_zone_are_a_fire_and_named() -> None:
    first, second, third, _ = DETECTORS
    engine = engine_with({"fire": (TROUBLE, TWO_ALARMS)})
    quiet = [(1, key, 0) for key in DETECTORS]
    assert step(engine, *quiet, (2, first, 2), (3, third, 2), until_s=4).transitions == ()
    (change,) = step(engine, (5, second, 2), until_s=6).transitions
    assert (change.reason, change.value, change.limit) == ("coincidence", 2, 2)
    assert change.explanation == "zone-1: detector-1, detector-2"


def test_a_detector_that_burnt_keeps_a_confirmed_fire() -> None:
    first, second, *_ = DETECTORS
    engine = engine_with({"fire": (TROUBLE, TWO_ALARMS)})
    step(engine, *[(1, key, 0) for key in DETECTORS], (2, first, 2), (2, second, 2), until_s=3)
    burnt = told(4, first, math.nan, Quality.BAD_COMMUNICATION)
    assert step(engine, burnt, until_s=5).transitions == ()
    assert story(step(engine, (6, second, 0), until_s=7)) == [("cleared", "normal", 6)]


def test_three_refusals_within_a_minute_are_told_and_forgotten_after_it() -> None:
    refusals = condition("event_count", states=["denied"], count=3, window_s=60)
    engine = engine_with({"refused": (DOOR, refusals)})
    assert step(engine, (1, DOOR, 2), (30, DOOR, 2), (40, DOOR, 1), (70, DOOR, 2), until_s=71).transitions == ()
    changes = step(engine, (80, DOOR, 2), (81, DOOR, 1), until_s=82)
    assert story(changes) == [("raised", "event_count", 80)]
    assert engine.next_deadline_ns == 90 * S
    assert story(step(engine, until_s=200)) == [("cleared", "normal", 90)]


def test_a_machine_that_stays_in_a_state_entered_it_once() -> None:
    starts = condition("event_count", states=["running"], count=2, window_s=60)
    engine = engine_with({"starts": (RUNNING, starts)})
    assert step(engine, (1, RUNNING, 1), (2, RUNNING, 1), (3, RUNNING, 1), until_s=4).transitions == ()
    assert len(step(engine, (5, RUNNING, 0), (6, RUNNING, 1), until_s=7).transitions) == 1


LOW_FLOW = condition("threshold", limits={"low": {"value": 5}}, off_delay_s=10)


def test_a_rule_is_watched_only_in_its_operating_state() -> None:
    engine = engine_with({"low": (FLOW, LOW_FLOW)}, low="running == 'running'")
    assert step(engine, (1, RUNNING, 0), (2, FLOW, 0.0), until_s=3).transitions == ()
    (change,) = step(engine, (4, RUNNING, 1), until_s=5).transitions
    assert (change.reason, change.at_ns, change.value, change.limit) == ("low", 4 * S, 0.0, 5.0)
    assert step(engine, (20, RUNNING, 0), until_s=29).transitions == ()
    assert story(step(engine, until_s=40)) == [("cleared", "normal", 30)]
    assert story(step(engine, (50, RUNNING, 1), until_s=51)) == [("raised", "low", 50)]


def test_silence_counts_only_in_the_operating_state() -> None:
    engine = engine_with({"silent": (FLOW, condition("no_data", timeout_s=30))}, silent="running == 'running'")
    step(engine, (1, RUNNING, 0), (1, FLOW, 3.0), until_s=2)
    assert step(engine, until_s=100).transitions == ()
    (change,) = step(engine, (110, RUNNING, 1), until_s=111).transitions
    assert (change.reason, change.at_ns, change.limit) == ("no_data", 110 * S, 30)
    assert math.isnan(change.value)
    assert story(step(engine, (120, FLOW, 3.0), until_s=121)) == [("cleared", "normal", 120)]


def test_a_door_that_stands_open_matters_only_at_night() -> None:
    night = Schedule(start="22:00", end="06:00")
    engine = engine_with({"open": (RUNNING, condition("state", states=["running"]))}, open=night)
    hour = 3600
    assert step(engine, (1, RUNNING, 1), until_s=2).transitions == ()  # 08:00 in Shanghai
    assert engine.next_deadline_ns == 14 * hour * S
    assert story(step(engine, until_s=23 * hour)) == [
        ("raised", "state", 14 * hour),
        ("cleared", "normal", 22 * hour),
    ]


def test_readings_with_a_key_that_only_a_signal_has_are_ignored() -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET)})
    assert step(engine, (1, 11, 99.0), until_s=2).transitions == ()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (condition("deviation", reference="flow", limits={"high": {"value": 1}}), "cannot become bar"),
        (condition("deviation", reference="flaw", limits={"high": {"value": 1}}), "did you mean 'flow'"),
        (condition("composite", expression="flow.real > 1"), "rule bad of pump-1"),
        (condition("composite", expression="flow > 1 and runing"), "there is no point 'runing'"),
    ],
)
def test_a_rule_that_cannot_be_wired_is_refused_by_name(broken: Condition, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        engine_with({"bad": (PRESSURE, broken)})
