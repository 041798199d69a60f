"""Computed conditions in the engine: their alarms say what made them so, and one that fails harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alarms.repository import open_alarms
from app.engine import EngineThread
from app.history_thread import HistoryThread
from dashboards.views import alarm_view
from facility.clock import NS_PER_S, VirtualClock
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database, reading
from gateway.events import Delivery
from gateway.inbox import Inbox
from rules.engine import RuleEngine
from rules.signals.rate import RateSignal
from tests.rules.test_joined_conditions import OFF_TARGET, condition
from tests.rules.works import FLOW, PRESSURE, SETPOINT, works

RISING = condition("rate_of_change", window_s=10, limits={"high": {"value": 30}})


class Works:
    """The works with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.facility: Facility = works({"rising": (FLOW, RISING), "off": (PRESSURE, OFF_TARGET)})
        self.database = open_database(f"sqlite:///{folder / 'engine.db'}")
        metadata.create_all(self.database)
        self.history = DuckDbHistory(folder / "history")
        self.clock = VirtualClock(NS_PER_S)
        self.rules = RuleEngine(self.facility, now_ns=0)
        self.engine = EngineThread(
            database=self.database,
            facility=self.facility,
            rules=self.rules,
            inbox=Inbox(),
            history=HistoryThread(self.history),
            latest=LatestValues(max(self.facility.points)),
            clock=self.clock,
            on_commit=lambda _commit: None,
        )

    def hear(self, **values: float) -> None:
        """Take a reading of the pump, and let a second pass."""
        keys = {"flow": FLOW, "pressure": PRESSURE, "setpoint": SETPOINT}
        now_ns = self.clock.now_ns()
        rows = [Sample(keys[name], now_ns, now_ns, value, Quality.GOOD) for name, value in values.items()]
        self.clock.advance(1)
        self.engine.step([Delivery(connection_id="wire", batch=SampleBatch.of(rows))])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path)
    yield made
    made.history.close()
    made.database.dispose()


def test_an_alarm_shows_the_quantity_its_unit_and_what_made_it_so(running: Works) -> None:
    running.hear(pressure=6.0, setpoint=450.0)
    with reading(running.database) as connection:
        (alarm,) = open_alarms(connection)
    view = alarm_view(running.facility, alarm, None)
    assert (view.reason, view.value, view.limit, view.unit) == ("deviation", 1.5, 1.0, "bar")
    assert view.explanation == "pressure 6 bar, setpoint 4.5 bar"


def test_a_rule_that_fails_is_told_once_and_all_others_go_on(running: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(RateSignal, "take", fails)
    with capture_logs() as logs:
        running.hear(flow=1.0, pressure=6.0, setpoint=450.0)
        running.hear(flow=2.0)
    told = [(line["rule"], line["asset"], line["error"]) for line in logs if line["log_level"] == "error"]
    assert told == [("rising", "pump-1", "ZeroDivisionError: by nothing")]
    assert running.engine.rules.isolated == {1: "ZeroDivisionError: by nothing"}
    with reading(running.database) as connection:
        assert [alarm.rule_id for alarm in open_alarms(connection)] == [2]
