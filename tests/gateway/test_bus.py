"""Gateway and engine apart, on a real broker: live first, nothing lost, nothing twice, and the past in its order."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from facility.clock import NS_PER_S, VirtualClock
from facility.quality import Quality
from gateway.events import DeviceEvent, GatewayStatus
from gateway.spool.lanes import Lane
from gateway.spool.spool import Limits
from tests.gateway.bus_ends import BEARING, SEAL, SMOKE, START_NS, Edge, edge, engine, topics_of, until
from tests.servers import Mosquitto, mosquitto_in


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_NS)


async def test_what_a_device_says_reaches_the_engine_and_leaves_the_spool(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    badge = DeviceEvent(
        point=SEAL, source_time_ns=1, gateway_time_ns=2, code=1, event_id="e-1", text={"badge": "100342"}
    )
    async with engine(mosquitto.port, topics) as far, edge(tmp_path, mosquitto.port, topics, clock) as near:
        near.read((BEARING, 40.5), (SMOKE, 1.0), events=(badge,), number=7)
        await until(lambda: len(far.rows) == 2 and near.waiting == 0)
    assert near.acknowledged == [7]
    assert {(row.point, row.value, row.quality, row.source_time_ns) for row in far.rows} == {
        (BEARING, 40.5, Quality.GOOD, START_NS),
        (SMOKE, 1.0, Quality.GOOD, START_NS),
    }
    assert [event for delivery in far.deliveries for event in delivery.events] == [badge]


@pytest.mark.parametrize("engine_first", [True, False])
async def test_who_starts_first_does_not_matter(tmp_path: Path, clock: VirtualClock, *, engine_first: bool) -> None:
    broker, topics = mosquitto_in(tmp_path), topics_of("order")
    if engine_first:
        async with engine(broker.port, topics) as far, edge(tmp_path, broker.port, topics, clock) as near:
            near.read((SMOKE, 1.0))
            await until(lambda: near.waiting == 1)
            with broker.running():
                await until(lambda: far.of(SMOKE) == [1.0])
    else:
        with broker.running():
            async with edge(tmp_path, broker.port, topics, clock) as near:
                near.read((SMOKE, 1.0))
                await until(lambda: near.waiting == 1)
                async with engine(broker.port, topics) as far:
                    await until(lambda: far.of(SMOKE) == [1.0])


async def test_the_past_comes_in_order_with_its_own_times_and_says_that_it_was_buffered(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        for second in range(60):
            near.read((BEARING, float(second)))
            await near.holds(second + 1)
            clock.advance(1.0)
        async with engine(mosquitto.port, topics) as far:
            await until(lambda: len(far.everything) == 60 and near.waiting == 0)
    assert [row.value for row in far.rows] == [float(second) for second in range(60)]
    assert [row.source_time_ns for row in far.rows] == [START_NS + second * NS_PER_S for second in range(60)]
    qualities = [row.quality for row in far.rows]
    assert qualities == [Quality.UNCERTAIN_BUFFERED] * 51 + [Quality.GOOD] * 9


async def test_live_data_passes_the_backlog_and_what_it_overtook_decides_nothing(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics, seconds = topics_of(tmp_path.name), 40
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        for second in range(seconds):
            near.read(*[(BEARING, second * 1_000.0 + number) for number in range(1_000)])
            await near.holds((second + 1) * 1_000)
            clock.advance(1.0)
        async with engine(mosquitto.port, topics, commits=False) as far:
            await until(lambda: len(far.everything) >= 4_000)  # as much as may be under way
            near.read((BEARING, -1.0), (SMOKE, 1.0))
            await until(lambda: far.of(SMOKE) == [1.0] and -1.0 in far.of(BEARING))
            assert len(far.everything) < 6_000
            far.commit()
            await until(lambda: near.waiting == 0)
    assert {row.value for row in far.everything} == {-1.0, *map(float, range(seconds * 1_000))}
    assert len(far.everything) == seconds * 1_000 + 2
    assert far.of(BEARING)[-1] == -1.0
    overtaken = [row.value for row in far.late]
    assert overtaken == sorted(overtaken)
    assert far.receiver.gaps == far.receiver.repeats == 0


async def test_a_change_of_state_is_never_overtaken_by_its_own_repetition(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        expected = 0
        for value in (0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0):
            near.read((SEAL, value))
            expected += 1
            await near.holds(expected)
            clock.advance(1.0)
        async with engine(mosquitto.port, topics) as far:
            near.read((SEAL, 0.0))
            await far.has(expected + 1)
    changes = [value for value, before in zip(far.of(SEAL), [None, *far.of(SEAL)], strict=False) if value != before]
    assert changes == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert len(far.everything) == expected + 1


async def test_an_engine_that_dies_with_everything_under_way_gets_it_again(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        async with engine(mosquitto.port, topics, commits=False) as first:
            near.read((SMOKE, 1.0), (BEARING, 1.0))
            await until(lambda: len(first.rows) == 2)
        assert near.waiting == 2
        async with engine(mosquitto.port, topics) as second:
            await until(lambda: len(second.rows) == 2 and near.waiting == 0)


async def test_a_broker_that_restarts_costs_neither_order_nor_samples(tmp_path: Path, clock: VirtualClock) -> None:
    broker, topics = mosquitto_in(tmp_path), topics_of("restart")
    async with engine(broker.port, topics) as far, edge(tmp_path, broker.port, topics, clock) as near:
        number = 0
        for _ in range(3):
            with broker.running():
                for _ in range(200):
                    near.read((SMOKE, float(number % 2)), (BEARING, float(number)))
                    number += 1
                await far.has(2 * number)
            near.read((SMOKE, float(number % 2)), (BEARING, float(number)))
            number += 1
        with broker.running():
            await far.has(2 * number)
    assert far.of(SMOKE) == [float(n % 2) for n in range(number)]
    assert sorted(row.value for row in far.everything if row.point == BEARING) == [float(n) for n in range(number)]


async def test_a_spool_begun_anew_is_not_taken_for_the_old_one(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far:
        async with edge(tmp_path, mosquitto.port, topics, clock) as near:
            near.read((SMOKE, 1.0))
            await until(lambda: far.of(SMOKE) == [1.0] and near.waiting == 0)
        (tmp_path / "spool.db").write_bytes(b"\0" * 10_000)
        async with edge(tmp_path, mosquitto.port, topics, clock) as near:
            near.read((SMOKE, 0.0))
            await until(lambda: far.of(SMOKE) == [1.0, 0.0] and near.waiting == 0)
    assert await asyncio.to_thread(lambda: list(tmp_path.glob("spool.db.damaged-*")))


async def test_pages_that_rot_while_the_gateway_runs_cost_only_themselves(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        for number in range(50):
            near.read((BEARING, float(number)))
            await near.holds(number + 1)
        spool = near.forwarder._spool
        with spool._transaction() as change:
            change._connection.execute("UPDATE record SET body = zeroblob(length(body)) WHERE seq = 20")
        async with engine(mosquitto.port, topics) as far:
            await until(lambda: near.waiting == 0)
    assert far.of(BEARING) == [float(number) for number in range(50) if number != 19]
    assert near.forwarder._spool.figures.dropped[Lane.TELEMETRY] == 1


async def test_a_spool_at_its_size_drops_old_telemetry_and_keeps_every_change(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics, limits = topics_of(tmp_path.name), Limits(size=20_000, age_s=1e6)
    async with edge(tmp_path, mosquitto.port, topics, clock, limits=limits) as near:
        for number in range(300):
            near.read((BEARING, float(number)), (SMOKE, float(number % 2)), number=number)
        await until(lambda: len(near.acknowledged) == 300)
        figures = near.forwarder._spool.figures
        async with engine(mosquitto.port, topics) as far:
            await until(lambda: near.waiting == 0)
    kept = [row.value for row in far.everything if row.point == BEARING]
    assert far.of(SMOKE) == [float(number % 2) for number in range(300)]
    assert kept == [float(number) for number in range(300 - len(kept), 300)]
    assert figures.dropped[Lane.TELEMETRY] == 300 - len(kept)


async def test_an_engine_that_reconnects_alone_asks_for_what_it_missed(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far, edge(tmp_path, mosquitto.port, topics, clock) as near:
        for number in range(400):
            near.read((SMOKE, float(number % 2)))
            if number % 100 == 50:
                await far.has(number)
                line = far.receiver._client._client.socket()
                assert isinstance(line, socket.socket)
                line.shutdown(socket.SHUT_RDWR)
        await far.has(400)
    assert far.of(SMOKE) == [float(number % 2) for number in range(400)]


def trouble(near: Edge) -> str:
    """Return what the gateway would report as wrong."""
    status = GatewayStatus(gateway_id="edge")
    near.forwarder.describe(status)
    return status.detail


def let_grow(near: Edge, pages: int) -> None:
    """Let the spool's file have so many pages, as a disk that has room for no more."""
    near.forwarder._tell(lambda: near.forwarder._spool._connection.execute(f"PRAGMA max_page_count={pages}").close())


async def test_while_the_disk_is_full_devices_keep_what_they_said_and_then_nothing_is_missing(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with edge(tmp_path, mosquitto.port, topics, clock) as near:
        near.read((SMOKE, 1.0), number=0)
        await until(lambda: near.acknowledged == [0])
        let_grow(near, 1)  # SQLite lets it keep the pages that it has
        badges = [
            DeviceEvent(
                point=SEAL, source_time_ns=n, gateway_time_ns=n, code=1, event_id=str(n), text={"badge": "x" * n}
            )
            for n in range(2_000)
        ]
        near.read((SEAL, 1.0), events=tuple(badges), number=1)
        await until(lambda: "takes nothing" in trouble(near))
        near.read((SMOKE, 0.0), number=2)
        assert near.acknowledged == [0]
        let_grow(near, 1_000_000)
        await until(lambda: near.acknowledged == [0, 1, 2])
        async with engine(mosquitto.port, topics) as far:
            await until(lambda: near.waiting == 0)
    assert far.of(SMOKE) == [1.0, 0.0]
    assert [event for delivery in far.deliveries for event in delivery.events] == badges
