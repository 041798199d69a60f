"""Reports and commands across the bus: who reads what, and writes that reach the device or say why not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from facility.clock import VirtualClock
from facility.errors import DeviceRefusedError, DeviceUnreachableError
from gateway.bus.calls import FarDeviceUnreachableError, GatewayAwayError
from gateway.bus.report import Report, ReportError, decode, encode
from gateway.drivers.driver import PointWrite
from gateway.events import ConnectionState, ConnectionStatus, GatewayStatus, UnitStatus
from tests.facilities import DETECTOR, PUMP
from tests.gateway.bus_ends import BEARING, FACILITY, START_NS, Edge, EngineEnd, edge, engine, topics_of, until
from tests.servers import Mosquitto

POINT = next(point for point in FACILITY.points.values() if point.asset_id == PUMP)
FIRE_POINT = next(point for point in FACILITY.points.values() if point.asset_id == DETECTOR)


def wire(samples: int = 3) -> ConnectionStatus:
    unit = UnitStatus(asset_id=PUMP, state=ConnectionState.UP, requests=9)
    unit.latency.add(0.004)
    return ConnectionStatus(connection_id="wire", state=ConnectionState.UP, samples=samples, units={PUMP: unit})


async def introduced(near: Edge, far: EngineEnd) -> None:
    """Return once the engine knows who reads its only connection."""
    status = GatewayStatus(gateway_id="edge", is_present=True, waiting_by_lane={"state": 2, "telemetry": 5})
    await until(lambda: near.link.report(Report(gateway=status, connections=[wire()])))
    await until(lambda: "edge" in far.receiver.gateways)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_NS)


def test_a_report_is_read_as_it_was_said() -> None:
    said = Report(gateway=GatewayStatus(gateway_id="g", dropped_by_lane={"telemetry": 4}), connections=[wire()])
    assert decode(encode(said)) == said
    with pytest.raises(ReportError, match="same version"):
        decode(b'{"gateway": 7}')


async def test_the_engine_shows_what_the_gateway_reports_and_notices_when_it_is_gone(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far:
        assert far.receiver.statuses["wire"].detail == "no gateway has reported it yet"
        async with edge(tmp_path, mosquitto.port, topics, clock) as near:
            await introduced(near, far)
            assert far.receiver.statuses["wire"] == wire()
            assert (far.receiver.spools["spool edge"].waiting, far.receiver.spools["spool edge"].dropped) == (7, 0)
        await until(lambda: far.receiver.statuses["wire"].state is ConnectionState.DOWN)
        assert "gateway edge: it is not connected to the bus" in far.receiver.statuses["wire"].detail
        assert not far.receiver.gateways["edge"].is_present


async def test_a_write_reaches_the_device_and_is_read_back(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far, edge(tmp_path, mosquitto.port, topics, clock) as near:
        await introduced(near, far)
        await far.receiver.write(PointWrite(point=POINT, value=42.5, priority=10))
        shown = await far.receiver.read(POINT)
        assert (shown.point, shown.value, shown.source_time_ns) == (BEARING, 42.5, START_NS)
        await far.receiver.write(PointWrite(point=POINT, value=None, priority=10))
        assert math.isnan((await far.receiver.read(POINT)).value)


async def test_a_device_that_refuses_or_is_silent_says_so_across_the_bus(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far, edge(tmp_path, mosquitto.port, topics, clock) as near:
        await introduced(near, far)
        near.devices.trouble = DeviceRefusedError("pump-1", "illegal data address")
        with pytest.raises(DeviceRefusedError, match="illegal data address"):
            await far.receiver.write(PointWrite(point=POINT, value=1.0, priority=10))
        near.devices.trouble = DeviceUnreachableError("pump-1", "10.0.0.7:502", 1.0)
        with pytest.raises(FarDeviceUnreachableError, match=r"10\.0\.0\.7:502"):
            await far.receiver.read(POINT)


async def test_a_gateway_writes_nothing_that_its_own_configuration_does_not_allow(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far, edge(tmp_path, mosquitto.port, topics, clock) as near:
        await introduced(near, far)
        with pytest.raises(DeviceRefusedError, match="may not be written"):
            await far.receiver.write(PointWrite(point=FIRE_POINT, value=1.0, priority=10))
        assert near.devices.held == {}


async def test_a_write_while_the_gateway_is_away_fails_at_once_and_names_it(
    tmp_path: Path, mosquitto: Mosquitto, clock: VirtualClock
) -> None:
    topics = topics_of(tmp_path.name)
    async with engine(mosquitto.port, topics) as far:
        with pytest.raises(GatewayAwayError, match="no gateway has reported"):
            await far.receiver.write(PointWrite(point=POINT, value=1.0, priority=10))
        async with edge(tmp_path, mosquitto.port, topics, clock) as near:
            await introduced(near, far)
        await until(lambda: not far.receiver.gateways["edge"].is_present)
        with pytest.raises(GatewayAwayError, match="gateway edge"):
            await far.receiver.write(PointWrite(point=POINT, value=1.0, priority=10))
