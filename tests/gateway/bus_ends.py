"""Both ends of the bus for tests: a forwarder fed by hand, and a receiver whose deliveries the test acknowledges."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from facility.clock import NS_PER_S, VirtualClock
from facility.errors import WatchkeeperError
from facility.model import Facility, Point
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.bus.calls import Call, carried_out
from gateway.bus.client import BusAddress
from gateway.bus.link import Link
from gateway.bus.receiver import Receiver
from gateway.bus.topics import Topics
from gateway.drivers.driver import PointWrite
from gateway.events import Delivery, DeviceEvent
from gateway.inbox import Inbox
from gateway.spool.forwarder import Forwarder
from gateway.spool.lanes import LaneRouter
from gateway.spool.spool import Limits
from tests.facilities import DETECTOR, PUMP, small_facility

START_NS = 1_800_000_000 * NS_PER_S
LIMITS = Limits(size=200_000_000, age_s=86_400.0)
FACILITY = small_facility()
KEYS = {point.address: point.key for point in FACILITY.points.values()}
BEARING, SEAL, SMOKE = KEYS[f"{PUMP}/bearing_temperature"], KEYS[f"{PUMP}/seal_leak"], KEYS[f"{DETECTOR}/alarm"]
LIFE_SAFETY = {SMOKE}


async def until(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return when something holds; fail when it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  # conditions of other threads set no event
            await asyncio.sleep(0.01)


def topics_of(name: str) -> Topics:
    """Return topics that no other test on the same broker uses."""
    return Topics(f"test/{name}")


def address(port: int) -> BusAddress:
    return BusAddress.of(f"mqtt://127.0.0.1:{port}")


class FakeDevices:
    """Devices that take what is written and show it, or do as they are told."""

    def __init__(self) -> None:
        self.held: dict[int, float | None] = {}
        self.trouble: WatchkeeperError | None = None

    async def write(self, write: PointWrite) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.held[write.point.key] = write.value

    async def read(self, point: Point) -> Sample:
        if self.trouble is not None:
            raise self.trouble
        value = self.held.get(point.key)
        return Sample(point.key, START_NS, START_NS, math.nan if value is None else value, Quality.GOOD)


@dataclass(kw_only=True)
class Edge:
    """A gateway without drivers."""

    folder: Path
    clock: VirtualClock
    forwarder: Forwarder
    inbox: Inbox
    link: Link
    devices: FakeDevices
    acknowledged: list[int] = field(default_factory=list)
    """Numbers of the deliveries that their devices may forget."""

    def read(self, *rows: tuple[int, float], events: tuple[DeviceEvent, ...] = (), number: int = 0) -> None:
        """Deliver samples that a device just said, as one of its messages."""
        now_ns = self.clock.now_ns()
        batch = SampleBatch.of([Sample(point, now_ns, now_ns, value, Quality.GOOD) for point, value in rows])
        acknowledge = lambda: self.acknowledged.append(number)  # noqa: E731  # a driver hands over a callable, too
        self.inbox.put(Delivery(connection_id="wire", batch=batch, events=events, acknowledge=acknowledge))

    async def holds(self, samples: int) -> None:
        """Return once so many samples are in the spool."""
        await until(lambda: self.waiting == samples)

    @property
    def waiting(self) -> int:
        """Samples in the spool."""
        return sum(tally.samples for tally in self.forwarder._spool.figures.held.values())


@asynccontextmanager
async def edge(
    folder: Path, port: int, topics: Topics, clock: VirtualClock, *, limits: Limits = LIMITS, name: str = "edge"
) -> AsyncIterator[Edge]:
    """Run a gateway's end until the block ends."""
    loop = asyncio.get_running_loop()
    devices = FakeDevices()
    calls: set[asyncio.Task[None]] = set()

    async def answer(call: Call) -> None:
        point = FACILITY.points.get(call.point)
        link.answer(await carried_out(call, devices, point, writable=call.point == BEARING))

    def called(call: Call) -> None:
        loop.call_soon_threadsafe(lambda: calls.add(loop.create_task(answer(call))))

    link = Link(address(port), topics, name, on_configuration=lambda _payload: None, on_call=called)
    inbox = Inbox()
    forwarder = Forwarder(
        path=folder / "spool.db",
        limits=limits,
        inbox=inbox,
        router=LaneRouter(FACILITY.points.values(), LIFE_SAFETY),
        bus=link,
        clock=clock,
    )
    forwarder.start()
    connected = asyncio.create_task(link.run(forwarder))
    try:
        yield Edge(folder=folder, clock=clock, forwarder=forwarder, inbox=inbox, link=link, devices=devices)
    finally:
        await asyncio.to_thread(forwarder.stop)
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)
        assert forwarder.failure is None


@dataclass(kw_only=True)
class EngineEnd:
    """An engine that only notes what came; commits at once, or when told."""

    receiver: Receiver
    deliveries: list[Delivery]
    commits: threading.Event

    @property
    def rows(self) -> list[Sample]:
        """Samples to decide by, in the order they came."""
        return [row for delivery in tuple(self.deliveries) for row in delivery.batch.rows()]

    @property
    def late(self) -> list[Sample]:
        """Samples that newer ones had overtaken."""
        return [row for delivery in tuple(self.deliveries) if delivery.late is not None for row in delivery.late.rows()]

    @property
    def everything(self) -> list[Sample]:
        return [*self.rows, *self.late]

    async def has(self, samples: int) -> None:
        """Return once so many samples came, late ones included."""
        await until(lambda: len(self.everything) >= samples)

    def of(self, point: int) -> list[float]:
        """Values of one point to decide by, in the order they came."""
        return [row.value for row in self.rows if row.point == point]

    def commit(self) -> None:
        """Commit everything from now on, also what came before."""
        self.commits.set()
        for delivery in tuple(self.deliveries):
            if delivery.acknowledge is not None:
                delivery.acknowledge()


@asynccontextmanager
async def engine(
    port: int, topics: Topics, *, commits: bool = True, facility: Facility = FACILITY
) -> AsyncIterator[EngineEnd]:
    """Run an engine's end until the block ends."""
    deliveries: list[Delivery] = []
    committing = threading.Event()
    if commits:
        committing.set()

    def deliver(delivery: Delivery) -> None:
        deliveries.append(delivery)
        if committing.is_set() and delivery.acknowledge is not None:
            delivery.acknowledge()

    receiver = Receiver(
        address=address(port),
        topics=topics,
        facility=facility,
        configuration=b"{}",
        deliver=deliver,
    )
    running = asyncio.create_task(receiver.run())
    try:
        yield EngineEnd(receiver=receiver, deliveries=deliveries, commits=committing)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
