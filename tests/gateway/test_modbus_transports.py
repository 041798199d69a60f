"""The Modbus driver over every transport, against peers that share no code with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pyModbusTCP.server import (  # type: ignore[import-untyped]  # it comes without types
    DataBank,
    ModbusServer,
)

from facility.equipment import PointKind
from facility.errors import ConfigurationError
from facility.model import Connection, Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.drivers.modbus.serial_port import frame_gap_s, transmission_s
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.gateway.modbus_peer import Memory, ascii_speech, listening, rtu_speech, tcp_speech, terminal
from tests.servers import free_port

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

MEMORY: Mapping[str, Mapping[int, int]] = {
    "registers": {0: 0x41BC, 1: 0, 2: 7},
    "coils": {5: True},
    "contacts": {6: True},
    "inputs": {7: 0xFFFF},
}
POINTS: Mapping[str, PointPlace] = {
    "flow": (analog(), {"register": 0, "type": "float32", "write": {"min": 0, "max": 100}}),
    "mode": (analog(), {"register": 2, "bits": [0, 1]}),
    "run": (states(PointKind.BINARY, off=0, on=1), {"register": 5, "function": 1, "write": {"states": ["off"]}}),
    "door": (states(PointKind.BINARY, closed=0, open=1), {"register": 6, "function": 2}),
    "level": (analog(), {"register": 7, "function": 4, "type": "int16"}),
}
VALUES = {1: 23.5, 2: 3.0, 3: 1.0, 4: 1.0, 5: -1.0}
"""Point key to what the memory above means."""


def tank(unit: int = 1, first_key: int = 1) -> DeviceConfig:
    return device(f"tank-{unit}", first_key, POINTS, {"unit": unit, "poll_s": 0.02})


def config_of(port: int, collector: Collector, *devices: DeviceConfig, **options: object) -> DriverConfig:
    return driver_config(Protocol.MODBUS, port, devices, collector, options=options)


def serial_config(path: str, collector: Collector, *devices: DeviceConfig, **options: object) -> DriverConfig:
    config = config_of(0, collector, *devices)
    connection = Connection(
        id="line", protocol=Protocol.MODBUS, host="", port=0, options={"serial": path, "baudrate": 115_200, **options}
    )
    return DriverConfig(
        connection=connection, devices=devices, clock=config.clock, deliver=collector, status=config.status
    )


async def reads_and_writes(config: DriverConfig, collector: Collector, memory: Memory) -> None:
    """Hold a running driver to what it must do on any transport."""
    driver = ModbusDriver(config)
    points = config.devices[0].points
    async with running(driver):
        await until(lambda: all(collector.last(key) == (value, Quality.GOOD) for key, value in VALUES.items()))
        await driver.write(PointWrite(point=points[0], value=42.5, priority=8))
        await driver.write(PointWrite(point=points[2], value=0.0, priority=8))
        assert (await driver.read(points[0])).value == 42.5
        assert (await driver.read(points[2])).value == 0.0
    assert memory.registers[0] == 0x422A
    assert memory.coils[5] is False


@pytest.mark.parametrize(("transport", "speech"), [("tcp", tcp_speech), ("rtu-tcp", rtu_speech)])
async def test_a_device_is_read_and_commanded_over_tcp(
    transport: str, speech: Callable[[bytes, dict[int, Memory]], tuple[int, bytes]]
) -> None:
    port, collector, memory = free_port(), Collector(), Memory(**fresh())
    async with listening(port, {1: memory}, speech):
        await reads_and_writes(config_of(port, collector, tank(), transport=transport), collector, memory)


@pytest.mark.parametrize(("transport", "speech"), [("rtu", rtu_speech), ("ascii", ascii_speech)])
async def test_a_device_is_read_and_commanded_over_a_serial_line(
    transport: str, speech: Callable[[bytes, dict[int, Memory]], tuple[int, bytes]]
) -> None:
    collector, memory = Collector(), Memory(**fresh())
    async with terminal({1: memory}, speech) as line:
        config = serial_config(line.path, collector, tank(), transport=transport, bytesize=8)
        await reads_and_writes(config, collector, memory)


def fresh() -> dict[str, Any]:
    return {name: dict(content) for name, content in MEMORY.items()}


async def test_a_silent_unit_and_noise_on_a_serial_line_cost_its_neighbour_nothing_but_time() -> None:
    collector = Collector()
    async with terminal({1: Memory(**fresh())}, rtu_speech) as line:
        line.before = b"\x00\x01\x03\xff\x01"  # what a line without termination adds, much like the start of an answer
        config = serial_config(line.path, collector, tank(), tank(2, 11), transport="rtu", timeout_s=0.1)
        async with running(ModbusDriver(config)):
            await until(lambda: Quality.BAD_COMMUNICATION in collector.qualities(11))
            await until(lambda: len(collector.of(1)) > 20)
    assert set(collector.qualities(1)) == {Quality.GOOD}
    assert config.status.units["tank-1"].timeouts == 0


async def test_an_adapter_that_is_pulled_out_is_told_and_found_again(tmp_path: Path) -> None:
    collector, port = Collector(), tmp_path / "adapter"
    config = serial_config(str(port), collector, tank(), transport="rtu", timeout_s=0.1)
    async with running(ModbusDriver(config)):
        async with terminal({1: Memory(**fresh())}, rtu_speech) as line:
            port.symlink_to(line.path)
            await until(lambda: collector.last(1) == (23.5, Quality.GOOD))
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert collector.last(1) == (23.5, Quality.BAD_COMMUNICATION)
        port.unlink()
        async with terminal({1: Memory(**fresh())}, rtu_speech) as line:
            port.symlink_to(line.path)
            await until(lambda: collector.last(1) == (23.5, Quality.GOOD))


async def test_a_serial_port_that_does_not_exist_is_told_by_its_name() -> None:
    config = serial_config("/dev/does-not-exist", Collector(), tank(), transport="rtu")
    async with running(ModbusDriver(config)):
        await until(lambda: config.status.state is ConnectionState.DOWN)
    assert "/dev/does-not-exist" in config.status.detail


@pytest.mark.parametrize("framer", [FramerType.RTU, FramerType.ASCII])
async def test_pymodbus_as_a_serial_device_is_understood(framer: FramerType) -> None:
    collector = Collector()
    async with crossed_terminals() as (ours, theirs):
        registers = SimData(0, values=[0x41BC, 0, 7], datatype=DataType.REGISTERS)
        server = ModbusSerialServer(SimDevice(id=1, simdata=[registers]), framer=framer, port=theirs, baudrate=115_200)
        await server.serve_forever(background=True)
        reading = device("tank", 1, {name: POINTS[name] for name in ("flow", "mode")}, {"unit": 1, "poll_s": 0.02})
        config = serial_config(ours, collector, reading, transport=framer.value, bytesize=8)
        driver = ModbusDriver(config)
        async with running(driver):
            await until(lambda: collector.last(1) == (23.5, Quality.GOOD))
            await driver.write(PointWrite(point=reading.points[0], value=42.5, priority=8))
            await until(lambda: collector.last(1) == (42.5, Quality.GOOD))
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it untyped


@contextlib.asynccontextmanager
async def crossed_terminals() -> AsyncIterator[tuple[str, str]]:
    """Give the paths of two serial ports with a cable between them."""
    (one, one_end), (other, other_end) = os.openpty(), os.openpty()
    loop = asyncio.get_running_loop()

    def pass_on(here: int, there: int) -> None:
        os.write(there, os.read(here, 4096))

    for here, there in ((one, other), (other, one)):
        loop.add_reader(here, pass_on, here, there)
    try:
        yield os.ttyname(one_end), os.ttyname(other_end)
    finally:
        for descriptor in (one, other):
            loop.remove_reader(descriptor)
        for descriptor in (one, other, one_end, other_end):
            os.close(descriptor)


@contextlib.contextmanager
def pymodbustcp_server(port: int) -> Iterator[DataBank]:
    """Run pyModbusTCP's server until the block ends."""
    bank = DataBank()
    server = ModbusServer(host="127.0.0.1", port=port, no_block=True, data_bank=bank)
    server.start()
    try:
        yield bank
    finally:
        server.stop()


async def test_pymodbustcp_as_a_device_is_read_and_commanded() -> None:
    port, collector = free_port(), Collector()
    with pymodbustcp_server(port) as bank:
        bank.set_holding_registers(0, [0x41BC, 0, 7])
        bank.set_coils(5, [True])
        bank.set_discrete_inputs(6, [True])
        bank.set_input_registers(7, [0xFFFF])
        driver, reading = None, tank()
        config = config_of(port, collector, reading)
        driver = ModbusDriver(config)
        async with running(driver):
            await until(lambda: all(collector.last(key) == (value, Quality.GOOD) for key, value in VALUES.items()))
            await driver.write(PointWrite(point=reading.points[0], value=42.5, priority=8))
            await driver.write(PointWrite(point=reading.points[2], value=0.0, priority=8))
            await until(lambda: collector.last(1) == (42.5, Quality.GOOD) and collector.last(3) == (0.0, Quality.GOOD))
        assert bank.get_holding_registers(0, 2) == [0x422A, 0]
        assert bank.get_coils(5) == [False]
    await until(lambda: not any("process" in thread.name for thread in threading.enumerate()))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """The authority's certificate, and ours with its key."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("gateway.example")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "gateway.pem")
    return {"ca_file": str(tmp_path / "ca.pem"), "certificate_file": str(tmp_path / "gateway.pem")}


def server_context(authority: trustme.CA, *, wants_certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("plc.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if wants_certificate else ssl.CERT_NONE
    return context


@pytest.mark.parametrize("wants_certificate", [False, True])
async def test_a_device_is_read_and_commanded_over_tls(
    authority: trustme.CA, files: dict[str, str], *, wants_certificate: bool
) -> None:
    port, collector, memory = free_port(), Collector(), Memory(**fresh())
    given = files if wants_certificate else {"ca_file": files["ca_file"]}
    config = config_of(port, collector, tank(), transport="tls", server_name="plc.example", **given)
    async with listening(port, {1: memory}, tcp_speech, server_context(authority, wants_certificate=wants_certificate)):
        await reads_and_writes(config, collector, memory)


async def test_a_device_whose_certificate_bears_another_name_is_not_talked_to(
    authority: trustme.CA, files: dict[str, str]
) -> None:
    port, collector, memory = free_port(), Collector(), Memory(**fresh())
    config = config_of(port, collector, tank(), transport="tls", ca_file=files["ca_file"], server_name="other.example")
    async with listening(port, {1: memory}, tcp_speech, server_context(authority)), running(ModbusDriver(config)):
        await until(lambda: config.status.state is ConnectionState.DOWN)
    assert "certificate" in config.status.detail
    assert memory.requests == []


def test_a_certificate_that_is_not_there_is_told_before_anything_is_opened() -> None:
    config = config_of(1, Collector(), tank(), transport="tls", ca_file="/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=r"ca_file: there is no file /nowhere/ca\.pem"):
        ModbusDriver(config)


def test_a_slow_line_gets_the_time_that_its_bytes_take() -> None:
    assert frame_gap_s(9_600) == pytest.approx(3.5 * 11 / 9_600)
    assert frame_gap_s(115_200) == pytest.approx(0.00175)
    assert transmission_s(255, 9_600) == pytest.approx(0.292, abs=0.001)
