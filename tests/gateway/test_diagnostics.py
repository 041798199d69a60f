"""The same story on all three wires: a device is lost and comes back, and figures and log say so, each once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from structlog.testing import capture_logs

from facility.model import Protocol
from gateway.drivers.driver import DriverConfig
from gateway.events import ConnectionState, UnitStatus
from gateway.gateway import open_driver
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, until
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port, mosquitto_in

OUTAGE_S = 1.5
"""Wall time of an outage in which every driver tries more than once."""

Field = Callable[[], AbstractAsyncContextManager[None]]
"""Lets the device, or the broker and who publishes to it, live until the block ends; again and again."""


def modbus_line(_folder: Path) -> tuple[DriverConfig, Field]:
    port, unit = free_port(), {1: FakeUnit([41])}
    meter = device("meter", 1, {"value": (analog(), {"register": 0})}, {"unit": 1, "poll_s": 0.05})
    config = driver_config(Protocol.MODBUS, port, (meter,), Collector(), options={"timeout_s": 0.2})
    return config, lambda: serving(port, unit)


def bacnet_panel(_folder: Path) -> tuple[DriverConfig, Field]:
    port = free_port()
    settings = {"reconcile_s": 0.2, "poll_s": 0.2, "cov_lifetime_s": 60}
    meter = device("meter", 1, {"value": (analog(), {"object": "analog-input,1"})}, settings)
    config = driver_config(Protocol.BACNET_IP, port, (meter,), Collector(), options={"timeout_s": 0.2})

    @contextlib.asynccontextmanager
    async def living() -> AsyncIterator[None]:
        panel = FieldDevice(port)
        yield
        panel.stop()

    return config, living


def mqtt_broker(folder: Path) -> tuple[DriverConfig, Field]:
    broker = mosquitto_in(folder)
    meter = device("meter", 1, {"value": (analog(), {"topic": "meter", "path": "value"})})
    config = driver_config(Protocol.MQTT, broker.port, (meter,), Collector(), options={"client_id": "gateway"})

    @contextlib.asynccontextmanager
    async def living() -> AsyncIterator[None]:
        with broker.running():
            publishing = asyncio.create_task(_publish(broker.port))
            try:
                yield
            finally:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)

    return config, living


async def _publish(port: int) -> None:
    """Publish until cancelled."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        while True:
            now_ms = time.time() * 1000  # noqa: TID251  # a device has its own clock
            client.publish("meter", orjson.dumps({"t_ms": now_ms, "value": now_ms}))
            await asyncio.sleep(0.05)
    finally:
        client.disconnect()
        client.loop_stop()


def is_well(config: DriverConfig) -> bool:
    unit = config.status.units["meter"]
    states = {config.status.state, unit.state}
    return states == {ConnectionState.UP} and not config.status.detail and not unit.detail and unit.last_good_ns > 0


def words(logs: list[Any], level: str) -> list[str]:
    return [entry["event"] for entry in logs if entry["log_level"] == level]


@pytest.mark.parametrize("wire", [modbus_line, bacnet_panel, mqtt_broker])
async def test_a_lost_device_is_told_once_with_its_reason_and_once_when_it_is_back(
    wire: Callable[[Path], tuple[DriverConfig, Field]], tmp_path: Path
) -> None:
    config, living = wire(tmp_path)
    driver = open_driver(config)
    assert config.status.units["meter"] == UnitStatus(asset_id="meter"), "a device is shown before it ever answered"
    async with contextlib.AsyncExitStack() as field:
        await field.enter_async_context(living())
        async with running(driver):
            await until(lambda: is_well(config))
            unit = config.status.units["meter"]
            asked, good_ns = unit.requests, unit.last_good_ns
            assert asked > 0
            with capture_logs() as logs:
                await field.aclose()
                await until(lambda: config.status.state is ConnectionState.DOWN)
                assert config.status.detail
                assert unit.state is ConnectionState.DOWN
                assert unit.detail
                await asyncio.sleep(OUTAGE_S)
                assert len(words(logs, "warning")) == 1, logs
                assert "lost" in words(logs, "warning")[0]
                await field.enter_async_context(living())
                await until(lambda: is_well(config) and unit.last_good_ns > good_ns)
                await until(lambda: words(logs, "info"))
            assert len(words(logs, "warning")) == 1, logs
            assert ["back" in word for word in words(logs, "info")] == [True], logs
            assert not words(logs, "error")
            assert unit.requests > asked


@pytest.mark.parametrize("wire", [modbus_line, bacnet_panel])
async def test_what_is_asked_shows_how_long_it_took_and_what_stayed_without_an_answer(
    wire: Callable[[Path], tuple[DriverConfig, Field]], tmp_path: Path
) -> None:
    config, living = wire(tmp_path)
    unit = config.status.units
    async with contextlib.AsyncExitStack() as field:
        await field.enter_async_context(living())
        async with running(open_driver(config)):
            await until(lambda: sum(unit["meter"].latency.counts) > 3)
            assert unit["meter"].latency.total_s > 0.0
            assert unit["meter"].openings == 0
            await field.aclose()
            await until(lambda: config.status.state is ConnectionState.DOWN)
            answered = sum(unit["meter"].latency.counts)
            assert answered <= unit["meter"].requests
