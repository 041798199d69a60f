"""The field of the gateway's benchmark: devices and publishers, each kind in a process of its own.

``python -m benchmarks.gateway_field modbus|bacnet|mqtt …`` prints one JSON line when it is ready and serves until its
standard input ends, so that it goes when the benchmark goes. Everything listens on loopback.

The devices are lean, so that the machine's time goes to the gateway: the Modbus answers are cut from a prepared piece
of memory, and the BACnet devices are bacpypes3's without subscriptions. Every value differs from the one before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
from bacpypes3.apdu import SubscribeCOVRequest
from bacpypes3.app import Application
from bacpypes3.errors import ExecutionError
from bacpypes3.local.analog import AnalogInputObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

HOST: Final = "127.0.0.1"

REQUEST: Final = struct.Struct(">HHHBBHH")
"""Transaction, protocol, length, unit, function, first register, number of registers."""
HEADER: Final = struct.Struct(">HHHBBB")
"""Transaction, protocol, length, unit, function, number of bytes."""
MEMORY_REGISTERS: Final = 1 << 16

VALUE_PERIOD_S: Final = 10.0
"""How often all values of a BACnet device change."""
STARTED_S: Final = 0.3
"""bacpypes3 binds its ports some time after it returns, and has no event for it."""

TICK_S: Final = 0.01
"""The publisher sends what is due in each tick."""
MAX_INFLIGHT: Final = 5_000
CONFIRMED_WITHIN_S: Final = 30.0


class ModbusServer(asyncio.Protocol):
    """One connection to a device whose every register counts up with each reading."""

    memory: Final = np.arange(2 * MEMORY_REGISTERS, dtype=np.uint16).astype(">u2").tobytes()

    def __init__(self) -> None:
        self._received = b""
        self._readings = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._received += data
        while len(self._received) >= REQUEST.size:
            request, self._received = self._received[: REQUEST.size], self._received[REQUEST.size :]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        transaction, protocol, _length, unit, function, first, count = REQUEST.unpack(request)
        self._readings = (self._readings + 1) % MEMORY_REGISTERS
        start = 2 * ((first + self._readings) % MEMORY_REGISTERS)
        header = HEADER.pack(transaction, protocol, 3 + 2 * count, unit, function, 2 * count)
        assert self._transport is not None
        self._transport.write(header + self.memory[start : start + 2 * count])


async def serve_modbus(options: argparse.Namespace) -> None:
    """Serve so many devices, each on a port of its own."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(ModbusServer, HOST, 0, backlog=16) for _ in range(options.devices)]
    ready(ports=[server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.to_thread(sys.stdin.read)


class PolledDevice(Application):  # type: ignore[misc]  # bacpypes3 ships no types
    """A device that takes no subscription, so that all its objects are read."""

    async def do_SubscribeCOVRequest(self, apdu: SubscribeCOVRequest) -> None:  # noqa: ARG002, N802  # bacpypes3's form
        """Refuse."""
        raise ExecutionError(errorClass="services", errorCode="covSubscriptionFailed")


def bacnet_device(port: int, instance: int, objects: int) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
    """Return a running device with so many analog inputs, numbered from 1."""
    device = DeviceObject(
        objectIdentifier=("device", instance),
        objectName=f"device-{instance}",
        vendorIdentifier=999,
        maxApduLengthAccepted=1476,
        segmentationSupported="segmentedBoth",
        maxSegmentsAccepted=64,
    )
    network_port = NetworkPortObject(
        f"{HOST}:{port}",
        objectIdentifier=("network-port", 1),
        objectName="network-port-1",
        networkNumber=0,
        networkNumberQuality="unknown",
    )
    inputs = [
        AnalogInputObject(
            objectIdentifier=("analog-input", number),
            objectName=f"input-{number}",
            presentValue=float(number),
            statusFlags=[0, 0, 0, 0],
            eventState="normal",
            outOfService=False,
            reliability="noFaultDetected",
            units="noUnits",
        )
        for number in range(1, objects + 1)
    ]
    return PolledDevice.from_object_list([device, network_port, *inputs]), inputs


async def serve_bacnet(options: argparse.Namespace) -> None:
    """Serve one device on each of the ports."""
    devices = [
        bacnet_device(port, 1001 + place, options.objects) for place, port in enumerate(options.ports.split(","))
    ]
    inputs = [each for _, own in devices for each in own]
    await asyncio.sleep(STARTED_S)
    ready(devices=len(devices))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        for each in inputs:
            each.presentValue += 1.0
            await asyncio.sleep(VALUE_PERIOD_S / len(inputs))


async def publish_mqtt(options: argparse.Namespace) -> None:
    """Publish with QoS 1 at a steady rate, each topic's values counted from 0; then say how far each topic came."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(MAX_INFLIGHT)
    client.connect(HOST, options.port)
    client.loop_start()
    topics = options.topics.split(",")
    ready(topics=len(topics))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    began_s, sent, last = time.monotonic(), 0, None
    while not ended.done():
        due = round((time.monotonic() - began_s) * options.rate)
        for number in range(sent, due):
            last = client.publish(topics[number % len(topics)], payload(number // len(topics)), qos=1)
        sent = due
        await asyncio.sleep(TICK_S)
    if last is not None:
        last.wait_for_publish(CONFIRMED_WITHIN_S)
    client.disconnect()
    client.loop_stop()
    print(json.dumps({"published": sent}), flush=True)


def payload(count: int) -> bytes:
    """Return what a device says: when, and its value."""
    now_ms = time.time_ns() // 1_000_000  # noqa: TID251  # a device has a clock of its own
    return b'{"t_ms":%d,"value":%d}' % (now_ms, count)


def ready(**words: object) -> None:
    """Tell whoever started this process that it serves."""
    print(json.dumps(words), flush=True)


KINDS: Final[dict[str, Callable[[argparse.Namespace], Awaitable[None]]]] = {
    "modbus": serve_modbus,
    "bacnet": serve_bacnet,
    "mqtt": publish_mqtt,
}


def main() -> None:
    """Serve one kind of devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--devices", type=int, help="modbus: how many")
    parser.add_argument("--ports", help="bacnet: UDP ports, one a device, with commas between")
    parser.add_argument("--objects", type=int, help="bacnet: on each device")
    parser.add_argument("--port", type=int, help="mqtt: the broker's")
    parser.add_argument("--topics", help="mqtt: with commas between")
    parser.add_argument("--rate", type=float, help="mqtt: messages a second")
    options = parser.parse_args()

    async def serve() -> None:
        await KINDS[options.kind](options)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
