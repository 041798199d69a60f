from __future__ import annotations

from collections.abc import Sequence

import pytest

from facility.conditions import RateOfChange
from rules.signals.deviation import DeviationSignal
from rules.signals.rate import RateSignal
from rules.signals.signal import Judgement
from tests.rules.test_joined_conditions import OFF_TARGET, condition, engine_with, step
from tests.rules.works import FLOW, PRESSURE, SETPOINT

RISING = condition("rate_of_change", window_s=10, limits={"high": {"value": 30}})
DOUBTED = condition("composite", expression="off and flow > 1 or missing(flow)")


def breaks(*_: object) -> None:
    raise ZeroDivisionError("by nothing")


def test_a_quantity_that_raises_is_switched_off_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(RISING, RateOfChange)
    engine = engine_with({"rising": (FLOW, RISING), "off": (PRESSURE, OFF_TARGET)})
    monkeypatch.setattr(RateSignal, "take", breaks)
    changes = step(engine, (1, FLOW, 5.0), (1, PRESSURE, 9.0), (1, SETPOINT, 100.0), until_s=2)
    assert [change.rule_id for change in changes.transitions] == [2]
    assert engine.isolated == {1: "ZeroDivisionError: by nothing"}
    monkeypatch.undo()
    assert step(engine, (3, FLOW, 500.0), until_s=60).transitions == ()


def test_a_rule_that_raises_keeps_its_alarm_and_is_missing_to_its_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_with({"off": (PRESSURE, OFF_TARGET), "doubted": (PRESSURE, DOUBTED)})
    changes = step(engine, (1, FLOW, 5.0), (1, PRESSURE, 9.0), (1, SETPOINT, 100.0), until_s=2)
    assert [change.rule_id for change in changes.transitions] == [1, 2]

    def judge(_self: DeviationSignal, _values: Sequence[float]) -> Judgement | None:
        raise ValueError("no such thing")

    monkeypatch.setattr(DeviationSignal, "judge", judge)
    assert step(engine, (3, PRESSURE, 1.0), until_s=4).transitions == ()
    assert list(engine.isolated) == [1]
    assert [change.rule_id for change in step(engine, (5, FLOW, 0.0), until_s=6).transitions] == [2]
