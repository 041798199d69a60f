"""What a wrong condition is told, with the line that it stands on."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.class_files import load_classes
from facility.errors import ConfigurationError

CLASS = """\
title: {{en: Pump, zh: 泵}}
system: pump
points:
  flow: {{kind: analog, name: {{en: F, zh: F}}, unit: m**3/h, range: [0, 100]}}
  level: {{kind: analog, name: {{en: L, zh: L}}, unit: m, range: [0, 10]}}
  pressure: {{kind: analog, name: {{en: P, zh: P}}, unit: bar, range: [0, 10]}}
  setpoint: {{kind: analog, name: {{en: S, zh: S}}, unit: kPa}}
  hours: {{kind: counter, name: {{en: H, zh: H}}, unit: h}}
  running:
    kind: binary
    name: {{en: R, zh: R}}
    states: {{no: 0, yes: 1}}
    state_names: {{no: {{en: n, zh: n}}, yes: {{en: y, zh: y}}}}
rules:
  first:
    point: {point}
    condition: {condition}
    {extra}
    title: {{en: T, zh: T}}
    cause: {{en: T, zh: T}}
    consequence: {{en: T, zh: T}}
    corrective_action: {{en: T, zh: T}}
    consequence_class: minor
    time_to_respond_min: 10
  second:
    point: flow
    condition: {{type: composite, expression: first or flow > 3}}
    title: {{en: T, zh: T}}
    cause: {{en: T, zh: T}}
    consequence: {{en: T, zh: T}}
    corrective_action: {{en: T, zh: T}}
    consequence_class: minor
    time_to_respond_min: 10
orders:
  repair:
    kind: corrective
    title: {{en: T, zh: T}}
    priority: 3
    checklist: [{{text: {{en: T, zh: T}}}}]
"""
CONDITION_LINE, EXTRA_LINE = 17, 18


def told(folder: Path, point: str, condition: str, extra: str = "acknowledge: true") -> list[str]:
    (folder / "pump.yaml").write_text(
        CLASS.format(point=point, condition="{" + condition + "}", extra=extra), encoding="utf-8"
    )
    try:
        load_classes(folder)
    except ConfigurationError as error:
        return [f"{mistake.line}: {mistake.message}" for mistake in error.mistakes]
    return []


@pytest.mark.parametrize(
    ("point", "condition"),
    [
        ("flow", "type: rate_of_change, window_s: 60, limits: {high: {value: 8}}"),
        ("pressure", "type: deviation, reference: setpoint, limits: {high: {value: 1}}"),
        ("pressure", "type: moving_threshold, limits: {low: {point: setpoint, offset: -1}, high: {point: setpoint}}"),
        ("flow", "type: stuck, for_s: 600"),
        ("running", "type: event_count, states: [yes], count: 6, window_s: 3600"),
        ("running", "type: forbidden_state, allowed: [yes]"),
        ("flow", "type: window, statistic: percentile, percentile: 95, window_s: 60, limits: {high: {value: 8}}"),
        ("hours", "type: counter, window_s: 86400, limits: {high: {value: 20}}"),
        ("flow", "type: forecast, limit: 90, direction: rising, horizon_h: 24, window_h: 12"),
        ("flow", "type: baseline, points: [flow, pressure]"),
        ("flow", "type: composite, expression: \"flow < '5 l/s' and running == 'yes' or missing(level)\""),
    ],
)
def test_what_fits_is_taken(tmp_path: Path, point: str, condition: str) -> None:
    assert told(tmp_path, point, condition) == []


@pytest.mark.parametrize(
    ("point", "condition", "said"),
    [
        (
            "flow",
            "type: threshold, limits: {low: {value: 8}, high: {value: 4}}",
            "high 4 m³/h must lie above low 8 m³/h",
        ),
        ("flow", "type: threshold, limits: {high: {value: .inf}}", "should be a finite number"),
        ("flow", "type: window, statistic: mean, window_s: 9, limits: {high: {value: 101}}", "it can never be passed"),
        ("flow", "type: window, statistic: mean, percentile: 9, window_s: 9, limits: {high: {value: 1}}", "percentile"),
        ("pressure", "type: deviation, reference: level, limits: {high: {value: 1}}", "level does not fit pressure"),
        ("pressure", "type: deviation, reference: pressure, limits: {high: {value: 1}}", "against itself"),
        ("pressure", "type: deviation, reference: presure, limits: {high: {value: 1}}", "did you mean 'pressure'"),
        ("pressure", "type: deviation, reference: running, limits: {high: {value: 1}}", "measures nothing"),
        ("pressure", "type: moving_threshold, limits: {high: {point: flow}}", "flow does not fit pressure"),
        (
            "pressure",
            "type: moving_threshold, limits: {low: {point: setpoint, offset: 2}, high: {point: setpoint, offset: 1}}",
            "high must lie above low",
        ),
        ("running", "type: stuck, for_s: 60", "running is binary and has no limits"),
        ("flow", "type: counter, window_s: 60, limits: {high: {value: 1}}", "flow is analog and does not count"),
        ("hours", "type: counter, window_s: 60, limits: {low: {value: -1}}", "it can never be passed"),
        ("flow", "type: event_count, states: [yes], count: 2, window_s: 60", "has no states to enter"),
        ("running", "type: event_count, states: [yse], count: 2, window_s: 60", "did you mean 'yes'"),
        ("running", "type: forbidden_state, allowed: [no, yes]", "every state of running is allowed"),
        ("flow", "type: forecast, limit: 101, direction: rising, horizon_h: 1, window_h: 1", "never be reached"),
        ("flow", "type: baseline, points: [level, pressure]", "own point flow is not among them"),
        ("flow", "type: baseline, points: [flow, running]", "running is binary and measures nothing"),
        ("flow", "type: baseline, points: [flow, flow]", "stands here twice"),
        ("flow", "type: coincidence, devices: detector, device_point: s, states: [a], count: 2", "no class 'detector'"),
        ("flow", "type: coincidence, devices: pump, device_point: s, states: [a], count: 2", "has no point 's'"),
        ("flow", "type: coincidence, devices: pump, device_point: running, states: [a], count: 2", "has no state 'a'"),
        ("flow", "type: composite, expression: flow > level", "they measure different things"),
        ("flow", "type: composite, expression: flow > presure", "did you mean 'pressure'"),
        ("flow", "type: composite, expression: flow.__class__ == 1", "rule first: at column 1"),
        ("flow", "type: composite, expression: \"__import__('os').system('x')\"", "rule first"),
        ("flow", 'type: composite, expression: "[flow for x in range(9)] == 1"', "rule first"),
        ("flow", "type: composite, expression: flow > 9**9**9", "only + - * / calculate here"),
        ("flow", "type: composite, expression: '(lambda: 1)() == 1'", "rule first"),
    ],
)
def test_what_does_not_fit_is_refused_on_its_line(tmp_path: Path, point: str, condition: str, said: str) -> None:
    (mistake, *more) = told(tmp_path, point, condition)
    assert mistake.startswith(f"{CONDITION_LINE}: ")
    assert said in mistake
    assert more == []


def test_rules_that_read_each_other_are_both_told(tmp_path: Path) -> None:
    mistakes = told(tmp_path, "flow", "type: composite, expression: second and flow > 1")
    assert mistakes == [
        "17: first reads second reads first, which is a circle; take one of these names out of its expression",
        "27: second reads first reads second, which is a circle; take one of these names out of its expression",
    ]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("only_when: running == 'on'", "there is no state 'on'"),
        ("only_when: second", "there is no point 'second' here"),
        ("only_when: flow.imag > 1", "rule first: at column 1"),
        ("schedule: {start: '08:00', end: '08:00'}", "it begins and ends at 08:00"),
        ("schedule: {start: '25:00'}", "does not fit"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_on_its_line(tmp_path: Path, extra: str, said: str) -> None:
    (mistake,) = told(tmp_path, "flow", "type: stuck, for_s: 60", extra)
    assert mistake.startswith(f"{EXTRA_LINE}: ")
    if "25:00" not in extra:  # the grammar's own words
        assert said in mistake


def test_what_is_only_going_to_happen_opens_preventive_orders_alone(tmp_path: Path) -> None:
    forecast = "type: forecast, limit: 90, direction: rising, horizon_h: 24, window_h: 12"
    assert told(tmp_path, "flow", forecast, "order: repair") == [
        "18: repair is corrective, and nothing is broken yet; name a template of kind preventive"
    ]
    assert told(tmp_path, "flow", "type: stuck, for_s: 60", "order: repair") == []
