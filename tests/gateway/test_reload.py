"""A change of connections and points while the gateway reads: the others do not notice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from facility.errors import ConfigurationError, Mistake, NotFoundError
from facility.model import Protocol
from gateway.drivers.driver import Driver, DriverConfig
from gateway.events import ConnectionState, ConnectionStatus
from gateway.gateway import Gateway, open_driver
from tests.gateway.driver_site import Collector, analog, device, driver_config, until
from tests.gateway.modbus_server import FakeUnit, serving
from tests.gateway.relay import Relay
from tests.servers import free_port


def line(name: str, port: int, collector: Collector, *, key: int, poll_s: float = 0.05) -> DriverConfig:
    """Return a Modbus connection with one meter on it."""
    meter = device(f"meter-{name}", key, {"a": (analog(), {"register": 0})}, {"unit": 1, "poll_s": poll_s})
    config = driver_config(Protocol.MODBUS, port, (meter,), collector)
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


async def test_a_changed_connection_begins_anew_a_removed_one_ends_and_the_others_keep_their_sessions() -> None:
    server, collector = free_port(), Collector()
    ports = {name: free_port() for name in ("kept", "changed", "gone", "added")}
    relays = {name: Relay(server) for name in ports}
    before = [line(name, ports[name], collector, key=key) for key, name in enumerate(("kept", "changed", "gone"))]
    after = [
        line("kept", ports["kept"], collector, key=0),
        line("changed", ports["changed"], collector, key=1, poll_s=0.02),
        line("added", ports["added"], collector, key=3),
    ]
    gateway = Gateway(before)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(serving(server, {1: FakeUnit([7])}))
        for name, relay in relays.items():
            await stack.enter_async_context(relay.listening(ports[name]))
        await stack.enter_async_context(running(gateway))
        await until(lambda: all(collector.of(key) for key in (0, 1, 2)))
        kept = gateway.statuses["kept"]

        change = await asyncio.to_thread(gateway.prepare, after)
        assert set(change.fresh) == {"changed", "added"}
        await asyncio.to_thread(gateway.apply, change)

        await until(lambda: collector.of(3) and relays["gone"].open == 0)
        seen = len(collector.of(0))
        await until(lambda: len(collector.of(0)) > seen + 3)
        assert gateway.statuses["kept"] is kept
        assert {name: status.state for name, status in gateway.statuses.items()} == dict.fromkeys(
            ("kept", "changed", "added"), ConnectionState.UP
        )
        assert {name: relay.sessions for name, relay in relays.items()} == {
            "kept": 1,
            "changed": 2,
            "gone": 1,
            "added": 1,
        }


async def test_a_change_with_mistakes_touches_nothing() -> None:
    port, collector = free_port(), Collector()

    def opener(config: DriverConfig) -> Driver:
        if config.connection.port == 1:
            raise ConfigurationError([Mistake(config.connection.id, 0, "wrong")])
        return open_driver(config)

    gateway = Gateway([line("kept", port, collector, key=0)], opener=opener)
    wrong = [line(name, 1, collector, key=key) for key, name in enumerate(("b", "a"))]
    async with serving(port, {1: FakeUnit([7])}), running(gateway):
        await until(lambda: collector.of(0))
        with pytest.raises(ConfigurationError) as caught:
            gateway.prepare(wrong)
        assert [mistake.file for mistake in caught.value.mistakes] == ["a", "b"]
        seen = len(collector.of(0))
        await until(lambda: len(collector.of(0)) > seen)
    assert set(gateway.statuses) == {"kept"}


async def test_how_an_asset_is_called_is_nothing_to_its_driver() -> None:
    config = line("kept", 1, Collector(), key=0)
    [meter] = config.devices
    renamed = replace(meter, asset=replace(meter.asset, profile="thing-profile", commands=("a",)))
    assert not Gateway([config]).prepare([replace(config, devices=(renamed,))]).fresh


async def test_a_device_that_no_connection_has_is_not_found() -> None:
    config = line("kept", 1, Collector(), key=0)
    [meter] = config.devices
    stranger = replace(meter.points[0], asset_id="elsewhere")
    with pytest.raises(NotFoundError, match="No connection of this gateway has elsewhere"):
        await Gateway([config]).read(stranger)
