"""The gateway: drivers that fall and rise without their neighbours' notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from structlog.testing import capture_logs

from facility.errors import ConfigurationError, DeviceRefusedError, Mistake
from facility.model import Point, Protocol
from facility.samples import Sample
from gateway.drivers.driver import Driver, DriverConfig, PointWrite
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.events import ConnectionState, ConnectionStatus
from gateway.gateway import Gateway, open_driver
from tests.gateway.driver_site import Collector, analog, device, driver_config, until
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port


class NotEvenAnException(BaseException):  # stands for a library's error outside Exception's tree
    """Like bacpypes3's errors."""


@dataclass
class Clumsy:
    """A driver that fails the first times and then works."""

    config: DriverConfig
    failures: list[BaseException | None]

    async def run(self) -> None:
        if not self.failures:
            self.config.status.state = ConnectionState.UP
            await asyncio.Event().wait()
        error = self.failures.pop(0)
        if error is not None:
            raise error

    async def write(self, write: PointWrite) -> None:
        raise DeviceRefusedError(write.point.address, "it is too clumsy")

    async def read(self, point: Point) -> Sample:
        raise DeviceRefusedError(point.address, "it is too clumsy")


def named(name: str, port: int = 1, collector: Collector | None = None) -> DriverConfig:
    meter = device("meter", 1, {"a": (analog(), {"register": 0})}, {"unit": 1, "poll_s": 0.02})
    config = driver_config(Protocol.MODBUS, port, (meter,), collector or Collector())
    connection = replace(config.connection, id=name)
    return replace(config, connection=connection, status=ConnectionStatus(connection_id=name))


@contextlib.asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[None]:
    task = asyncio.create_task(gateway.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("the wire burns"), "OSError: the wire burns"),
        (NotEvenAnException("abort"), "NotEvenAnException: abort"),
        (None, "it ended by itself"),
    ],
)
async def test_a_driver_that_falls_is_down_with_its_reason_started_again_and_its_neighbour_reads_on(
    error: BaseException | None, reason: str
) -> None:
    port, collector = free_port(), Collector()
    failures = [error]

    def opener(config: DriverConfig) -> Driver:
        return Clumsy(config, failures) if config.connection.id == "clumsy" else ModbusDriver(config)

    gateway = Gateway([named("clumsy"), named("steady", port, collector)], opener=opener)
    with capture_logs() as logs:
        async with serving(port, {1: FakeUnit([7])}), running(gateway):
            clumsy = gateway.statuses["clumsy"]
            await until(lambda: clumsy.state is ConnectionState.DOWN)
            assert reason in clumsy.detail
            await until(lambda: gateway.statuses["steady"].state is ConnectionState.UP)
            seen = len(collector.deliveries)
            await until(lambda: len(collector.deliveries) > seen + 5)
            await until(lambda: clumsy.state is ConnectionState.UP)
    assert [entry["log_level"] for entry in logs] == ["error"]


def test_the_mistakes_of_all_connections_are_named_before_any_is_opened() -> None:
    def opener(config: DriverConfig) -> Driver:
        raise ConfigurationError([Mistake(config.connection.id, 0, "wrong")])

    with pytest.raises(ConfigurationError) as caught:
        Gateway([named("b"), named("a")], opener=opener)
    assert [mistake.file for mistake in caught.value.mistakes] == ["a", "b"]


def test_every_connection_has_its_status_from_the_start() -> None:
    gateway = Gateway([named("pumps"), named("fire-pump")])
    assert {name: status.state for name, status in gateway.statuses.items()} == {
        "pumps": ConnectionState.CONNECTING,
        "fire-pump": ConnectionState.CONNECTING,
    }


def test_a_connection_is_opened_by_the_driver_of_its_protocol() -> None:
    assert isinstance(open_driver(named("pumps")), ModbusDriver)
