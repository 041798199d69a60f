"""A BACnet driver in a process of its own, for connections whose load would slow the others down."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import Final

import structlog

from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.breaker import backoff_s, draw_jitter
from gateway.drivers.bacnet.driver import BacnetDriver
from gateway.drivers.bacnet.objects import WatchedObject
from gateway.drivers.bacnet.pipe import Asked, Delivered, Done, Message, Start, Told, packed, received
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.events import ConnectionState, ConnectionStatus, Delivery, UnitStatus

log = structlog.get_logger(__name__)

MODULE: Final = "gateway.drivers.bacnet.child"

OWN_PROCESS_FROM: Final = 1_000.0
"""Objects per wall second from which ``process: auto`` means a process of its own: 0.12 ms each is then an eighth of a
core, which Modbus and MQTT would feel."""

LOOP: Final = "process"
"""What the watchdog calls our loop."""

SILENT_FOR_S: Final = 20.0
"""Wall seconds without a word after which a child counts as stuck; it tells its figures twice a second."""

_CONNECTION_FIGURES: Final = ("state", "detail", "samples", "errors", "last_good_ns", "dropped")
_UNIT_FIGURES: Final = (
    *("state", "detail", "requests", "timeouts", "refusals"),
    *("overruns", "openings", "last_good_ns", "latency"),
)
"""What the child's driver counts; the other figures are made on the way from here on."""


def objects_per_s(objects: Sequence[WatchedObject], speed: float) -> float:
    """Return how many objects are read in a wall second where each takes no subscription."""
    return sum(speed / watched.schedule.poll_s for watched in objects)


def open_bacnet_driver(config: DriverConfig) -> BacnetDriver | ApartDriver:
    """Return the driver of a connection, in a process of its own where its options or its load ask for one.

    Raises:
        ConfigurationError: Its options or its devices' mappings have mistakes.
    """
    driver = BacnetDriver(config)
    wanted = config.connection.options.get("process", "auto")
    load = objects_per_s(tuple(driver.watch.objects.values()), config.clock.speed)
    if wanted == "own" or (wanted == "auto" and load >= OWN_PROCESS_FROM):
        return ApartDriver(config)
    return driver


class ApartDriver:
    """Runs a :class:`BacnetDriver` in a child process and passes everything on, as if it ran here."""

    def __init__(self, config: DriverConfig) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self._asked: dict[int, asyncio.Future[Done]] = {}
        self._number = 0
        self._was_told = False
        """Whether the points have been delivered as lost since the last child ended."""

    @property
    def pid(self) -> int | None:
        """Return the child's process id; ``None`` while there is none."""
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Keep a child running until cancelled; one that ends is replaced, and its points are marked meanwhile."""
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            started_at = loop.time()
            code = await self._life()
            attempt = 0 if loop.time() - started_at > backoff_s(attempt, jitter=1.0) * 2 else attempt + 1
            self._lose(code)
            await asyncio.sleep(backoff_s(attempt, jitter=draw_jitter()))

    async def write(self, write: PointWrite) -> None:
        """Write through the child; see :meth:`BacnetDriver.write`."""
        await self._ask(write)

    async def read(self, point: Point) -> Sample:
        """Read through the child; see :meth:`BacnetDriver.read`."""
        done = await self._ask(point)
        if done.sample is None:
            raise DeviceRefusedError(point.address, "its driver's process gave no sample")
        return done.sample

    async def _life(self) -> int | None:
        """Run one child until it ends; return its exit code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # an interrupt at the terminal is for the parent, which then ends the child
        )
        self._process = process
        self._config.pulse.turn(LOOP)
        try:
            self._send(Start.of(self._config))
            await self._take_all(process)
        finally:
            self._process = None
            await _end(process)
            self._fail_tasks()
        return process.returncode

    async def _take_all(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        with contextlib.suppress(EOFError):
            while True:
                self._config.pulse.turn("child")
                self._take(await received(process.stdout))
                self._config.pulse.turn(LOOP, within_s=SILENT_FOR_S)

    def _take(self, message: Message) -> None:
        match message:
            case Delivered(batch):
                self._was_told = False
                self._config.deliver(Delivery(connection_id=self._config.connection.id, batch=batch))
            case ConnectionStatus():
                _copy(message, self._config.status)
            case Done(number):
                future = self._asked.get(number)
                if future and not future.done():
                    future.set_result(message)
            case Told(level, event):
                log.log(_LEVELS.get(level, _LEVELS["info"]), event.pop("event", ""), **event)

    def _send(self, message: Message) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(packed(message))

    async def _ask(self, task: PointWrite | Point) -> Done:
        """Give the child a task and return what came of it.

        Raises:
            DeviceUnreachableError: The device did not answer, or there is no child now.
            DeviceRefusedError: The device said no.
        """
        if self._process is None:
            raise self._unreachable()
        self._number += 1
        number, future = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._send(Asked(number, task))
            done: Done = await future
        finally:
            del self._asked[number]
        if not done.error:
            return done
        raise _again(DeviceUnreachableError if done.unreachable else DeviceRefusedError, done.error)

    def _fail_tasks(self) -> None:
        for number, future in self._asked.items():
            if not future.done():
                future.set_result(Done(number, error=str(self._unreachable()), unreachable=True))

    def _unreachable(self) -> DeviceUnreachableError:
        connection = self._config.connection
        timeout_s = float(connection.options.get("timeout_s", 1.0))
        return DeviceUnreachableError(connection.id, f"{connection.host}:{connection.port}", timeout_s)

    def _lose(self, code: int | None) -> None:
        """Mark every point, once until a child delivers again."""
        status = self._config.status
        status.state = ConnectionState.DOWN
        status.detail = f"the driver's process ended with {code} and starts again"
        for unit in status.units.values():
            unit.state, unit.detail = ConnectionState.DOWN, status.detail
        if self._was_told:
            return
        self._was_told = True
        log.error("BACnet driver's process ended; it starts again", connection=status.connection_id, code=code)
        now_ns = self._config.clock.now_ns()
        samples = [
            Sample(point.key, now_ns, now_ns, float("nan"), Quality.BAD_COMMUNICATION)
            for device in self._config.devices
            for point in device.points
        ]
        self._config.deliver(Delivery(connection_id=status.connection_id, batch=SampleBatch.of(samples)))


_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a child; it keeps nothing that would need a gentle end."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


def _copy(source: ConnectionStatus, target: ConnectionStatus) -> None:
    """Copy figures into the objects that others hold."""
    for name in _CONNECTION_FIGURES:
        setattr(target, name, getattr(source, name))
    for asset, unit in source.units.items():
        known = target.units.setdefault(asset, UnitStatus(asset_id=asset))
        for name in _UNIT_FIGURES:
            setattr(known, name, getattr(unit, name))


def _again(kind: type[DeviceUnreachableError | DeviceRefusedError], message: str) -> Exception:
    """Return an error of the child as it was raised there; its words are made already."""
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    return error
