"""Samples that come while a changed rule becomes live: decided as if the change had taken no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError

from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from app.live_site import LiveSite
from app.rule_change import Finish, RunningRules
from app.rules_begin import begin_rules
from dashboards.hub import LiveHub
from dashboards.services import Services
from facility.clock import NS_PER_MS, NS_PER_S, VirtualClock
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database
from gateway.events import Delivery
from gateway.inbox import Inbox
from gateway.profiles import DeviceProfile
from rules.events import RuleTransition
from tests.rules.changes.house import House

START_NS = 1_800_000_000 * NS_PER_S
CHANGED = "pump-1/vibration_high"


@dataclass
class Running:
    """The house with all that takes samples, and whose rules can be changed."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_NS))
    inbox: Inbox = field(default_factory=Inbox)
    said: list[RuleTransition] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What happens while a change is carried out: the gateway is asked before it is committed."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        database = open_database(f"sqlite:///{self.folder / 'site.db'}")
        metadata.create_all(database)
        self.house = House(database)
        facility, history = self.house.facility, DuckDbHistory(self.folder / "history")
        latest = LatestValues(max(facility.points))
        with database.begin() as connection:
            rules = begin_rules(connection, facility, history, now_ns=START_NS)
        self.engine = EngineThread(
            database=database,
            facility=facility,
            rules=rules,
            inbox=self.inbox,
            history=HistoryThread(history),
            latest=latest,
            clock=self.clock,
            on_commit=self._note,
        )
        services = Services(
            database=database,
            facility=facility,
            clock=self.clock,
            latest=latest,
            history=history,
            hub=LiveHub(database, facility, latest, self.clock),
            connections={},
            started_at_ns=START_NS,
            session_valid_for_s=3600.0,
        )
        live = LiveSite(
            database=database, engine=self.engine, inbox=self.inbox, services=services, clock=self.clock, profiles={}
        )
        self.rules = RunningRules(live, self._tell)
        self.history = history

    def close(self) -> None:
        self.history.close()
        self.house.database.dispose()

    def come(self, **values: float) -> None:
        """Let samples of both pumps come, by the name of their point."""
        self.clock.advance(0.001)
        now_ns = self.clock.now_ns()
        rows = [
            Sample(key, now_ns - NS_PER_MS, now_ns, values[point.name], Quality.GOOD)
            for key, point in self.house.facility.points.items()
            if point.name in values
        ]
        self.inbox.put(Delivery(connection_id="line", batch=SampleBatch.of(rows)))

    def step(self, seconds: float = 0.0) -> None:
        """Let time pass, and decide what came and what is over."""
        self.clock.advance(seconds)
        self.engine.step(self.inbox.take_all(0.0))

    def change(self, limit: float) -> None:
        """Give the rule another limit, as two people do."""
        wanted = self.house.wanted(CHANGED, limit)
        made = self.house.propose("ada", wanted)
        self.rules.approve(made.id, version=made.version, comment="yes", actor=self.house.people["bo"])

    def _tell(self, _connection: Connection, _facility: Facility, _profiles: Mapping[str, DeviceProfile]) -> Finish:
        self.meanwhile()
        return lambda: None

    def _note(self, commit: Commit) -> None:
        self.said += commit.evaluation.transitions


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    """Put houses together by name."""
    begun: list[Running] = []

    def begin(name: str) -> Running:
        begun.append(Running(tmp_path / name))
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def words(running: Running) -> list[str]:
    """Return all that was said, in a form in which a value that is none equals itself."""
    return list(map(repr, running.said))


@pytest.mark.parametrize("limit", [2.0, 6.5], ids=["stricter", "laxer"])
def test_samples_that_come_meanwhile_are_decided_as_if_the_change_had_taken_no_time(
    limit: float, begin: Callable[[str], Running]
) -> None:
    def lived(name: str, *, meanwhile: bool) -> Running:
        running = begin(name)

        def arrive() -> None:
            for vibration in (3.0, 6.0, 3.0, 6.0):
                running.come(vibration=vibration, winding_temperature=200.0, flow=1.0)

        running.come(vibration=6.0, winding_temperature=200.0, flow=9.0)
        running.step(1.0)
        if meanwhile:
            running.meanwhile = arrive
            running.change(limit)
        else:
            running.change(limit)
            arrive()
        for _ in range(120):
            running.step(5.0)
        running.come(vibration=1.0, winding_temperature=20.0, flow=9.0)
        for _ in range(120):
            running.step(5.0)
        return running

    first = lived("meanwhile", meanwhile=True)
    assert {change.kind for change in first.said} >= {"raised", "cleared"}
    assert words(first) == words(lived("afterwards", meanwhile=False))


def test_a_change_that_cannot_be_committed_disturbs_nothing(begin: Callable[[str], Running]) -> None:
    """Although the rules that were to follow had been made of those that run."""

    def fail(_connection: Connection) -> None:
        raise SQLAlchemyError("the disk is full")

    calm, disturbed = begin("calm"), begin("disturbed")
    for running in (calm, disturbed):
        running.come(vibration=6.0, winding_temperature=200.0)
        running.step(1.0)
    disturbed.meanwhile = partial(event.listen, disturbed.house.database, "commit", fail)
    with pytest.raises(SQLAlchemyError):
        disturbed.change(2.0)
    event.remove(disturbed.house.database, "commit", fail)
    for running in (calm, disturbed):
        for _ in range(120):
            running.step(5.0)
    assert "raised" in {change.kind for change in calm.said}
    assert words(disturbed) == words(calm)
