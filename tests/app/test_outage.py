"""The bus is away for ten minutes of load and the gateway killed in the middle, then the engine: nothing is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, func, select

from alarms.tables import alarm_episode
from app.engine import EngineThread
from app.history_thread import HistoryThread
from facility.clock import NS_PER_S, VirtualClock
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import SampleBatch
from facility.storage.database import metadata, open_database, reading
from gateway.bus.receiver import Receiver
from gateway.inbox import Inbox
from rules.engine import RuleEngine
from rules.repository import load_states
from tests.app.processes import inherited
from tests.facilities import SEAL_LEAK, small_facility
from tests.gateway.bus_ends import BEARING, START_NS, address, topics_of, until
from tests.gateway.virtual_gateway import LEAK_EVERY_S, LEAK_FOR_S, RATE, second_of_load
from tests.servers import mosquitto_in
from workorders.tables import work_order_alarm

PREFIX = "outage"
CONNECTED_S, OUTAGE_S, KILLED_AT_S = 20, 600, 330
END_S = CONNECTED_S + OUTAGE_S
RECOVERY_S = 30.0


@dataclass(kw_only=True)
class EngineRole:
    """A whole engine over a database and a history, with its samples from the bus."""

    folder: Path
    database: Engine
    facility: Facility = field(default_factory=small_facility)
    samples: Callable[[], int] = lambda: 0
    """Samples taken since it last started."""

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[Receiver]:
        """Run it until the block ends."""
        clock = VirtualClock(START_NS + END_S * NS_PER_S)
        inbox = Inbox()
        history = DuckDbHistory(self.folder / "history.duckdb")
        with reading(self.database) as connection:
            rules = RuleEngine(self.facility, saved=load_states(connection), now_ns=clock.now_ns())
        latest = LatestValues(max(self.facility.points))
        self.samples = lambda: latest.samples
        thread = EngineThread(
            database=self.database,
            facility=self.facility,
            rules=rules,
            inbox=inbox,
            history=HistoryThread(history),
            latest=latest,
            clock=clock,
            on_commit=lambda _commit: None,
        )
        receiver = Receiver(
            address=address(port),
            topics=topics_of(PREFIX),
            facility=self.facility,
            configuration=b"{}",
            deliver=inbox.put,
        )
        thread.start()
        taking = asyncio.create_task(receiver.run())
        try:
            yield receiver
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await asyncio.to_thread(thread.stop)
            history.close()

    def kept(self) -> SampleBatch:
        """Return every bearing temperature of the history, in the order of its time."""
        history = DuckDbHistory(self.folder / "history.duckdb")
        try:
            return history.read(BEARING, START_NS, START_NS + END_S * NS_PER_S, 10_000_000)
        finally:
            history.close()


@pytest.fixture
def engine_role(tmp_path: Path) -> Iterator[EngineRole]:
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    metadata.create_all(database)
    yield EngineRole(folder=tmp_path, database=database)
    database.dispose()


@dataclass(frozen=True)
class GatewayProcess:
    process: subprocess.Popen[bytes]
    log: Path

    def acknowledged(self) -> int:
        """Return the last second that its device may forget; -1 for none."""
        numbers = [int(line) for line in self._lines() if line.isdecimal()]
        return numbers[-1] if numbers else -1

    def is_empty(self) -> bool:
        """Tell whether the engine has committed everything that it read."""
        return self._lines()[-1:] == ["empty"]

    def _lines(self) -> list[str]:
        return self.log.read_text().split("\n")[:-1]  # the last one may be half written


@contextmanager
def gateway(folder: Path, port: int, *, first: int, last: int) -> Iterator[GatewayProcess]:
    """Run a gateway process that plays a part of the load; at the end of the block it is killed."""
    log = folder / f"acknowledged-{first}.log"
    command = [sys.executable, "-m", "tests.gateway.virtual_gateway", folder, port, PREFIX, first, last]
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603  # our own program
            list(map(str, command)), stdout=output, env=inherited()
        ) as process,
    ):
        try:
            yield GatewayProcess(process, log)
        finally:
            process.kill()
            process.wait()


async def test_ten_minutes_without_the_bus_and_a_kill_lose_nothing_and_open_nothing_twice(
    tmp_path: Path, engine_role: EngineRole
) -> None:
    broker = mosquitto_in(tmp_path)
    with broker.running():
        async with engine_role.running(broker.port):
            with gateway(tmp_path, broker.port, first=0, last=CONNECTED_S) as one:
                await until(one.is_empty)
    with gateway(tmp_path, broker.port, first=CONNECTED_S, last=END_S) as two:
        await until(lambda: two.acknowledged() >= KILLED_AT_S)
    with gateway(tmp_path, broker.port, first=two.acknowledged() + 1, last=END_S) as three:
        await until(lambda: three.acknowledged() == END_S - 1)
        with broker.running():
            async with engine_role.running(broker.port):
                await until(lambda: engine_role.samples() > 20 * RATE)
            # It went in the middle of the backlog.
            async with engine_role.running(broker.port):
                began_s = time.monotonic()
                await until(three.is_empty, within_s=2 * RECOVERY_S)
                assert time.monotonic() - began_s < RECOVERY_S
    check_history(engine_role.kept())
    check_alarms(engine_role.database)


def check_history(kept: SampleBatch) -> None:
    """Hold the history against what the pump said: everything, with its own times; the past marked as such."""
    said = SampleBatch.concatenate(map(second_of_load, range(END_S)))
    said = said.where(said.point == BEARING)
    once = np.unique(kept.source_time_ns, return_index=True)[1]
    assert np.array_equal(kept.source_time_ns[once], said.source_time_ns)
    assert np.array_equal(kept.value[once], said.value)
    assert len(kept) - len(once) < len(said) / 10  # what the killed ones had not acknowledged came again
    assert set(kept.quality.tolist()) == {Quality.GOOD, Quality.UNCERTAIN_BUFFERED}
    during = (kept.source_time_ns >= START_NS + CONNECTED_S * NS_PER_S) & (
        kept.source_time_ns < START_NS + (END_S - 30) * NS_PER_S
    )
    assert set(kept.quality[during].tolist()) == {Quality.UNCERTAIN_BUFFERED}


def check_alarms(database: Engine) -> None:
    """Hold the alarms against the leaks: one episode for each, with its true beginning and end."""
    statement = (
        select(alarm_episode.c.since_ns, alarm_episode.c.cleared_at_ns)
        .where(alarm_episode.c.rule_id == SEAL_LEAK)
        .order_by(alarm_episode.c.since_ns)
    )
    orders = select(work_order_alarm.c.alarm_id, func.count()).group_by(work_order_alarm.c.alarm_id)
    with reading(database) as connection:
        episodes = [tuple(row) for row in connection.execute(statement)]
        assert all(count == 1 for _, count in connection.execute(orders))
    assert episodes == [
        (START_NS + second * NS_PER_S, START_NS + (second + LEAK_FOR_S) * NS_PER_S)
        for second in range(0, END_S, LEAK_EVERY_S)
    ]
