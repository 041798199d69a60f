"""The engine on a real database: committed before acknowledged, nothing lost, nothing twice."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select

from alarms.tables import alarm_episode
from app import engine as engine_module
from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from facility.clock import NS_PER_S, VirtualClock
from facility.conditions import BadQuality
from facility.errors import HistoryUnavailableError
from facility.history.duckdb_history import DuckDbHistory
from facility.history.export import Export
from facility.history.history import Buckets, History
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database, reading
from gateway.events import Delivery
from gateway.inbox import Inbox, urgent_points
from rules.engine import RuleEngine
from rules.repository import load_states
from tests.app.processes import wait_until
from tests.facilities import DETECTOR, DOOR, PUMP, SMOKE, small_facility
from workorders.tables import work_order, work_order_alarm

START_NS = 1_800_000_000 * NS_PER_S
DELAY_S = 30.0


@dataclass(kw_only=True)
class Plant:
    """A small facility whose engine the test steps by hand or lets run."""

    facility: Facility
    database: Engine
    history: History
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_NS))
    inbox: Inbox = field(default_factory=Inbox)
    commits: list[Commit] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Put a new engine together from what the database holds, as a start of the process does."""
        with reading(self.database) as connection:
            rules = RuleEngine(self.facility, saved=load_states(connection), now_ns=self.clock.now_ns())
        self.keeper = HistoryThread(self.history)
        self.engine = EngineThread(
            database=self.database,
            facility=self.facility,
            rules=rules,
            inbox=self.inbox,
            history=self.keeper,
            latest=LatestValues(max(self.facility.points)),
            clock=self.clock,
            on_commit=self.commits.append,
        )

    def delivery(self, name: str, **values: float) -> Delivery:
        """Return a delivery that wants an acknowledgement; values by asset, of its first point."""
        now_ns = self.clock.now_ns()
        points = {"pump": f"{PUMP}/bearing_temperature", "smoke": f"{DETECTOR}/alarm", "door": f"{DOOR}/held_open"}
        keys = {point.address: point.key for point in self.facility.points.values()}
        rows = [Sample(keys[points[asset]], now_ns, now_ns, value, Quality.GOOD) for asset, value in values.items()]
        return Delivery(
            connection_id="wire", batch=SampleBatch.of(rows), acknowledge=lambda: self.acknowledged.append(name)
        )

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        with reading(self.database) as connection:
            return connection.scalars(select(func.count()).select_from(metadata.tables[table])).one()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    event.listen(database, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout=20"))
    metadata.create_all(database)
    history = DuckDbHistory(tmp_path / "history.duckdb")
    yield Plant(facility=small_facility(), database=database, history=history)
    history.close()
    database.dispose()


def test_a_message_is_acknowledged_only_when_its_alarm_and_its_samples_are_committed(plant: Plant) -> None:
    plant.engine.step([plant.delivery("fire", smoke=1.0)])
    assert plant.count("alarm_episode") == 1
    assert plant.acknowledged == []  # its samples are not kept yet
    plant.keeper.step()
    assert plant.acknowledged == ["fire"]
    point = next(p.key for p in plant.facility.points.values() if p.asset_id == DETECTOR)
    assert len(plant.history.read(point, START_NS, START_NS + NS_PER_S, 10)) == 1


def test_the_alarms_of_a_burst_and_their_orders_are_one_transaction(plant: Plant) -> None:
    begun: list[object] = []
    event.listen(plant.database, "begin", begun.append)
    plant.engine.step([plant.delivery("pump", pump=90.0), plant.delivery("fire", smoke=1.0)])
    assert len(begun) == 1
    (commit,) = plant.commits
    life_safety = [alarm for alarm in commit.alarms if plant.facility.rules[alarm.rule_id].definition.life_safety]
    assert [alarm.asset_id for alarm in life_safety] == [DETECTOR]
    assert {order.asset_id for order in commit.orders} == {PUMP, DETECTOR}
    linked = (
        select(work_order.c.kind).join(work_order_alarm).where(work_order_alarm.c.alarm_id == life_safety[0].alarm_id)
    )
    with reading(plant.database) as connection:
        assert connection.scalars(linked).all() == ["emergency"]


def test_a_transaction_that_fails_half_way_leaves_neither_alarm_nor_order(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr(engine_module, "save_states", fail)
    with pytest.raises(RuntimeError, match="out of paper"):
        plant.engine.step([plant.delivery("fire", smoke=1.0)])
    plant.keeper.step()
    assert (plant.count("alarm_episode"), plant.count("work_order"), plant.count("outbox")) == (0, 0, 0)
    assert plant.acknowledged == []


def test_the_same_message_twice_opens_nothing_twice(plant: Plant) -> None:
    fire = plant.delivery("fire", smoke=1.0)
    plant.engine.step([fire, fire])
    plant.engine.step([fire])
    plant.restart()
    plant.engine.step([fire])
    assert (plant.count("alarm_episode"), plant.count("work_order")) == (1, 1)


def running(plant: Plant) -> Callable[[], None]:
    """Let the engine run; gives what stops it."""
    plant.engine.start()
    return plant.engine.stop


def test_a_locked_database_delays_a_fire_and_loses_nothing(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "DATABASE_RETRY_S", 0.02)
    tried = threading.Event()
    refused: list[object] = []

    def note(context: object) -> None:
        refused.append(context)
        tried.set()

    event.listen(plant.database, "handle_error", note)
    stop = running(plant)
    try:
        with plant.database.begin():
            plant.inbox.put(plant.delivery("fire", smoke=1.0))
            assert tried.wait(10), "the engine never met the lock"
            plant.inbox.put(plant.delivery("door", door=1.0))
            assert plant.acknowledged == []
            assert plant.engine.alive
        wait_until(lambda: len(plant.acknowledged) == 2, within_s=10, why=lambda: str(plant.engine.failure))
    finally:
        stop()
    assert plant.count("alarm_episode") == 2
    assert plant.acknowledged == ["fire", "door"]
    assert plant.engine.failure is None


def test_an_error_of_ours_ends_the_engine_and_acknowledges_nothing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("out of paper")

    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(engine_module, "respond_to_alarms", fail)
    stop = running(plant)
    try:
        plant.inbox.put(plant.delivery("fire", smoke=1.0))
        wait_until(lambda: not plant.engine.alive, within_s=10, why=lambda: "the engine goes on")
    finally:
        stop()
    assert plant.engine.failure is error
    assert plant.acknowledged == []
    assert plant.count("alarm_episode") == 0


def test_a_stop_takes_what_waits_and_keeps_it(plant: Plant) -> None:
    plant.inbox.put(plant.delivery("fire", smoke=1.0))
    running(plant)()
    assert plant.acknowledged == ["fire"]
    assert plant.count("alarm_episode") == 1


def test_a_fire_is_committed_alone_while_a_backlog_of_readings_waits(plant: Plant) -> None:
    plant.inbox = Inbox(urgent=urgent_points(plant.facility), step_samples=10)
    plant.restart()
    for reading_number in range(100):
        plant.clock.advance(1)
        plant.inbox.put(plant.delivery(f"reading {reading_number}", pump=90.0 if reading_number % 2 else 20.0))
    plant.inbox.put(plant.delivery("fire", smoke=1.0))
    stop = running(plant)
    try:
        wait_until(lambda: len(plant.acknowledged) == 101, within_s=20, why=lambda: str(plant.engine.failure))
    finally:
        stop()
    assert [alarm.asset_id for alarm in plant.commits[0].alarms] == [DETECTOR]
    assert len(plant.commits) > 1


def test_time_alone_decides_nothing_that_a_waiting_sample_may_decide(plant: Plant) -> None:
    lost = BadQuality(type="bad_quality", on_delay_s=DELAY_S)
    smoke = plant.facility.rules[SMOKE]
    definition = smoke.definition.model_copy(update={"condition": lost})
    rules = {SMOKE: dataclasses.replace(smoke, definition=definition)}
    plant.facility = dataclasses.replace(plant.facility, rules=rules)
    plant.restart()
    batch = plant.delivery("lost", smoke=math.nan).batch
    batch = dataclasses.replace(batch, quality=np.full(1, Quality.BAD_COMMUNICATION, np.uint8))
    plant.engine.step([Delivery(connection_id="wire", batch=batch)])
    plant.clock.advance(DELAY_S - 1)
    back = plant.delivery("back", smoke=0.0)
    plant.clock.advance(60)
    plant.engine.step([], waiting_since_ns=int(back.batch.gateway_time_ns[0]))
    plant.engine.step([back])
    plant.clock.advance(60)
    plant.engine.step([])
    assert plant.count("alarm_episode") == 0


def test_a_reading_that_was_on_its_way_while_time_went_on_is_kept_as_it_was_heard(plant: Plant) -> None:
    slow, also_slow = plant.delivery("slow", pump=90.0), plant.delivery("also slow", pump=91.0)
    plant.clock.advance(5)
    plant.engine.step([])
    plant.engine.step([slow, also_slow])
    plant.keeper.step()
    point = next(p.key for p in plant.facility.points.values() if p.asset_id == PUMP)
    kept = plant.history.read(point, START_NS, START_NS + NS_PER_S, 10)
    assert kept.gateway_time_ns.tolist() == [START_NS + 5 * NS_PER_S + 1, START_NS + 5 * NS_PER_S + 2]
    assert plant.acknowledged == ["slow", "also slow"]


def test_plain_telemetry_is_heard_before_what_was_acknowledged_later(plant: Plant) -> None:
    plain = dataclasses.replace(plant.delivery("plain", pump=70.0), acknowledge=None)
    plant.clock.advance(1)
    plant.inbox.put(plain)
    plant.inbox.put(plant.delivery("acknowledged", pump=90.0))
    plant.engine.step(plant.inbox.take_all(0.0))
    (commit,) = plant.commits
    assert [each.value for each in commit.evaluation.transitions] == [90.0]
    behind = dataclasses.replace(plant.delivery("behind", pump=91.0), acknowledge=None)
    plant.clock.advance(1)
    plant.engine.step([plant.delivery("before it", pump=92.0)], waiting_since_ns=int(behind.batch.gateway_time_ns[0]))
    plant.engine.step([behind])
    plant.keeper.step()
    point = next(p.key for p in plant.facility.points.values() if p.asset_id == PUMP)
    kept = plant.history.read(point, START_NS, START_NS + 9 * NS_PER_S, 10)
    in_order = kept.value[np.argsort(kept.gateway_time_ns, kind="stable")]
    assert in_order.tolist() == [70.0, 90.0, 92.0, 91.0]  # as the rules heard them


def test_a_restart_continues_a_running_delay_instead_of_beginning_anew(tmp_path: Path) -> None:
    facility = small_facility()
    smoke = facility.rules[SMOKE]
    definition = smoke.definition.model_copy(
        update={"condition": smoke.definition.condition.model_copy(update={"on_delay_s": DELAY_S})}
    )
    rules = {**facility.rules, SMOKE: dataclasses.replace(smoke, definition=definition)}
    database = open_database(f"sqlite:///{tmp_path / 'delay.db'}")
    metadata.create_all(database)
    history = DuckDbHistory(tmp_path / "history.duckdb")
    plant = Plant(facility=dataclasses.replace(facility, rules=rules), database=database, history=history)
    plant.engine.step([plant.delivery("fire", smoke=1.0)])
    plant.clock.advance(DELAY_S - 1)
    plant.restart()
    plant.engine.step([])
    assert plant.count("alarm_episode") == 0
    plant.clock.advance(1)
    plant.engine.step([])
    with reading(database) as connection:
        row = connection.execute(select(alarm_episode.c.since_ns, alarm_episode.c.raised_at_ns)).one()
    assert tuple(row) == (START_NS, START_NS + round(DELAY_S * NS_PER_S))
    history.close()
    database.dispose()


class LostHistory:
    """A history that takes nothing until it is found."""

    def __init__(self) -> None:
        self.lost = True
        self.held = 0
        self.kept = 0

    def append(self, batch: SampleBatch) -> None:
        self.held += len(batch)

    def commit(self) -> None:
        if self.lost:
            raise HistoryUnavailableError("http://history", "no answer")
        self.kept += self.held
        self.held = 0

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        raise HistoryUnavailableError("http://history", f"no answer about {point} {start_ns} {end_ns} {limit}")

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        raise HistoryUnavailableError("http://history", f"no answer about {points} {start_ns} {end_ns}")

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        raise HistoryUnavailableError("http://history", f"no answer about {points} {start_ns} {end_ns} for {folder}")

    def export(self, export: Export, file: Path) -> None:
        raise HistoryUnavailableError("http://history", f"no answer about {export} for {file}")

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        raise HistoryUnavailableError("http://history", f"no answer about {point} {start_ns} {end_ns} {count}")

    def latest(self, since_ns: int) -> SampleBatch:
        raise HistoryUnavailableError("http://history", f"no answer about {since_ns}")

    def tidy(self, now_ns: int) -> None:
        raise HistoryUnavailableError("http://history", f"no answer at {now_ns}")

    def close(self) -> None:
        self.commit()


def test_a_history_that_is_away_holds_up_no_alarm_and_keeps_everything_once_it_is_back(plant: Plant) -> None:
    plant.history = history = LostHistory()
    plant.restart()
    plant.engine.step([plant.delivery("fire", smoke=1.0)])
    plant.keeper.step()
    plant.engine.step([plant.delivery("door", door=1.0)])
    assert plant.acknowledged == ["fire", "door"]
    assert plant.count("alarm_episode") == 2
    plant.keeper.step()
    assert (history.held, history.kept) == (1, 0)  # the second waits outside, where it can be bounded
    history.lost = False
    plant.keeper.step()
    assert (history.held, history.kept) == (0, 2)
    plant.engine.step([plant.delivery("door", door=0.0)])
    assert plant.acknowledged == ["fire", "door"]  # from now on the history's commit comes first again
    plant.keeper.step()
    assert plant.acknowledged == ["fire", "door", "door"]


def test_a_history_that_stays_away_costs_bounded_memory(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.history_thread.MAX_WAITING", 3)
    plant.history = LostHistory()
    plant.restart()
    for _ in range(10):
        plant.engine.step([plant.delivery("door", door=0.0)])
        plant.keeper.step()
    assert plant.keeper.dropped == 6  # of ten, one lies in the history's own hands and three wait


@given(st.lists(st.tuples(st.sampled_from(["put", "step", "lose", "find"]), st.integers(1, 4)), max_size=60))
def test_whatever_the_history_does_memory_is_bounded_and_every_sample_is_kept_or_counted(
    deeds: list[tuple[str, int]],
) -> None:
    bound, put = 10, 0
    acknowledged: list[int] = []
    history = LostHistory()
    history.lost = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.history_thread.MAX_WAITING", bound)
        keeper = HistoryThread(history)
        deliveries = 0
        for deed, size in deeds:
            if deed == "put":
                rows = [Sample(1, put + n, put + n, 0.0, Quality.GOOD) for n in range(size)]
                done = partial(acknowledged.append, deliveries)
                keeper.put([Delivery(connection_id="wire", batch=SampleBatch.of(rows), acknowledge=done)])
                put, deliveries = put + size, deliveries + 1
            elif deed == "step":
                keeper.step()
            else:
                history.lost = deed == "lose"
            assert keeper.waiting <= bound
            assert keeper.waiting + keeper.dropped + history.held + history.kept == put
            assert history.held <= bound
        history.lost = False
        keeper.step()
        keeper.step()
    assert history.kept + keeper.dropped == put
    assert sorted(acknowledged) == list(range(deliveries))
