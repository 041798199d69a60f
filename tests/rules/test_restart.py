from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from facility.conditions import Condition, LimitDefinition, LimitSide, Threshold
from facility.equipment import RuleDefinition
from facility.model import Facility, Point, Rule
from facility.priority import SHIPPED_MATRIX, ConsequenceClass, Priority, ResponseBand
from facility.priority import edited as edited_with
from facility.quality import Quality
from facility.samples import SampleBatch
from facility.storage.database import metadata
from rules.engine import RuleEngine
from rules.fingerprint import of_computed, of_rule
from rules.repository import load_states, save_states
from rules.state import Phase, SavedState
from tests.rules.plant import (
    HOURS,
    MODE,
    TEMPERATURE,
    S,
    broken,
    hot,
    plant,
    readings,
    sample,
    silent,
    story,
    untrusted,
)


@pytest.fixture
def disk(database: Engine) -> Engine:
    metadata.create_all(database)
    return database


def saved(disk: Engine, engine: RuleEngine) -> list[SavedState]:
    """What a new process would find, if this one were killed now."""
    with disk.begin() as connection:
        save_states(connection, engine.take_changed())
    with disk.begin() as connection:
        return load_states(connection)


def edited(disk: Engine, before: Condition, after: Condition, at_s: float = 100) -> RuleEngine:
    """An engine whose bearing alarm is active under a rule that was edited since."""
    engine = RuleEngine(plant([(TEMPERATURE, before)]), now_ns=0)
    assert len(engine.evaluate(readings((50, 95))).transitions) == 1
    return RuleEngine(plant([(TEMPERATURE, after)]), saved=saved(disk, engine), now_ns=round(at_s * S))


def test_a_running_delay_goes_on_where_it_was(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), now_ns=0)
    engine.evaluate(readings((10, 85)))
    engine = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), saved=saved(disk, engine), now_ns=40 * S)
    assert story(engine.sweep(69 * S)) == []
    (change,) = engine.sweep(71 * S).transitions
    assert (change.at_ns, change.since_ns, change.value) == (70 * S, 10 * S, 85)


def test_a_delay_that_ended_while_nobody_watched_is_decided_by_the_next_reading(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), now_ns=0)
    engine.evaluate(readings((10, 85)))
    states = saved(disk, engine)

    still_hot = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), saved=states, now_ns=500 * S)
    assert story(still_hot.sweep(501 * S)) == []
    assert story(still_hot.evaluate(readings((502, 86)))) == [("raised", "high", 70)]

    cooled = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), saved=states, now_ns=500 * S)
    assert story(cooled.evaluate(readings((502, 20)))) == []

    queued = RuleEngine(plant([(TEMPERATURE, hot(on_delay_s=60))]), saved=states, now_ns=500 * S)
    assert story(queued.evaluate(readings((20, 85), (69, 20), (502, 85)))) == []


def test_an_alarm_stays_and_ends_once_after_a_restart(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot())]), now_ns=0)
    engine.evaluate(readings((10, 85)))
    engine = RuleEngine(plant([(TEMPERATURE, hot())]), saved=saved(disk, engine), now_ns=40 * S)
    assert story(engine.evaluate(readings((41, 79), (42, 85)))) == []
    (change,) = engine.evaluate(readings((43, 20))).transitions
    assert (change.kind, change.since_ns) == ("cleared", 10 * S)


def test_readings_that_the_broker_sends_again_open_nothing_twice(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot())]), now_ns=0)
    engine.evaluate(readings((10, 85), (11, 20), (12, 85)))
    engine = RuleEngine(plant([(TEMPERATURE, hot())]), saved=saved(disk, engine), now_ns=40 * S)
    assert story(engine.evaluate(readings((10, 85), (11, 20), (12, 85), (13, 85)))) == []


def test_a_new_title_keeps_the_alarm(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot())], title="Too hot"), now_ns=0)
    engine.evaluate(readings((10, 85)))
    states = saved(disk, engine)
    engine = RuleEngine(plant([(TEMPERATURE, hot())], title="Bearing too hot"), saved=states, now_ns=40 * S)
    assert story(engine.evaluate(readings((41, 79)))) == []  # inside the deadband: only a kept alarm stays


def test_a_raised_limit_clears_an_alarm_that_no_longer_holds(disk: Engine) -> None:
    engine = edited(disk, hot(high_high=None), hot(high=96, high_high=None))
    assert story(engine.sweep(101 * S)) == []
    assert story(engine.evaluate(readings((102, 95)))) == [("cleared", "normal", 102)]


def test_a_moved_limit_keeps_an_alarm_that_still_holds(disk: Engine) -> None:
    engine = edited(disk, hot(high_high=None), hot(high=70, high_high=None))
    assert story(engine.evaluate(readings((102, 75)))) == []
    assert story(engine.evaluate(readings((103, 20)))) == [("cleared", "normal", 103)]


def test_a_changed_priority_is_announced_by_the_next_reading(disk: Engine) -> None:
    before = hot(high_high=None)
    limit = before.limits[LimitSide.HIGH].model_copy(update={"consequence_class": ConsequenceClass.SEVERE})
    engine = edited(disk, before, before.model_copy(update={"limits": {LimitSide.HIGH: limit}}))
    assert story(engine.evaluate(readings((102, 95)))) == [("escalated", "high", 102)]


def test_an_eased_priority_is_not_announced_again_after_a_restart(disk: Engine) -> None:
    limits = {
        LimitSide.LOW: LimitDefinition(value=-3.0),
        LimitSide.HIGH: LimitDefinition(value=3.0),
        LimitSide.HIGH_HIGH: LimitDefinition(value=6.0, consequence_class=ConsequenceClass.SEVERE),
    }
    condition = Threshold(type="threshold", limits=limits, off_delay_s=4.0)
    facility = plant([(TEMPERATURE, condition)])
    engine = RuleEngine(facility, now_ns=0)
    assert story(engine.evaluate(readings((1, 7), (2, -4)))) == [("raised", "high_high", 1)]
    saved(disk, engine)
    assert story(engine.evaluate(readings((7, -4)))) == [("eased", "low", 6)]
    engine = RuleEngine(facility, saved=saved(disk, engine), now_ns=8 * S)
    assert story(engine.evaluate(readings((9, 0), (10, 4)))) == []


def test_an_alarm_whose_limit_was_removed_still_ends_and_only_once(disk: Engine) -> None:
    engine = edited(disk, hot(high=99, high_high=90), hot(high=99, high_high=None))
    states = saved(disk, engine)
    assert story(engine.evaluate(readings((102, 95)))) == [("cleared", "normal", 102)]
    again = RuleEngine(plant([(TEMPERATURE, hot(high=99, high_high=None))]), saved=saved(disk, engine), now_ns=103 * S)
    assert story(again.evaluate(readings((104, 95)))) == []
    killed = RuleEngine(plant([(TEMPERATURE, hot(high=99, high_high=None))]), saved=states, now_ns=103 * S)
    assert story(killed.evaluate(readings((104, 95)))) == [("cleared", "normal", 104)]


def test_time_without_a_watcher_is_no_silence(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, silent(30))]), now_ns=0)
    engine.evaluate(readings((10, 20)))
    engine = RuleEngine(plant([(TEMPERATURE, silent(30))]), saved=saved(disk, engine), now_ns=1000 * S)
    assert story(engine.sweep(1029 * S)) == []
    assert story(engine.sweep(1030 * S)) == [("raised", "no_data", 1030)]


def test_a_silence_past_half_its_timeout_goes_on_after_a_restart(disk: Engine) -> None:
    engine = RuleEngine(plant([(TEMPERATURE, silent(60))]), now_ns=0)
    engine.evaluate(readings((10, 20)))
    engine.sweep(45 * S)
    states = saved(disk, engine)
    soon = RuleEngine(plant([(TEMPERATURE, silent(60))]), saved=states, now_ns=50 * S)
    assert story(soon.sweep(71 * S)) == [("raised", "no_data", 70)]
    later = RuleEngine(plant([(TEMPERATURE, silent(60))]), saved=states, now_ns=500 * S)
    assert story(later.sweep(509 * S)) == []
    assert story(later.sweep(511 * S)) == [("raised", "no_data", 510)]


def test_a_multiple_that_was_passed_while_nobody_watched_falls_due(disk: Engine) -> None:
    engine = RuleEngine(plant(), now_ns=0)
    engine.evaluate(readings((10, 400), point=HOURS))
    engine = RuleEngine(plant(), saved=saved(disk, engine), now_ns=500 * S)
    assert [item.due_key for item in engine.evaluate(readings((501, 510), point=HOURS)).due] == [1]
    engine = RuleEngine(plant(), saved=saved(disk, engine), now_ns=502 * S)
    assert engine.evaluate(readings((503, 511), point=HOURS)).due == ()


def test_states_of_rules_that_are_gone_are_ignored(disk: Engine) -> None:
    engine = RuleEngine(plant({7: (TEMPERATURE, hot())}), now_ns=0)
    engine.evaluate(readings((10, 99)))
    engine = RuleEngine(plant({8: (TEMPERATURE, hot())}), saved=saved(disk, engine), now_ns=20 * S)
    assert story(engine.evaluate(readings((30, 99)))) == [("raised", "high_high", 30)]


def test_only_what_changed_is_handed_out_for_saving() -> None:
    engine = RuleEngine(plant([(TEMPERATURE, hot(high_high=None)), (MODE, broken("jammed"))]), now_ns=0)
    engine.evaluate(readings((10, 85), (11, 20), (12, 85)))
    (state,) = engine.take_changed()
    assert (state.owner, state.phase, state.since_ns, state.seen_ns) == ("rule:1", Phase.ACTIVE, 12 * S, 12 * S)
    engine.evaluate(readings((13, 86)))
    assert engine.take_changed() == []


def test_saving_again_replaces_and_a_missing_value_survives(disk: Engine) -> None:
    state = SavedState(
        owner="rule:1",
        row=2,
        fingerprint="0123456789abcdef",
        phase=Phase.PENDING,
        since_ns=5,
        began_ns=None,
        seen_ns=-(2**62),
        value=math.nan,
        priority=3,
    )
    with disk.begin() as connection:
        save_states(connection, [state, state])
        save_states(connection, [])
        (found,) = load_states(connection)
    assert repr(found) == repr(state)


def fingerprint_of(facility: Facility) -> str:
    rule = facility.rules[1]
    return of_rule(rule, facility.points[rule.point_key])


def test_a_fingerprint_knows_meaning_and_ignores_words() -> None:
    assert fingerprint_of(plant([(TEMPERATURE, hot())])) == fingerprint_of(plant([(TEMPERATURE, hot())], title="New"))
    assert fingerprint_of(plant([(TEMPERATURE, hot())])) != fingerprint_of(plant([(TEMPERATURE, hot(high=81))]))
    assert fingerprint_of(plant([(MODE, broken("jammed", "burnt"))])) == fingerprint_of(
        plant([(MODE, broken("burnt", "jammed"))])
    )


@pytest.mark.parametrize("of", [of_rule, lambda rule, point: of_computed(rule, point, "")])
def test_a_fingerprint_knows_a_priority_and_not_how_it_came_about(of: Callable[[Rule, Point], str]) -> None:
    facility = plant([(TEMPERATURE, hot())])
    rule, point = facility.rules[1], facility.points[TEMPERATURE]

    def fingerprint(definition: RuleDefinition) -> str:
        return of(replace(rule, definition=definition), point)

    sooner = rule.definition.model_copy(update={"time_to_respond_min": 14.0})
    assert (sooner.priority, fingerprint(sooner)) == (Priority.MEDIUM, fingerprint(rule.definition))
    severe = {ConsequenceClass.SEVERE: dict.fromkeys([ResponseBand.PROMPT, ResponseBand.SOON], Priority.HIGH)}
    under = rule.definition.under(edited_with(SHIPPED_MATRIX, severe))  # only the outer limit's priority falls
    assert (under.priority, fingerprint(under) == fingerprint(rule.definition)) == (Priority.MEDIUM, False)


def lost(second: float) -> SampleBatch:
    return SampleBatch.of([sample(second, math.nan, quality=Quality.BAD_COMMUNICATION)])


def test_a_device_lost_before_a_restart_is_lost_once(disk: Engine) -> None:
    watched = plant([(TEMPERATURE, untrusted(on_delay_s=5))])
    engine = RuleEngine(watched, now_ns=0)
    engine.evaluate(readings((1, 20)))
    engine.evaluate(lost(2))
    engine = RuleEngine(watched, saved=saved(disk, engine), now_ns=3 * S)
    assert story(engine.sweep(8 * S)) == [("raised", "bad_quality", 7)]
    engine = RuleEngine(watched, saved=saved(disk, engine), now_ns=100 * S)
    assert story(engine.evaluate(lost(101))) == []
    assert story(engine.evaluate(readings((102, 20)))) == [("cleared", "normal", 102)]


def test_a_loss_that_nobody_watched_to_the_end_of_its_delay_is_decided_by_the_next_sample(disk: Engine) -> None:
    watched = plant([(TEMPERATURE, untrusted(on_delay_s=5))])
    engine = RuleEngine(watched, now_ns=0)
    engine.evaluate(lost(2))
    states = saved(disk, engine)
    still_lost = RuleEngine(watched, saved=states, now_ns=100 * S)
    assert story(still_lost.evaluate(lost(101))) == [("raised", "bad_quality", 7)]
    back = RuleEngine(watched, saved=states, now_ns=100 * S)
    assert story(back.evaluate(readings((101, 20)))) == []


def test_a_device_whose_clock_is_ahead_can_be_lost_right_after_a_restart(disk: Engine) -> None:
    watched = plant([(TEMPERATURE, hot()), (TEMPERATURE, untrusted())])
    engine = RuleEngine(watched, now_ns=0)
    engine.evaluate(SampleBatch.of([sample(100, 99, late_s=-40)]))
    engine = RuleEngine(watched, saved=saved(disk, engine), now_ns=61 * S)
    assert story(engine.evaluate(lost(62))) == [("raised", "bad_quality", 62)]


def test_what_was_wrong_with_a_device_is_still_known_when_its_delay_ends_after_a_restart(disk: Engine) -> None:
    facility = plant([(MODE, untrusted("bad", on_delay_s=60)), (MODE, broken("jammed", on_delay_s=60))])
    engine = RuleEngine(facility, now_ns=0)
    engine.evaluate(
        SampleBatch.of(
            [
                sample(5, 2, point=MODE),
                sample(10, 2, point=MODE, quality=Quality.BAD_COMMUNICATION),
                sample(20, 2, point=MODE, quality=Quality.BAD_SENSOR_FAILURE),
            ]
        )
    )
    engine = RuleEngine(facility, saved=saved(disk, engine), now_ns=40 * S)
    lost, jammed = sorted(engine.sweep(100 * S).transitions, key=lambda change: change.rule_id)
    assert (lost.at_ns, lost.since_ns, lost.limit) == (70 * S, 10 * S, Quality.BAD_SENSOR_FAILURE)
    assert (jammed.at_ns, jammed.since_ns, jammed.value) == (65 * S, 5 * S, 2)
