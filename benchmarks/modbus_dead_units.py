"""How many polls living Modbus units keep while others on their line are dead.

``uv run --group bench python -m benchmarks.modbus_dead_units --json``. The plant: 20 TCP lines of 10 units each, every
unit polled once a second with the usual timeout of 1 s; one unit on each line never answers. The lines' servers are
plain asyncio in the same process and answer at once, so all that is lost is lost by the driver. The share is of the
worst living unit from its first reading to its last (or to two periods before the end, if it had none since): what the
driver needs to find out about its dead is in, and where a run happens to end is not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import struct
from collections import defaultdict
from collections.abc import Sequence

import structlog

from facility.clock import SystemClock
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, PointKind, System
from facility.model import Asset, Connection, Point, Protocol
from facility.quality import UNCERTAIN_FROM
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.events import ConnectionStatus, Delivery

LINES = 20
UNITS = 10
"""On each line."""
POLL_S = 1.0
REGISTERS = 10
REQUEST = struct.Struct(">HHHBBHH")
TEXT = LocalText(en="Meter", zh="Meter")
VALUE = PointDefinition(kind=PointKind.ANALOG, name=TEXT)
METER = EquipmentClass(
    name="meter", title=TEXT, system=System.PUMP, points={f"value_{at}": VALUE for at in range(REGISTERS)}
)


class Field:
    """The lines' servers, and what arrives from them."""

    def __init__(self, dead: int) -> None:
        self.dead = dead
        """Units from number 1 on that never answer, on each line."""
        self.readings: defaultdict[int, list[float]] = defaultdict(list)
        """When good readings came, by the key of each unit's first point; seconds of the loop's clock."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                request = REQUEST.unpack(await reader.readexactly(REQUEST.size))
                transaction, _, _, unit, function, _, count = request
                if unit > self.dead:
                    data = bytes(2 * count)
                    header = struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data))
                    writer.write(header + data)
        writer.close()

    def take(self, delivery: Delivery) -> None:
        """Take note of a reading that came out good."""
        if (delivery.batch.quality < UNCERTAIN_FROM).all():
            self.readings[int(delivery.batch.point[0])].append(asyncio.get_running_loop().time())


def first_key(line: int, unit: int) -> int:
    """Return the key of a unit's first point."""
    return (line * UNITS + unit) * REGISTERS


def meter(line: int, unit: int) -> DeviceConfig:
    """Return one unit of a line."""
    name = f"meter-{line}-{unit}"
    asset = Asset(
        id=name, name=TEXT, equipment_class=METER, space_id="hall", connection_id=f"line-{line}", profile="meter"
    )
    key = first_key(line, unit)
    return DeviceConfig(
        asset=asset,
        points=tuple(
            Point(key=key + at, asset_id=name, name=point, definition=VALUE) for at, point in enumerate(METER.points)
        ),
        settings={"unit": unit, "poll_s": POLL_S},
        mapping={point: {"register": at} for at, point in enumerate(METER.points)},
    )


async def measure(dead: int, seconds: float) -> dict[str, float]:
    """Run all lines for so many seconds."""
    field = Field(dead)
    async with contextlib.AsyncExitStack() as stack:
        drivers: list[ModbusDriver] = []
        for line in range(LINES):
            server = await stack.enter_async_context(await asyncio.start_server(field.serve, "127.0.0.1", 0))
            port = server.sockets[0].getsockname()[1]
            drivers.append(ModbusDriver(_config(line, port, field)))
        tasks = [asyncio.create_task(driver.run()) for driver in drivers]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return _figures(field, dead, seconds, ended_s=asyncio.get_running_loop().time())


def _config(line: int, port: int, field: Field) -> DriverConfig:
    return DriverConfig(
        connection=Connection(id=f"line-{line}", protocol=Protocol.MODBUS, host="127.0.0.1", port=port),
        devices=tuple(meter(line, unit) for unit in range(1, UNITS + 1)),
        clock=SystemClock(),
        deliver=field.take,
        status=ConnectionStatus(connection_id=f"line-{line}"),
    )


def _figures(field: Field, dead: int, seconds: float, *, ended_s: float) -> dict[str, float]:
    living = [first_key(line, unit) for line in range(LINES) for unit in range(dead + 1, UNITS + 1)]
    worst = min(kept(field.readings[key], ended_s) for key in living)
    return {
        "lines": LINES,
        "units": LINES * UNITS,
        "dead": LINES * dead,
        "polls_expected": round(seconds / POLL_S),
        "polls_done_min_percent": round(100.0 * worst, 1),
    }


def kept(readings: Sequence[float], ended_s: float) -> float:
    """Return which share of its polls a unit kept."""
    if not readings:
        return 0.0
    until_s = max(readings[-1], ended_s - 2 * POLL_S)
    due = max(1, round((until_s - readings[0]) / POLL_S))
    return min(1.0, (len(readings) - 1) / due)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the run (default 20)")
    parser.add_argument("--dead", type=int, default=1, help="units on each line that never answer (default 1)")
    chosen = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # losses are the plan
    figures = asyncio.run(measure(chosen.dead, chosen.seconds))
    if chosen.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure:g}")


if __name__ == "__main__":
    main()
