"""Report by exception: what is left out, and what never is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from facility.conditions import BadQuality, Condition, LimitDefinition, LimitSide, Threshold
from facility.definition import LocalText
from facility.equipment import MaintenancePlan, PointDefinition, PointKind, ReportDefinition, RuleDefinition
from facility.model import Point
from facility.priority import ConsequenceClass
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.reporting import DEFAULT_HEARTBEAT_S, Policy, Reporter, policy_of, report_of

TEXT = LocalText(en="Any", zh="任意")
KEY = 4
SECOND = NS_PER_S


def point(kind: PointKind = PointKind.ANALOG, report: ReportDefinition | None = None) -> Point:
    states = {"no": 0, "yes": 1} if kind is PointKind.BINARY else {}
    definition = PointDefinition(kind=kind, name=TEXT, states=states, report=report)
    return Point(key=KEY, asset_id="pump-1", name="flow", definition=definition)


def rule(condition: Condition, *, life_safety: bool = False) -> RuleDefinition:
    return RuleDefinition(
        name="rule",
        point="flow",
        title=TEXT,
        condition=condition,
        cause=TEXT,
        consequence=TEXT,
        corrective_action=TEXT,
        consequence_class=ConsequenceClass.MODERATE,
        time_to_respond_min=1,
        life_safety=life_safety,
    )


def too_high(limit: float, deadband: float = 0.0) -> RuleDefinition:
    limits = {LimitSide.HIGH: LimitDefinition(value=limit)}
    return rule(Threshold(type="threshold", limits=limits, deadband=deadband))


def within(absolute: float, heartbeat_s: float = 1000, **more: tuple[float, ...]) -> Policy:
    return Policy(absolute=absolute, heartbeat_ns=round(heartbeat_s * NS_PER_S), **more)  # type: ignore[arg-type]  # tuples only


def reported(policy: Policy, *values: float) -> list[float]:
    """The values, one a second, that are news."""
    rows = [Sample(KEY, n * SECOND, n * SECOND, value, Quality.GOOD) for n, value in enumerate(values)]
    return news(policy, rows)


def news(policy: Policy, rows: Sequence[Sample]) -> list[float]:
    reporter = Reporter({KEY: policy})
    return [row.value for row in rows if reporter.news(SampleBatch.of([row]))[0]]


def test_a_value_that_hardly_moved_since_it_was_reported_is_left_out() -> None:
    assert reported(within(0.5), 20.0, 20.4, 20.2, 20.5, 20.9, 19.9) == [20.0, 20.5, 19.9]


def test_a_percent_is_of_the_value_reported_last() -> None:
    policy = Policy(share=0.1, heartbeat_ns=1000 * SECOND)
    assert reported(policy, 100, 109, 111, 121, 123, 0, 0, 0.001) == [100, 111, 123, 0, 0.001]


def test_a_value_at_rest_is_still_a_sign_of_life() -> None:
    assert len(reported(within(0.5, heartbeat_s=10), *[20.0] * 35)) == 4


def test_a_limit_is_never_hidden_by_a_deadband() -> None:
    policy = policy_of(point(), ReportDefinition(absolute=5.0), [too_high(80.0, deadband=2.0)], [])
    assert reported(policy, 79.0, 79.5, 80.5, 81.0, 78.5, 77.9, 79.0) == [79.0, 80.5, 78.5, 77.9, 79.0]


def test_the_next_multiple_of_a_plan_is_never_hidden() -> None:
    plan = MaintenancePlan(name="service", meter="flow", every=500, order="service", source="its manual")
    policy = policy_of(point(PointKind.COUNTER), ReportDefinition(absolute=100.0), [], [plan])
    assert reported(policy, 450, 480, 500, 520, 599, 601) == [450, 500, 601]


def test_a_change_of_quality_is_never_hidden_and_its_repetition_is() -> None:
    qualities = [Quality.GOOD, Quality.BAD_OUT_OF_RANGE, Quality.BAD_OUT_OF_RANGE, Quality.UNCERTAIN_STALE]
    rows = [Sample(KEY, n, n, math.nan, quality) for n, quality in enumerate(qualities)]
    assert len(news(within(1.0), rows)) == 3


def test_a_sample_older_than_the_one_reported_passes_and_decides_nothing() -> None:
    rows = [
        Sample(KEY, at * SECOND, n * SECOND, value, Quality.GOOD)
        for n, (at, value) in enumerate([(10, 20.0), (5, 90.0), (11, 20.1)])
    ]
    assert news(within(0.5), rows) == [20.0, 90.0]


def test_points_that_do_not_report_by_exception_always_pass() -> None:
    reporter = Reporter({KEY: within(100.0)})
    rows = [Sample(key, n, n, 1.0, Quality.GOOD) for n in range(3) for key in (0, KEY, 99_999)]
    assert reporter.news(SampleBatch.of(rows)).tolist() == [True, True, True, True, False, True, True, False, True]
    assert Reporter({}).news(SampleBatch.of(rows)).all()


@given(
    samples=st.lists(
        st.tuples(
            st.integers(0, 20),
            st.floats(-50, 50) | st.sampled_from([math.nan, 10.0, 9.0]),
            st.sampled_from([Quality.GOOD] * 6 + [Quality.BAD_COMMUNICATION, Quality.UNCERTAIN_STALE]),
        ),
        min_size=1,
        max_size=60,
    ),
    size=st.integers(1, 7),
)
def test_whatever_comes_nobody_errs_by_more_than_the_deadband_and_no_turn_is_lost(
    samples: list[tuple[int, float, Quality]], size: int
) -> None:
    """However the samples are cut into batches."""
    deadband, heartbeat_s, limit = 2.0, 30.0, 10.0
    policy = within(deadband, heartbeat_s=heartbeat_s, edges=(limit - 1.0, limit))
    rows, at = [], 0
    for passed, value, quality in samples:
        at += passed * SECOND
        rows.append(Sample(KEY, at, at, value, quality))
    reporter = Reporter({KEY: policy})
    batches = [SampleBatch.of(rows[start : start + size]) for start in range(0, len(rows), size)]
    flags = [bool(flag) for batch in batches for flag in reporter.news(batch)]
    assert flags[0]
    last = rows[0]
    for row, is_news in zip(rows, flags, strict=True):
        if is_news:
            last = row
            continue
        assert row.quality == last.quality
        assert row.value == last.value or abs(row.value - last.value) <= deadband or math.isnan(row.value)
        assert math.isnan(row.value) == math.isnan(last.value)
        assert (row.value > limit) == (last.value > limit)
        assert (row.value > limit - 1.0) == (last.value > limit - 1.0)
        assert row.gateway_time_ns - last.gateway_time_ns < heartbeat_s * SECOND


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), max_size=40), st.integers(1, 40))
def test_however_a_burst_is_cut_the_same_samples_are_news(samples: list[tuple[int, float]], size: int) -> None:
    rows = [Sample(key, n * SECOND, n * SECOND, value, Quality.GOOD) for n, (key, value) in enumerate(samples)]
    policies = {key: within(1.0 + key, heartbeat_s=7) for key in range(3)}  # the fourth point always reports
    one_by_one, in_bursts = Reporter(policies), Reporter(policies)
    bursts = [SampleBatch.of(rows[start : start + size]) for start in range(0, len(rows), size)]
    assert [flag for burst in bursts for flag in in_bursts.news(burst).tolist()] == [
        one_by_one.news(SampleBatch.of([row])).tolist()[0] for row in rows
    ]


def test_without_a_heartbeat_of_its_own_a_point_keeps_well_within_every_timeout() -> None:
    lost = rule(BadQuality(type="bad_quality", timeout_s=10))
    assert policy_of(point(), ReportDefinition(absolute=1), [lost], []).heartbeat_ns == 5 * SECOND
    assert policy_of(point(), ReportDefinition(absolute=1), [], []).heartbeat_ns == DEFAULT_HEARTBEAT_S * SECOND
    with pytest.raises(ValueError, match="waits 10 s for data; write at most 5 s"):
        policy_of(point(), ReportDefinition(absolute=1, heartbeat_s=6), [lost], [])


def test_states_and_life_safety_take_no_deadband() -> None:
    with pytest.raises(ValueError, match="always reports"):
        policy_of(point(PointKind.BINARY), ReportDefinition(absolute=1), [], [])
    fire = too_high(60)
    with pytest.raises(ValueError, match="life safety"):
        policy_of(point(), ReportDefinition(absolute=1), [fire.model_copy(update={"life_safety": True})], [])


def test_a_profile_says_more_than_the_class_and_a_wrong_entry_is_told() -> None:
    report = ReportDefinition(percent=5)
    assert report_of(point(report=report), None) == report
    assert report_of(point(report=report), {"absolute": 0.5}) == ReportDefinition(absolute=0.5)
    assert report_of(point(), None) is None
    for wrong, told in (
        ({}, "either 'absolute' or 'percent'"),
        ({"absolute": 1, "percent": 1}, "either 'absolute' or 'percent'"),
        ({"absolute": 0}, "absolute: "),
        ({"absolut": 1}, "absolut: "),
        (5, "'report': "),
    ):
        with pytest.raises(ValueError, match=told):
            report_of(point(), wrong)
