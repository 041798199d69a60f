from __future__ import annotations

import math
import sys

import pytest

from facility.conditions import LimitSide
from facility.errors import ConfigurationError
from facility.priority import Priority
from facility.quality import Quality
from facility.samples import SampleBatch
from rules.compiled import compiled
from rules.engine import RuleEngine
from rules.events import Reason, TransitionKind
from tests.rules.plant import (
    HOURS,
    MODE,
    TEMPERATURE,
    S,
    broken,
    hot,
    only,
    plant,
    readings,
    sample,
    silent,
    story,
    untrusted,
    void,
)


def watching(*conditions: tuple[int, object], now_s: float = 0.0) -> RuleEngine:
    return RuleEngine(plant(conditions), now_ns=round(now_s * S))  # type: ignore[arg-type]  # any condition


def test_a_bearing_at_its_limit_is_not_beyond_it() -> None:
    engine = watching((TEMPERATURE, hot()))
    assert story(engine.evaluate(readings((0, 80.0)))) == []
    assert story(engine.evaluate(readings((1, math.nextafter(80.0, 99))))) == [("raised", "high", 1)]


def test_an_alarm_carries_its_evidence() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=5)))
    (change,) = engine.evaluate(readings((1, 85), (3, 86), (7, 87))).transitions
    assert (change.rule_id, change.kind, change.reason) == (1, TransitionKind.RAISED, Reason.HIGH)
    assert (change.at_ns, change.since_ns) == (6 * S, 1 * S)
    assert (change.value, change.limit, change.side) == (86, 80, LimitSide.HIGH)  # what it was when the delay ended
    assert change.priority is Priority.MEDIUM


def test_a_value_inside_the_deadband_keeps_the_alarm() -> None:
    engine = watching((TEMPERATURE, hot()))
    assert story(engine.evaluate(readings((0, 81), (1, 78.1), (2, 80), (3, 78.0)))) == [
        ("raised", "high", 0),
        ("cleared", "normal", 3),
    ]


def test_without_a_deadband_coming_back_to_the_limit_clears() -> None:
    engine = watching((TEMPERATURE, hot(high=0, high_high=None, deadband=0)))
    assert story(engine.evaluate(readings((0, 1), (1, 0)))) == [("raised", "high", 0), ("cleared", "normal", 1)]


def test_a_rise_through_both_limits_escalates_and_the_way_back_eases() -> None:
    engine = watching((TEMPERATURE, hot()))
    changes = engine.evaluate(readings((0, 85), (1, 95), (2, 85), (3, 50))).transitions
    assert [(change.kind.value, int(change.priority)) for change in changes] == [
        ("raised", 3),
        ("escalated", 1),
        ("eased", 3),
        ("cleared", 3),
    ]


def test_a_jump_beyond_both_limits_is_one_alarm_at_the_outer_one() -> None:
    engine = watching((TEMPERATURE, hot()))
    (change,) = engine.evaluate(readings((0, 99))).transitions
    assert (change.kind, change.side, change.limit) == (TransitionKind.RAISED, LimitSide.HIGH_HIGH, 90)
    (change,) = engine.evaluate(readings((1, 20))).transitions
    assert change.kind is TransitionKind.CLEARED


def test_a_spike_shorter_than_the_on_delay_raises_nothing() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=5)))
    assert story(engine.evaluate(readings((0, 85), (4, 70), (6, 85), (10, 70)))) == []
    assert story(engine.sweep(60 * S)) == []


def test_a_point_that_reports_only_changes_raises_when_its_delay_is_over() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=5)))
    engine.evaluate(readings((0, 85)))
    assert engine.next_deadline_ns == 5 * S
    assert story(engine.sweep(4 * S)) == []
    assert story(engine.sweep(20 * S)) == [("raised", "high", 5)]
    assert engine.next_deadline_ns is None


def test_an_alarm_that_dips_shorter_than_its_off_delay_stays() -> None:
    engine = watching((TEMPERATURE, hot(off_delay_s=5)))
    assert story(engine.evaluate(readings((0, 85), (2, 70), (5, 85), (8, 70), (20, 70)))) == [
        ("raised", "high", 0),
        ("cleared", "normal", 13),
    ]


def test_a_bad_sample_decides_nothing_and_an_uncertain_one_does() -> None:
    engine = watching((TEMPERATURE, hot()))
    bad = SampleBatch.of([sample(0, 99, quality=Quality.BAD_SENSOR_FAILURE)])
    assert story(engine.evaluate(bad)) == []
    uncertain = SampleBatch.of([sample(1, 99, quality=Quality.UNCERTAIN_STALE)])
    assert story(engine.evaluate(uncertain)) == [("raised", "high_high", 1)]


def test_where_there_is_nothing_to_judge_an_alarm_clears_as_if_all_were_well() -> None:
    engine = watching((TEMPERATURE, hot()))
    assert story(engine.evaluate(SampleBatch.of([sample(0, 85), void(1), void(2), sample(3, 85)]))) == [
        ("raised", "high", 0),
        ("cleared", "normal", 1),
        ("raised", "high", 3),
    ]


def test_where_there_is_nothing_to_judge_delays_run_as_at_a_good_value() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=5, off_delay_s=5)))
    dip = [sample(0, 85), void(1), sample(2, 85), sample(8, 85), void(9), sample(12, 85), void(20)]
    assert story(engine.evaluate(SampleBatch.of(dip))) == [("raised", "high", 7)]
    assert story(engine.sweep(60 * S)) == [("cleared", "normal", 25)]


def test_nothing_to_judge_is_a_sign_of_life_and_no_older_than_the_newest_sample() -> None:
    engine = watching((TEMPERATURE, silent(10)), (TEMPERATURE, hot()))
    engine.evaluate(SampleBatch.of([sample(5, 85), void(4)]))
    assert story(engine.sweep(14 * S)) == []
    engine.evaluate(SampleBatch.of([void(14)]))
    assert story(engine.sweep(23 * S)) == []
    assert story(engine.sweep(24 * S)) == [("raised", "no_data", 24)]


def test_a_meter_takes_no_notice_of_nothing_to_judge() -> None:
    engine = RuleEngine(plant(), now_ns=0)
    hours = [sample(0, 400, point=HOURS), void(1, point=HOURS), sample(2, 501, point=HOURS)]
    assert [due.due_key for due in engine.evaluate(SampleBatch.of(hours)).due] == [1]


def test_a_forbidden_state_is_any_but_the_allowed_ones_also_one_without_a_name() -> None:
    engine = watching((MODE, only("stopped", "running", "manual")))
    modes = readings((0, 0), (1, 1), (2, 2), (3, 4), (4, 3), (5, -1), (6, 1), (7, 99), point=MODE)
    assert story(engine.evaluate(modes)) == [
        ("raised", "forbidden_state", 2),
        ("cleared", "normal", 4),
        ("raised", "forbidden_state", 5),
        ("cleared", "normal", 6),
        ("raised", "forbidden_state", 7),
    ]


def test_the_evidence_of_a_forbidden_state_is_the_state() -> None:
    engine = watching((MODE, only("running")))
    (change,) = engine.evaluate(readings((0, 2), point=MODE)).transitions
    assert (change.value, change.limit, change.side) == (2, 2, None)


def test_an_allowed_state_that_the_point_does_not_have_is_refused_with_the_names_it_has() -> None:
    with pytest.raises(ConfigurationError, match=r"no state asleep; write one of: stopped, running"):
        watching((MODE, only("running", "asleep")))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_decides_nothing(value: float) -> None:
    engine = watching((TEMPERATURE, hot()), (TEMPERATURE, silent(10)))
    engine.evaluate(readings((0, 85)))
    assert story(engine.evaluate(readings((1, value)))) == []
    assert story(engine.sweep(10 * S)) == [("raised", "no_data", 10)]


def test_a_sample_older_than_the_newest_moves_no_delay_and_clears_nothing() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=5)))
    assert story(engine.evaluate(readings((10, 85), (2, 70), (3, 99), (16, 85)))) == [("raised", "high", 15)]


def test_samples_out_of_an_hour_old_buffer_do_not_satisfy_a_delay_at_once() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=30)))
    engine.evaluate(SampleBatch.of([sample(100, 85, late_s=3600)]))
    assert story(engine.sweep(3701 * S)) == []
    engine.evaluate(SampleBatch.of([sample(110, 70, late_s=3592)]))
    assert story(engine.sweep(9999 * S)) == []


@pytest.mark.parametrize("sweeps", [True, False])
def test_what_was_long_on_its_way_does_not_undo_what_time_has_decided(sweeps: bool) -> None:  # noqa: FBT001
    engine = watching((TEMPERATURE, hot(on_delay_s=30)))
    engine.evaluate(SampleBatch.of([sample(100, 85)]))
    said = story(engine.sweep(132 * S)) if sweeps else []
    said += story(engine.evaluate(SampleBatch.of([sample(120, 70, late_s=15)])))
    assert said == [("raised", "high", 130), ("cleared", "normal", 130)]


@pytest.mark.parametrize("sweeps", [True, False])
def test_a_silence_that_a_buffered_sample_ends_was_one(sweeps: bool) -> None:  # noqa: FBT001
    engine = watching((TEMPERATURE, silent(30)), now_s=100)
    engine.evaluate(SampleBatch.of([sample(100, 20)]))
    said = story(engine.sweep(140 * S)) if sweeps else []
    said += story(engine.evaluate(SampleBatch.of([sample(105, 20, late_s=40)])))
    assert said == [("raised", "no_data", 130), ("cleared", "normal", 130)]


def test_a_sample_that_comes_after_its_time_is_heard_right_after_what_is_decided() -> None:
    engine = watching((TEMPERATURE, hot(on_delay_s=30)))
    engine.sweep(50 * S)
    heard = engine.as_heard(SampleBatch.of([sample(49, 1), sample(49, 2, point=MODE), sample(48, 3), sample(51, 4)]))
    assert heard.gateway_time_ns.tolist() == [50 * S + 1, 50 * S + 1, 50 * S + 2, 51 * S]
    assert heard.source_time_ns.tolist() == [49 * S, 49 * S, 48 * S, 51 * S]
    in_time = SampleBatch.of([sample(50, 1)])
    assert engine.as_heard(in_time) is in_time


def test_a_device_whose_clock_lags_is_not_silent() -> None:
    engine = watching((TEMPERATURE, silent(30)), now_s=95)
    for second in range(100, 200, 10):
        assert story(engine.evaluate(SampleBatch.of([sample(second - 90, 20, late_s=90)]))) == []
        assert story(engine.sweep((second + 5) * S)) == []


def test_silence_is_raised_at_its_timeout_and_ends_with_the_next_reading() -> None:
    engine = watching((TEMPERATURE, silent(30)))
    engine.evaluate(readings((10, 20)))
    (change,) = engine.sweep(100 * S).transitions
    assert (change.kind, change.reason, change.at_ns, change.since_ns) == ("raised", "no_data", 40 * S, 10 * S)
    assert math.isnan(change.value)
    assert change.limit == 30
    assert story(engine.evaluate(readings((110, 20)))) == [("cleared", "normal", 110)]


def test_a_point_that_never_spoke_is_silent_from_the_start_on() -> None:
    engine = watching((TEMPERATURE, silent(30)), now_s=100)
    assert story(engine.sweep(129 * S)) == []
    assert story(engine.sweep(131 * S)) == [("raised", "no_data", 130)]


def test_bad_samples_do_not_break_a_silence() -> None:
    engine = watching((TEMPERATURE, silent(30)))
    for second in range(0, 40, 5):
        engine.evaluate(SampleBatch.of([sample(second, 1, quality=Quality.BAD_COMMUNICATION)]))
    assert story(engine.sweep(40 * S)) == [("raised", "no_data", 30)]


def test_a_change_among_wanted_states_neither_clears_nor_restarts_the_delay() -> None:
    engine = watching((MODE, broken("jammed", "burnt", on_delay_s=10)))
    assert story(engine.evaluate(readings((0, 2), (6, 4), (11, 2), (12, 4), (13, 3), (14, 1), point=MODE))) == [
        ("raised", "state", 10),
        ("cleared", "normal", 13),
    ]


def test_a_state_alarm_names_the_state_it_saw() -> None:
    engine = watching((MODE, broken("jammed", "manual", "burnt")))
    (change,) = engine.evaluate(readings((0, 4), point=MODE)).transitions
    assert (change.value, change.limit) == (4, 4)


def test_run_hours_fall_due_once_for_each_multiple() -> None:
    engine = watching()
    due = engine.evaluate(readings((0, 499), (1, 499.9), (2, 500), (3, 501), (4, 999), (5, 2100), point=HOURS)).due
    assert [(item.asset_id, item.plan, item.due_key, item.value) for item in due] == [
        ("pump-1", "greasing", 1, 500),
        ("pump-1", "greasing", 4, 2100),
    ]


def test_a_meter_seen_for_the_first_time_only_arms_its_plan() -> None:
    engine = watching()
    assert engine.evaluate(readings((0, 1234), point=HOURS)).due == ()
    assert len(engine.evaluate(readings((1, 1500), point=HOURS)).due) == 1


def test_a_replaced_meter_orders_nothing_twice() -> None:
    engine = watching()
    assert engine.evaluate(readings((0, 1400), (1, 0), (2, 510), (3, 1010), point=HOURS)).due == ()


def test_points_without_rules_and_points_that_do_not_exist_are_ignored() -> None:
    engine = watching((TEMPERATURE, hot()))
    for point in (MODE, 4, 10**6, -1):
        assert story(engine.evaluate(readings((0, 99), point=point))) == []


def test_a_plant_without_rules_has_nothing_to_say() -> None:
    engine = RuleEngine(plant(), now_ns=0)
    assert engine.next_deadline_ns is None
    assert engine.sweep(S).transitions == ()


def test_a_state_that_the_point_does_not_have_is_refused_with_the_ones_it_has() -> None:
    with pytest.raises(ConfigurationError, match="has no state molten; write one of: stopped, running, jammed"):
        watching((MODE, broken("molten")))


def test_more_changes_than_the_output_holds_are_all_reported() -> None:
    engine = watching((TEMPERATURE, hot(high_high=None)))
    swings = [(float(second), 85.0 if second % 2 == 0 else 20.0) for second in range(20_001)]
    assert len(engine.evaluate(readings(*swings)).transitions) == 20_001


def test_without_numba_the_same_source_runs_as_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert compiled.__wrapped__() is None


def test_columns_that_numba_could_not_take_as_they_are_are_taken_all_the_same() -> None:
    batch = readings(*((float(second), 99.0) for second in range(20)))
    batch.value.flags.writeable = False
    every_other = SampleBatch(*(getattr(batch, name)[::2] for name in SampleBatch.__slots__))
    engine = RuleEngine(plant([(TEMPERATURE, hot())]), now_ns=0, fast=compiled())
    assert story(engine.evaluate(every_other)) == [("raised", "high_high", 0)]


LOST = Quality.BAD_COMMUNICATION


def test_a_lost_device_is_told_after_its_delay_and_its_return_too() -> None:
    engine = watching((TEMPERATURE, untrusted("bad_communication", on_delay_s=5, off_delay_s=10)))
    engine.evaluate(readings((1, 20)))
    engine.evaluate(SampleBatch.of([sample(2, math.nan, quality=LOST)]))
    assert story(engine.sweep(6 * S)) == []
    (change,) = engine.sweep(8 * S).transitions
    assert (change.kind, change.reason) == (TransitionKind.RAISED, Reason.BAD_QUALITY)
    assert (change.at_ns, change.since_ns) == (7 * S, 2 * S)
    assert math.isnan(change.value)
    assert change.limit == LOST
    engine.evaluate(readings((20, 20)))
    assert story(engine.sweep(29 * S)) == []
    assert story(engine.sweep(30 * S)) == [("cleared", "normal", 30)]


def test_a_device_that_comes_back_within_the_delay_was_never_lost() -> None:
    engine = watching((TEMPERATURE, untrusted(on_delay_s=5)))
    lost, back = sample(2, math.nan, quality=LOST), sample(6, 20)
    assert story(engine.evaluate(SampleBatch.of([lost, back]))) == []
    assert story(engine.sweep(60 * S)) == []


def test_only_the_qualities_that_a_rule_names_count_for_it() -> None:
    engine = watching((TEMPERATURE, untrusted("bad_communication")), (TEMPERATURE, untrusted("uncertain", "bad")))
    failed = SampleBatch.of([sample(1, math.nan, quality=Quality.BAD_SENSOR_FAILURE)])
    assert [change.rule_id for change in engine.evaluate(failed).transitions] == [2]
    assert [change.rule_id for change in engine.evaluate(readings((2, 20))).transitions] == [2]
    stale = SampleBatch.of([sample(3, 20, quality=Quality.UNCERTAIN_STALE)])
    assert [change.rule_id for change in engine.evaluate(stale).transitions] == [2]


def test_a_lost_device_whose_clock_was_ahead_is_lost_all_the_same() -> None:
    engine = watching((TEMPERATURE, untrusted()))
    engine.evaluate(SampleBatch.of([sample(100, 20, late_s=-40)]))  # arrived at 60
    assert story(engine.evaluate(SampleBatch.of([sample(61, math.nan, quality=LOST)]))) == [
        ("raised", "bad_quality", 61)
    ]


def test_what_was_buffered_before_the_loss_does_not_end_it() -> None:
    engine = watching((TEMPERATURE, untrusted()))
    engine.evaluate(SampleBatch.of([sample(1, 20), sample(10, math.nan, quality=LOST)]))
    assert story(engine.evaluate(SampleBatch.of([sample(5, 20), sample(8, 21)]))) == []
    assert story(engine.evaluate(readings((11, 20)))) == [("cleared", "normal", 11)]


def test_a_lost_device_is_one_alarm_whether_quality_or_silence_tells_it() -> None:
    engine = watching((TEMPERATURE, untrusted("bad_communication", on_delay_s=2, timeout_s=30)))
    engine.evaluate(readings((1, 20)))
    engine.evaluate(SampleBatch.of([sample(2, math.nan, quality=LOST)]))
    assert story(engine.sweep(100 * S)) == [("raised", "bad_quality", 4)]
    assert story(engine.evaluate(readings((101, 20)))) == [("cleared", "normal", 101)]
    assert story(engine.sweep(131 * S)) == [("raised", "no_data", 131)]  # nobody said so, it just fell silent


def test_a_flood_of_the_same_bad_quality_is_as_quiet_as_good_samples() -> None:
    engine = watching((TEMPERATURE, untrusted()))
    flood = [sample(second, math.nan, quality=LOST) for second in range(1, 2000)]
    assert story(engine.evaluate(SampleBatch.of(flood))) == [("raised", "bad_quality", 1)]
    assert [state.since_ns for state in engine.take_changed()] == [1 * S]


def test_a_silence_that_ends_on_the_devices_clock_comes_after_the_loss_that_the_gateway_saw_before() -> None:
    engine = RuleEngine(plant([(TEMPERATURE, untrusted(timeout_s=6))]), now_ns=0)
    lost = sample(6, math.nan, quality=Quality.BAD_COMMUNICATION, late_s=0.5)
    said = engine.evaluate(SampleBatch.of([lost, sample(6, 20, late_s=0.5)]))
    assert story(said) == [("raised", "no_data", 6), ("cleared", "normal", 6.5)]
