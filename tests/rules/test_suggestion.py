"""Settings that are proposed for a rule: on histories whose answer is known, and on real recordings."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from facility.conditions import (
    Condition,
    ForbiddenState,
    LimitDefinition,
    LimitSide,
    NoData,
    RateOfChange,
    Threshold,
    WindowStatistic,
)
from facility.errors import InvalidCommandError
from facility.model import Facility
from facility.samples import SampleBatch
from rules import kernel
from rules.backtest import Period
from rules.candidates import Course, Settings, Window, deadbands, delays, lengths_s, limits, noise, round_to, rounding
from rules.compiled import compiled
from rules.engine import RuleEngine
from rules.spans import SpanEngine
from rules.suggestion import SHARE_OF_RESPONSE, Suggestion, suggest
from rules.trial import Question, with_settings
from tests.app.recordings import recorded
from tests.rules.plant import MODE, TEMPERATURE, S, broken, hot, plant

STEP_S = 10
DAY = 86_400 // STEP_S
FAST = compiled() or kernel.plain


def readings_of(values: npt.NDArray[np.float64], *, point: int = TEMPERATURE, step_s: float = STEP_S) -> SampleBatch:
    at_ns = (np.arange(len(values)) * step_s * S).astype(np.int64)
    return SampleBatch(np.full(len(values), point, np.int32), at_ns, at_ns, values, np.zeros(len(values), np.uint8))


def noisy(days: int, *, level: float = 70.0, spread: float = 1.0, seed: int = 1) -> npt.NDArray[np.float64]:
    return np.round(level + np.random.default_rng(seed).normal(0, spread, days * DAY), 2)


def window(start: int, end: int) -> Window:
    """A label from one sample's place to another's."""
    return Window(start * STEP_S * S, end * STEP_S * S)


def asked(
    condition: Condition,
    samples: SampleBatch,
    *labels: Window,
    target: float = 1.0,
    point: int = TEMPERATURE,
) -> Suggestion:
    facility = plant([(point, condition)])
    return suggest(question(facility, samples, labels, target), fast=FAST)


def question(facility: Facility, samples: SampleBatch, labels: Sequence[Window] = (), target: float = 1.0) -> Question:
    period = Period(start_ns=0, end_ns=int(samples.source_time_ns[-1]) + 1)
    return Question(
        facility=facility,
        rule=facility.rules[1],
        samples=samples,
        period=period,
        labels=tuple(labels),
        target_per_day=target,
    )


def test_a_limit_in_the_noise_is_kept_and_a_delay_ends_the_chatter() -> None:
    values = noisy(5)
    events = [(2 * DAY, 2 * DAY + 60), (3 * DAY + 1_000, 3 * DAY + 1_090)]
    for start, end in events:
        values[start:end] += 12
    found = asked(hot(high=72, high_high=None, deadband=0), readings_of(values), *(window(*event) for event in events))
    assert found.live.alarms_per_day > 100
    assert found.chosen.alarms_per_day <= 1.0
    assert (found.chosen.labels_caught, found.chosen.settings.limit) == (2, 72)
    assert 0 < found.chosen.settings.on_delay_s <= 60
    assert found.condition.on_delay_s == found.chosen.settings.on_delay_s
    assert "2 of 2 labelled events" in found.words.en
    assert "on-delay 0 →" in found.words.en
    assert "2 个事件中报出 2 个" in found.words.zh


def test_a_limit_in_the_midst_of_what_is_usual_is_moved_towards_the_events() -> None:
    values = noisy(5)
    values[2 * DAY : 2 * DAY + 3] += 12  # too short for any delay
    values[4 * DAY : 4 * DAY + 3] += 12
    labels = window(2 * DAY, 2 * DAY + 3), window(4 * DAY, 4 * DAY + 3)
    found = asked(hot(high=70, high_high=None, deadband=0), readings_of(values), *labels)
    assert found.chosen.labels_caught == 2
    assert found.chosen.alarms_per_day <= 1.0
    assert found.chosen.settings.limit is not None
    assert 72 < found.chosen.settings.limit < 82


def test_what_holds_already_is_left_as_it_is() -> None:
    values = noisy(5)
    values[2 * DAY : 2 * DAY + 60] += 12
    found = asked(hot(high=78, high_high=None), readings_of(values), window(2 * DAY, 2 * DAY + 60))
    assert found.chosen == found.live
    assert "nothing needs to change" in found.words.en
    assert "无需更改" in found.words.zh


def test_a_target_that_would_lose_an_event_is_not_met_and_that_is_said() -> None:
    values = noisy(4)
    labels = [window(DAY + place * 600, DAY + place * 600 + 5) for place in range(8)]
    for label in labels:
        values[label.start_ns // (STEP_S * S) :][:5] += 12
    found = asked(hot(high=76, high_high=None), readings_of(values), *labels, target=0.5)
    assert found.chosen.labels_caught == 8
    assert found.chosen.alarms_per_day == pytest.approx(2.0, rel=1e-3)
    assert "settings reaches the target of 0.5 without losing" in found.words.en


def test_a_low_limit_is_tuned_downwards() -> None:
    values = noisy(3)
    values[DAY : DAY + 60] -= 15
    low = Threshold(type="threshold", limits={LimitSide.LOW: LimitDefinition(value=71.0)})
    found = asked(low, readings_of(values), window(DAY, DAY + 60))
    assert found.side is LimitSide.LOW
    assert found.chosen.labels_caught == 1
    assert found.chosen.settings.limit is not None
    assert found.chosen.settings.limit < 71


def test_limits_stay_between_the_others_of_the_rule_and_in_the_range_of_the_point() -> None:
    both = Threshold(
        type="threshold",
        limits={LimitSide.LOW: LimitDefinition(value=60.0), LimitSide.HIGH: LimitDefinition(value=70.0)},
    ).model_copy(update={"limits": {**hot(high=70, high_high=74).limits, LimitSide.LOW: LimitDefinition(value=60.0)}})
    found = asked(both, readings_of(noisy(3)), target=5.0)
    assert all(each.settings.limit is not None and 60 < each.settings.limit < 74 for each in found.curve)


RATE = RateOfChange(
    type="rate_of_change", window_s=60, per="min", limits={LimitSide.HIGH: LimitDefinition(value=1.0)}, deadband=0.0
)
MEAN = WindowStatistic(
    type="window", statistic="mean", window_s=300, limits={LimitSide.HIGH: LimitDefinition(value=70.2)}, on_delay_s=20
)


def ramps(days: int, *places: int) -> npt.NDArray[np.float64]:
    """A noisy level that climbs by 30 within five minutes at some places, and falls as slowly."""
    values = noisy(days)
    hill = np.concatenate([np.linspace(0, 30, 30), np.linspace(30, 0, 30)])
    for place in places:
        values[place : place + 60] += hill
    return values


def test_the_limit_of_a_rate_is_moved_out_of_what_is_usual() -> None:
    places = DAY, 2 * DAY + 500
    found = asked(RATE, readings_of(ramps(4, *places)), *(window(place, place + 30) for place in places))
    assert found.live.alarms_per_day > 100
    assert (found.chosen.labels_caught, found.chosen.alarms_per_day <= 1.0) == (2, True)
    assert found.chosen.settings.limit is not None
    assert 2.0 < found.chosen.settings.limit < 6.5
    assert isinstance(found.condition, RateOfChange)
    assert found.condition.limits[LimitSide.HIGH].value == found.chosen.settings.limit
    assert "limit 1 → 2.3 K/min" in found.words.en


@pytest.mark.parametrize("condition", [RATE, MEAN, MEAN.model_copy(update={"off_delay_s": 60.0})])
def test_what_a_computed_rule_would_do_is_what_the_engine_does(condition: Condition) -> None:
    samples = readings_of(ramps(2, DAY))
    found = asked(condition, samples)
    facility = plant([(TEMPERATURE, condition)])
    engine = RuleEngine(facility, now_ns=0, fast=FAST)
    said = [*engine.evaluate(samples).transitions, *engine.sweep(int(samples.source_time_ns[-1]) + 1).transitions]
    raised = sum(each.kind == "raised" for each in said)
    assert raised > 0
    assert found.live.alarms_per_day * 2 == pytest.approx(raised, rel=1e-3)


def test_too_much_to_compute_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.suggestion.MOST_COMPUTED", DAY - 1)
    with pytest.raises(InvalidCommandError, match="Choose a shorter one"):
        asked(RATE, readings_of(noisy(1)))


def test_a_state_has_only_its_delays_tuned() -> None:
    mode = np.ones(3 * DAY)
    mode[::200] = 2  # jams for ten seconds again and again
    mode[DAY : DAY + 60] = 2
    found = asked(broken("jammed"), readings_of(mode, point=MODE), window(DAY, DAY + 60), point=MODE)
    assert (found.side, found.chosen.settings.limit, found.chosen.labels_caught) == (None, None, 1)
    assert found.chosen.alarms_per_day <= 1.0
    assert found.chosen.settings.on_delay_s >= 10
    allowed = ForbiddenState(type="forbidden_state", allowed=["stopped", "running"])
    other = asked(allowed, readings_of(mode, point=MODE), window(DAY, DAY + 60), point=MODE)
    assert other.chosen.settings == found.chosen.settings


def test_no_delay_is_proposed_that_eats_up_the_time_to_respond() -> None:
    values = noisy(3) + np.repeat(np.tile([0.0, 5.0], 3 * DAY // 120), 60)  # ten minutes above, ten below
    found = asked(hot(high=73, high_high=None), readings_of(values))
    respond_s = 60 * 10
    assert all(each.settings.on_delay_s <= SHARE_OF_RESPONSE * respond_s for each in found.curve)


def test_rules_without_settings_and_points_without_samples_are_refused() -> None:
    with pytest.raises(InvalidCommandError, match="suggested for limits and states of one point"):
        asked(NoData(type="no_data", timeout_s=5), readings_of(noisy(1)))
    with pytest.raises(InvalidCommandError, match="has 20 usable samples"):
        asked(hot(), readings_of(noisy(1)[:20]))


@given(seed=st.integers(0, 1_000), high=st.floats(68, 76), target=st.sampled_from([0.5, 3.0, 40.0]))
@settings(max_examples=15)
def test_a_proposal_does_what_it_says_and_nothing_on_its_curve_is_beaten(seed: int, high: float, target: float) -> None:
    samples = readings_of(noisy(2, seed=seed))
    facility = plant([(TEMPERATURE, hot(high=round(high, 1), high_high=None, deadband=0.5))])
    found = suggest(question(facility, samples, target=target), fast=FAST)
    rule = facility.rules[1]
    draft = replace(rule, definition=rule.definition.model_copy(update={"condition": found.condition}))
    engine = SpanEngine(replace(facility, rules={1: draft}, assets={}), now_ns=0, fast=FAST)
    engine.evaluate(samples)
    engine.sweep(int(samples.source_time_ns[-1]) + 1)
    assert len(engine.spans().rule) / 2 == pytest.approx(found.chosen.alarms_per_day, rel=1e-3)
    rates = [each.alarms_per_day for each in found.curve]
    assert rates == sorted(rates)
    for one in found.curve:
        for other in found.curve:
            assert not beats(one.settings, one.alarms_per_day, other.settings, other.alarms_per_day)


def beats(one: Settings, one_rate: float, other: Settings, other_rate: float) -> bool:
    mine = (one_rate, one.limit or 0.0, one.on_delay_s)
    theirs = (other_rate, other.limit or 0.0, other.on_delay_s)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def test_noise_is_measured_whatever_the_signal_does() -> None:
    drifting = noisy(2, spread=0.7) + np.linspace(0, 30, 2 * DAY)
    drifting[DAY:] += 100
    assert noise(drifting) == pytest.approx(0.7, rel=0.05)
    coarse = np.round(noisy(2, spread=0.2))
    assert 0 < noise(coarse) < 1
    assert deadbands(noisy(2)) == pytest.approx([2, 4, 8], rel=0.05)
    assert noise(np.array([3.0])) == 0.0


def test_delays_outlast_excursions_and_pauses() -> None:
    at_ns = np.arange(8) * 10 * S
    beyond = np.array([0, 1, 0, 0, 1, 1, 0, 0], np.bool_)
    excursions, pauses = lengths_s(Course(at_ns, beyond.astype(np.float64)), beyond, [])
    assert (excursions.tolist(), pauses.tolist()) == ([10.0, 20.0], [20.0])
    excursions, _ = lengths_s(Course(at_ns, beyond.astype(np.float64)), beyond, [Window(35 * S, 60 * S)])
    assert excursions.tolist() == [10.0]
    assert delays(np.array([10.0, 10.0, 70.0]), 3_600) == [0.0, 15.0, 60.0, 120.0]
    assert delays(np.array([10.0, 10.0, 70.0]), 60) == [0.0, 15.0, 60.0]
    assert delays(np.zeros(0), 60) == [0.0]


@given(st.floats(-1e6, 1e6), st.sampled_from([0.001, 0.1, 1.0, 100.0]))
def test_settings_are_written_as_people_would(value: float, step: float) -> None:
    rounded = round_to(value, step)
    assert abs(rounded - value) <= step / 2 * 1.001
    assert len(f"{rounded:.15g}".replace("-", "").replace(".", "").strip("0")) <= 12


def test_candidate_limits_lie_in_the_tail_and_below_the_labelled_peaks() -> None:
    values = noisy(2)
    values[100:140] += 10
    course = Course(np.arange(len(values), dtype=np.int64) * 10 * S, values)
    upper = limits(course, [Window(1_000 * S, 1_390 * S)], is_upper=True)
    assert any(73 < limit < 79 for limit in upper)
    assert upper == sorted(upper)
    lower = limits(Course(course.at_ns, -values), [Window(1_000 * S, 1_390 * S)], is_upper=False)
    assert lower == sorted(-limit for limit in upper)
    assert rounding(values) == pytest.approx(0.1)


def test_settings_leave_the_rest_of_a_condition_alone() -> None:
    condition = hot(high=80, high_high=90, deadband=2)
    other = with_settings(
        condition, LimitSide.HIGH, Settings(limit=75.0, deadband=1.0, on_delay_s=5.0, off_delay_s=6.0)
    )
    assert isinstance(other, Threshold)
    assert (other.limits[LimitSide.HIGH].value, other.limits[LimitSide.HIGH_HIGH]) == (
        75.0,
        condition.limits[LimitSide.HIGH_HIGH],
    )
    assert (other.deadband, other.on_delay_s, other.off_delay_s) == (1.0, 5.0, 6.0)


def test_the_pump_test_bed_with_its_valve_closed_gets_a_low_flow_limit_that_tells_every_run() -> None:
    """The flow of the real pump falls in every experiment when the valve closes."""
    values, labels, place = [], [], 0
    for number in range(16):
        with recorded(f"pump-testbed/{number}.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        flow = np.array([float(row["Volume Flow RateRMS"]) for row in rows])
        bad = np.flatnonzero([float(row["anomaly"]) > 0 for row in rows])
        labels.append(Window((place + int(bad[0])) * S, (place + int(bad[-1])) * S))
        values.append(flow)
        place += len(flow)
    samples = readings_of(np.concatenate(values), step_s=1.0)
    low = Threshold(type="threshold", limits={LimitSide.LOW: LimitDefinition(value=32.2)})
    found = asked(low, samples, *labels, target=40 * 86_400 / place)
    best = max(each.labels_caught for each in found.curve)
    assert found.chosen.labels_caught == best >= 14
    assert found.chosen.alarms_per_day < found.live.alarms_per_day / 5


def test_the_smoke_detector_recording_gets_a_limit_for_its_fires() -> None:
    with recorded("smoke-detector/smoke.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0])
    level = np.array([float(row[next(name for name in names if "eCO2" in name)]) for row in rows])
    fire = np.array([float(row[next(name for name in names if "Alarm" in name)]) for row in rows]) > 0
    edges = np.flatnonzero(np.diff(fire.astype(int)))
    spans = [(a, b) for a, b in zip([0, *edges], [*edges, len(fire) - 1], strict=True) if fire[b] and b - a > 600]
    labels = [Window(int(a) * NS_PER_S, int(b) * NS_PER_S) for a, b in spans]
    assert labels
    found = asked(hot(high=500, high_high=None, deadband=0), readings_of(level, step_s=1.0), *labels, target=20.0)
    assert found.chosen.labels_caught == max(each.labels_caught for each in found.curve)
    assert len(found.curve) >= 1
