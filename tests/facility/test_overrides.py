"""What an asset changes of its class's rules, and the rules it has of its own, for every kind of condition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.class_files import load_classes
from facility.conditions import (
    BadQuality,
    Baseline,
    Coincidence,
    Composite,
    Condition,
    CounterIncrease,
    Deviation,
    EventCount,
    ForbiddenState,
    Forecast,
    GoodPeriod,
    LimitDefinition,
    LimitSide,
    MovingLimit,
    MovingThreshold,
    NoData,
    RateOfChange,
    Schedule,
    State,
    StuckValue,
    Threshold,
    WindowStatistic,
)
from facility.definition import LocalText
from facility.equipment import RuleDefinition
from facility.errors import ConfigurationError
from facility.model import SiteDescription
from facility.overrides import asset_rule, difference, written_rule
from facility.priority import ConsequenceClass, Priority
from facility.site_export import site_text, yaml_text
from facility.site_file import parse_site
from facility.yaml_file import parse_yaml

CLASSES = load_classes()
PUMP = CLASSES["pump"]
KINDS = get_args(get_args(Condition)[0])

SITE = """\
site: {id: house, name: House, time_zone: Asia/Shanghai}
spaces: [{id: house, kind: building}]
connections: [{id: line, protocol: modbus, host: 10.0.0.7, port: 502}]
assets:
  - id: pump-1
    class: pump
    profile: pump-vfd-a
    address: {unit: 1}
    rules:
"""
TEXTS = """\
        title: {en: Title, zh: 题}
        cause: {en: Cause, zh: 因}
        consequence: {en: Consequence, zh: 果}
        corrective_action: {en: Action, zh: 措施}
        consequence_class: moderate
        time_to_respond_min: 30
"""


def read(rules: str) -> SiteDescription:
    return parse_site("site.yaml", SITE + rules, CLASSES, {})


def own(name: str, point: str, condition: str, more: str = "") -> str:
    """A whole rule of the asset's own."""
    return f"      {name}:\n        point: {point}\n        condition: {condition}\n{TEXTS}{more}"


def told(rules: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read(rules)
    return [f"{mistake.line}: {mistake.message}" for mistake in raised.value.mistakes]


def condition_of(rules: str, name: str) -> Any:  # noqa: ANN401  # each test knows the kind
    return read(rules).rules["pump-1"][name].condition


texts = st.text(st.characters(max_codepoint=0xD7FF, exclude_categories=["Cc", "Cf", "Cn", "Zl", "Zp"]), max_size=20)
"""What people type: control characters are no part of a rule's words."""
numbers = st.floats(-1e9, 1e9)
positive = st.floats(1e-6, 1e9)
zero_or_more = st.floats(0, 1e9)
names = st.sampled_from(["flow", "running", "speed", "yes", "1"])
some_names = st.lists(names, min_size=1, max_size=3)
delays = {"on_delay_s": zero_or_more, "off_delay_s": zero_or_more}
consequences = {
    "consequence_class": st.none() | st.sampled_from(ConsequenceClass),
    "time_to_respond_min": st.none() | positive,
}
limits = st.dictionaries(
    st.sampled_from(LimitSide), st.builds(LimitDefinition, value=numbers, **consequences), min_size=1
)
limited = {**delays, "limits": limits, "deadband": zero_or_more}
moving = st.builds(MovingLimit, point=names, offset=numbers, **consequences)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2024, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds it
good_periods = st.builds(
    lambda name, start: GoodPeriod(name=name, start=start, end=datetime(2025, 1, 1, tzinfo=UTC)), texts, moments
)
statistics = st.sampled_from(["mean", "min", "max"]).map(lambda each: {"statistic": each}) | st.floats(1, 99).map(
    lambda each: {"statistic": "percentile", "percentile": each}
)


def kind(model: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(model, type=st.just(get_args(model.model_fields["type"].annotation)[0]), **fields)


CONDITIONS: dict[Any, st.SearchStrategy[Any]] = {
    Threshold: kind(Threshold, **limited),
    State: kind(State, states=some_names, **delays),
    ForbiddenState: kind(ForbiddenState, allowed=some_names, **delays),
    NoData: kind(NoData, timeout_s=positive),
    BadQuality: kind(BadQuality, reasons=some_names, timeout_s=st.none() | positive, **delays),
    RateOfChange: kind(RateOfChange, window_s=positive, per=st.sampled_from(["s", "min", "h"]), **limited),
    Deviation: kind(Deviation, reference=names, **limited),
    MovingThreshold: kind(
        MovingThreshold,
        limits=st.dictionaries(st.sampled_from(LimitSide), moving, min_size=1),
        deadband=zero_or_more,
        **delays,
    ),
    StuckValue: kind(StuckValue, for_s=positive, tolerance=zero_or_more),
    EventCount: kind(EventCount, states=some_names, count=st.integers(1, 99), window_s=positive, **delays),
    Coincidence: kind(
        Coincidence,
        devices=names,
        device_point=names,
        states=some_names,
        count=st.integers(2, 9),
        within=st.sampled_from(["building", "floor", "zone", "room"]),
        **delays,
    ),
    Composite: kind(Composite, expression=texts, **delays),
    WindowStatistic: st.builds(
        lambda statistic, rest: WindowStatistic(type="window", **statistic, **rest),
        statistics,
        st.fixed_dictionaries({"window_s": positive, **limited}),
    ),
    CounterIncrease: kind(CounterIncrease, window_s=positive, modulus=st.none() | positive, **limited),
    Forecast: kind(
        Forecast,
        limit=numbers,
        direction=st.sampled_from(["rising", "falling"]),
        horizon_h=positive,
        window_h=positive,
        **delays,
    ),
    Baseline: kind(
        Baseline,
        points=st.lists(names, min_size=2, max_size=3),
        good_period=st.none() | good_periods,
        sample_s=positive,
        smoothing=st.floats(0.01, 1),
        limit_factor=positive,
        **delays,
    ),
}
said = st.builds(LocalText, en=texts, zh=texts)
schedules = st.builds(
    Schedule,
    days=st.lists(st.sampled_from(["mon", "sat"]), min_size=1),
    start=st.sampled_from(["00:00", "22:00"]),
    holidays=st.sampled_from(["included", "only"]),
)


def rules_with(condition: st.SearchStrategy[Any]) -> st.SearchStrategy[RuleDefinition]:
    return st.builds(
        RuleDefinition,
        name=st.just("hot"),
        point=st.sampled_from(["flow", "bearing_temperature"]),
        title=said,
        condition=condition,
        only_when=st.none() | st.just("running == 'running'"),
        schedule=st.none() | schedules,
        cause=said,
        consequence=said,
        corrective_action=said,
        consequence_class=st.sampled_from(ConsequenceClass),
        time_to_respond_min=positive,
        acknowledge=st.booleans(),
        latched=st.booleans(),
        order=st.none() | st.just("seal_repair"),
    )


def reread(entry: dict[str, Any]) -> Any:  # noqa: ANN401
    """What a file holds after an entry was written to it."""
    return parse_yaml("site.yaml", yaml_text(entry)).data


def test_every_kind_of_condition_is_tried() -> None:
    assert CONDITIONS.keys() == set(KINDS)


@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.__name__)
@settings(max_examples=25)  # of each kind
@given(data=st.data())
def test_a_change_of_any_kind_survives_being_written_and_read(model: type[Any], data: st.DataObject) -> None:
    of_class = data.draw(rules_with(CONDITIONS[model]))
    changed = data.draw(rules_with(CONDITIONS[model]))
    equipment = PUMP.model_copy(update={"rules": {"hot": of_class}})
    made, findings = asset_rule(equipment, "hot", reread(difference(of_class, changed)))
    assert findings == []
    assert made == changed
    assert difference(changed, changed) == {}


@given(rules_with(st.one_of(*CONDITIONS.values())), rules_with(st.one_of(*CONDITIONS.values())))
def test_a_rule_may_become_one_of_another_kind(of_class: RuleDefinition, changed: RuleDefinition) -> None:
    equipment = PUMP.model_copy(update={"rules": {"hot": of_class}})
    made, findings = asset_rule(equipment, "hot", reread(difference(of_class, changed)))
    assert findings == []
    assert made == changed


@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.__name__)
@settings(max_examples=25)  # of each kind
@given(data=st.data())
def test_a_rule_of_an_assets_own_survives_being_written_and_read(model: type[Any], data: st.DataObject) -> None:
    rule = data.draw(rules_with(CONDITIONS[model]))
    made, findings = asset_rule(PUMP, "hot", reread(written_rule(rule)))
    assert findings == []
    assert made == rule


OWN_RULES = (
    own("warming", "bearing_temperature", "{type: rate_of_change, window_s: 300, limits: {high: 5 K/min}}")
    + own("far_off", "speed", "{type: deviation, reference: speed_setpoint, limits: {high: 1 revolution/s}}")
    + own("much_off", "flow", "{type: window, statistic: mean, window_s: 600, limits: {low: 1 l/s}}")
    + own("worn", "vibration", "{type: forecast, limit: 0.01 m/s, direction: rising, horizon_h: 48, window_h: 24}")
    + own("often", "starts", "{type: counter, window_s: 3600, limits: {high: 6}}", "        order: service_500h\n")
    + own("frozen", "inlet_pressure", "{type: stuck, for_s: 600, tolerance: 100 Pa}", "        only_when: flow > 5\n")
    + own("not_remote", "remote_control", "{type: forbidden_state, allowed: [remote]}")
)


def test_an_asset_has_rules_of_its_own_with_numbers_in_any_unit() -> None:
    site = read(OWN_RULES)
    rules = site.rules["pump-1"]
    assert rules.keys() - PUMP.rules.keys() == {
        "warming", "far_off", "much_off", "worn", "often", "frozen", "not_remote",
    }  # fmt: skip
    assert condition_of(OWN_RULES, "warming").limits[LimitSide.HIGH].value == pytest.approx(5)
    assert condition_of(OWN_RULES, "far_off").limits[LimitSide.HIGH].value == pytest.approx(60)
    assert condition_of(OWN_RULES, "much_off").limits[LimitSide.LOW].value == pytest.approx(3.6)
    assert condition_of(OWN_RULES, "worn").limit == pytest.approx(10)
    assert condition_of(OWN_RULES, "frozen").tolerance == pytest.approx(0.001)
    assert rules["warming"].priority is Priority.MEDIUM
    assert parse_site("site.yaml", site_text(site), CLASSES, {}) == site


@pytest.mark.parametrize(
    ("written", "kelvin_per_min"),
    [("8 K/min", 8), ("8 degC/min", 8), ("9 degF/min", 5), ("480 K/h", 8), ("0.1 K/s", 6), ("3", 3), ("2.5", 2.5)],
)
def test_a_rate_is_brought_to_the_points_unit_per_minute(written: str, kelvin_per_min: float) -> None:
    rule = own(
        "warming", "bearing_temperature", f"{{type: rate_of_change, window_s: 300, limits: {{high: {written}}}}}"
    )
    assert condition_of(rule, "warming").limits[LimitSide.HIGH].value == pytest.approx(kelvin_per_min)


def test_a_difference_of_temperatures_has_no_zero() -> None:
    deviation = "{type: deviation, reference: winding_temperature, limits: {high: 18 degF, low: -5 K}, deadband: 1 K}"
    condition = condition_of(own("apart", "bearing_temperature", deviation), "apart")
    assert condition.limits[LimitSide.HIGH].value == pytest.approx(10)
    assert condition.limits[LimitSide.LOW].value == pytest.approx(-5)
    assert condition.deadband == pytest.approx(1)
    offset = "{type: moving_threshold, limits: {high: {point: winding_temperature, offset: 9 degF}}}"
    moved = condition_of(own("above", "bearing_temperature", offset), "above")
    assert moved.limits[LimitSide.HIGH].offset == pytest.approx(5)


def test_an_override_says_when_a_rule_is_watched_and_when_it_stops() -> None:
    site = read(
        "      dry_run:\n"
        "        {only_when: \"running == 'running'\", schedule: {start: '06:00', end: '22:00'},\n"
        "         title: {en: D, zh: 干}}\n"
        "      vibration_high: {limits: {high_high: {value: 1 cm/s, time_to_respond_min: 5}}}\n"
    )
    dry_run, vibration = (site.rules["pump-1"][name] for name in ("dry_run", "vibration_high"))
    assert dry_run.only_when == "running == 'running'"
    assert dry_run.schedule == Schedule(start="06:00", end="22:00")
    assert dry_run.title.en == "D"
    assert isinstance(vibration.condition, Threshold)
    high_high = vibration.condition.limits[LimitSide.HIGH_HIGH]
    assert (high_high.value, high_high.consequence_class, high_high.priority) == (10, "major", Priority.CRITICAL)
    assert parse_site("site.yaml", site_text(site), CLASSES, {}) == site


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            own("warming", "bearing_temperature", "{type: rate_of_change, window_s: 60, limits: {high: 8 K}}"),
            "12: K is no rate. Write one such as 8 degC/min.",
        ),
        (
            own("warming", "bearing_temperature", "{type: rate_of_change, window_s: 60, limits: {high: 8 bar/min}}"),
            "12: bar cannot become degC: they measure different things. Check the unit on both sides.",
        ),
        (
            own("apart", "speed", "{type: deviation, reference: speed_setpoint, limits: {high: much}}"),
            "12: 'much' is no number; write one, or one with its unit such as 80 rpm",
        ),
        (own("hot", "bearing", "{type: threshold, limits: {high: 80 degC}}"), "11: pump has no point 'bearing'"),
        (own("hot", "flow", "{type: tresholt, limits: {high: 80}}"), "12: 'tresholt' is no type of condition; did you"),
        (
            own("hot", "flow", "{type: threshold, limits: {high: 80}}", "        priority: 2\n"),
            "19: a priority is computed",
        ),
        (own("Hot!", "flow", "{type: threshold, limits: {high: 80}}"), "10: 'Hot!' is no name of a rule; use up to 64"),
        (
            own("hot", "flow", "{type: threshold, limits: {high: 80}}").replace(
                "        cause: {en: Cause, zh: 因}\n", ""
            ),
            "10: 'cause' is missing; write it as cause: …",
        ),
        (
            own("hot", "flow", "{type: threshold, limits: {high: 80}}").replace("en: Action", "en: ' '"),
            "16: corrective_action says nothing; write what an operator is to know at three in the morning",
        ),
        ("      dry_run: {enabled: maybe}\n", "10: 'maybe' does not fit: write true or false"),
        (
            "      dry_run: {point: speed}\n",
            "10: with another point the class's numbers mean something else; write the",
        ),
        ("      dry_run: {type: window}\n", "10: with another type the class's numbers mean something else; write the"),
        (
            "      dry_run: {deadband: 1, condition: {type: no_data, timeout_s: 5}}\n",
            "10: deadband stands beside 'condition'; write it inside",
        ),
        ("      dry_run: {limits: 3}\n", "10: 'limits' wants entries below it (name: value), not 3"),
        ("      dry_run: {limits: {lwo: null}}\n", "10: 'lwo' is not known here; did you mean 'low'?"),
        (
            "      dry_run: {consequence_class: grave}\n",
            "10: 'grave' is not known here; known are major, minor, moderate",
        ),
        (
            "      dry_rum: {enabled: false}\n",
            "10: pump has no rule 'dry_rum'; did you mean 'dry_run'?; a rule of its own",
        ),
    ],
)
def test_a_wrong_rule_is_told_with_its_line_and_remedy(rules: str, expected: str) -> None:
    assert told(rules)[0].startswith(expected)


def test_a_rule_for_life_safety_stays_one_and_its_point_is_never_commanded() -> None:
    lift = SITE.replace("pump-1", "lift-1").replace("class: pump", "class: lift").replace("pump-vfd-a", "lift-modbus")
    with pytest.raises(ConfigurationError, match="overspeed is for life safety everywhere; remove this line"):
        parse_site("site.yaml", lift + "      overspeed: {life_safety: false}\n", CLASSES, {})
    guarded = "      drive_fault: {life_safety: true}\n    commands: [drive_fault]\n"
    assert told(guarded) == [
        "11: drive_fault is watched for life safety and is read only; remove drive_fault from 'commands'"
    ]
